"""The progress callback that long-running functions share."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], object]
"""Is called with the stage, such as ``photos``, the number of items done and their total (0 if it is unknown).

An exception that it raises ends the work.
"""


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Do nothing: the default callback."""
