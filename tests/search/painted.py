"""Photos that are easy to tell apart, for tests of a library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sketchseek.search.library import Library

Paint = Callable[..., Path]
"""Writes a photo; see the fixture ``paint``."""

TRIANGLE = [[[0, 50, 100, 0], [100, 0, 100, 100]]]


def names(library: Library) -> list[str]:
    """Names of all photos that a search finds, sorted."""
    return sorted(result.path.name for result in library.search(TRIANGLE, k=1000))
