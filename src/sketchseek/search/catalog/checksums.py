"""Checksums of what the catalog stores. SQLite notices a damaged structure, but not a damaged value.

Each photo has two: one of its facts, which is compared when it is shown, and one of its embedding, which is compared
when an index is built. The second includes the model's fingerprint, so that an old copy of a row, embedded by another
model, cannot be taken for a current one. CRC-32 finds accidents; it is no protection against forgery.
"""

from __future__ import annotations

import sqlite3
import zlib

Value = int | float | str | bytes | None


def row_checksum(*values: Value) -> int:
    """Return a checksum of a row's values and of their types."""
    # A literal differs where a value or its type does. Unlike repr, ascii does not depend on Python's Unicode version.
    return zlib.crc32(ascii(values).encode())


def embedding_checksum(fingerprint: str, photo: int, embedding: Value) -> int:
    """Return a checksum of a photo's embedding.

    Args:
        fingerprint: Identity of the model's embedding space.
        photo: The photo's id.
        embedding: Bytes of float16; other values, which only a damaged catalog has, get a checksum too.
    """
    data = embedding if isinstance(embedding, bytes) else ascii(embedding).encode()
    return zlib.crc32(data, zlib.crc32(f"{fingerprint} {photo}".encode()))


def register(connection: sqlite3.Connection) -> None:
    """Make both functions available in a connection's SQL."""
    connection.create_function("row_checksum", -1, row_checksum, deterministic=True)
    connection.create_function("embedding_checksum", 3, embedding_checksum, deterministic=True)
