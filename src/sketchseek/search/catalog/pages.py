"""Rows of an SQLite file page by page, without SQLite: what is left to read if its structure is damaged.

Every page that looks like the leaf of a table is read, also pages that SQLite has abandoned. So rows may be old or
wrong: the caller compares them with their checksums. The format is described at https://sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from sketchseek.search.catalog.checksums import Value
from sketchseek.search.presence import is_there

_PAGE_SIZE = 4096  # SQLite's default, which the catalog uses
_LEAF = 0x0D
_WAL_HEADER, _FRAME_HEADER = 32, 24
_INTEGER_BYTES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}


def table_rows(path: Path, columns: int) -> Iterator[tuple[int, list[Value]]]:
    """Yield the id and the values of every row with a number of columns, in a database file and its journal.

    Rows of the journal come last, since they are newer.
    """
    with path.open("rb") as file:
        number = 0
        while page := file.read(_PAGE_SIZE):
            yield from _leaf(page, 100 if number == 0 else 0, columns, path)
            number += 1
    journal = path.with_name(f"{path.name}-wal")
    if is_there(journal):
        with journal.open("rb") as file:
            file.seek(_WAL_HEADER)
            while header := file.read(_FRAME_HEADER):
                number = int.from_bytes(header[:4], "big")
                yield from _leaf(file.read(_PAGE_SIZE), 100 if number == 1 else 0, columns, path)


def _leaf(page: bytes, start: int, columns: int, path: Path) -> Iterator[tuple[int, list[Value]]]:
    if len(page) < _PAGE_SIZE or page[start] != _LEAF:
        return
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    for place in range(start + 8, min(start + 8 + 2 * count, _PAGE_SIZE - 1), 2):
        cell = int.from_bytes(page[place : place + 2], "big")
        try:
            row = _cell(page, cell, columns, path)
        except (IndexError, ValueError, OSError, struct.error):
            continue
        if row is not None:
            yield row


def _cell(page: bytes, at: int, columns: int, path: Path) -> tuple[int, list[Value]] | None:
    size, at = _varint(page, at)
    photo, at = _varint(page, at)
    if photo >= 1 << 63:
        photo -= 1 << 64
    most = _PAGE_SIZE - 35
    local = size
    if size > most:
        least = (_PAGE_SIZE - 12) * 32 // 255 - 23
        local = least + (size - least) % (_PAGE_SIZE - 4)
        local = local if local <= most else least
    payload = page[at : at + local]
    if len(payload) < local:
        return None
    if local < size:
        following = int.from_bytes(page[at + local : at + local + 4], "big")
        payload += _overflow(path, following, size - local)
    return _record(payload, photo, columns)


def _overflow(path: Path, number: int, size: int) -> bytes:
    """Read the rest of a long row from its chain of pages. In the journal they may be newer: the checksum tells."""
    parts = bytearray()
    with path.open("rb") as file:
        while number and len(parts) < size and size < 1 << 24:
            file.seek((number - 1) * _PAGE_SIZE)
            page = file.read(_PAGE_SIZE)
            number = int.from_bytes(page[:4], "big")
            parts += page[4 : 4 + size - len(parts)]
            if len(page) < _PAGE_SIZE:
                break
    return bytes(parts)


def _record(payload: bytes, photo: int, columns: int) -> tuple[int, list[Value]] | None:
    header, at = _varint(payload, 0)
    kinds = []
    while at < header:
        kind, at = _varint(payload, at)
        kinds.append(kind)
        if len(kinds) > columns:
            return None
    if at != header or len(kinds) != columns:
        return None
    values: list[Value] = []
    for kind in kinds:
        length = _INTEGER_BYTES[kind] if kind in _INTEGER_BYTES else 8 if kind == 7 else (kind - 12) // 2
        data = payload[at : at + length]
        if length < 0 or len(data) < length:
            return None
        at += length
        values.append(_value(kind, data))
    return photo, values


def _value(kind: int, data: bytes) -> Value:
    if kind == 0:
        return None
    if kind in (8, 9):
        return kind - 8
    if kind in _INTEGER_BYTES:
        return int.from_bytes(data, "big", signed=True)
    if kind == 7:
        number: float = struct.unpack(">d", data)[0]
        return number
    return data if kind % 2 == 0 else data.decode("utf-8", "replace")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for number in range(9):
        byte = data[at]
        at += 1
        if number == 8:
            return value << 8 | byte, at
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    raise AssertionError
