"""The part of Lance's indexes and file lists that this process keeps in memory, shared by all versions of a table."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from sketchseek.errors import ConfigError

VARIABLE = "SKETCHSEEK_INDEX_CACHE_MB"
"""Environment variable with the limit in MB."""

DEFAULT_MB = 2048
LEAST_MB = 16

METADATA_SHARE = 8
"""One part of this many is for the metadata of files; the rest is for indexes."""


def limit_mb() -> int:
    """Return the limit of the cache.

    Raises:
        ConfigError: The environment variable is no number, or too small.
    """
    text = os.environ.get(VARIABLE) or str(DEFAULT_MB)
    if not text.isascii() or not text.isdigit() or int(text) < LEAST_MB:
        raise ConfigError(
            f"{VARIABLE} is {text!r}.", remedy=f"Set it to a whole number of MB, {LEAST_MB} or more, or unset it."
        )
    return int(text)


def session() -> Any:
    """Return Lance's session of this process."""
    return _session(limit_mb())


@cache
def _session(megabytes: int) -> Any:
    import lance

    metadata = (megabytes << 20) // METADATA_SHARE
    return lance.Session(
        index_cache_size_bytes=(megabytes << 20) - metadata,
        metadata_cache_size_bytes=metadata,
    )
