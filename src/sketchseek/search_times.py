"""Times of the stages of a search, for those who measure them.

::

    with observed_stages(record):
        library.search(sketch)  # calls record("encode", 0.004), and so on
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Observer = Callable[[str, float], object]

_observer: ContextVar[Observer | None] = ContextVar("observer", default=None)


@contextmanager
def observed_stages(observer: Observer) -> Iterator[None]:
    """Call ``observer`` with the name and the seconds of each stage that ends in this block."""
    reset = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(reset)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Mark a block as a stage of a search."""
    observer = _observer.get()
    if observer is None:
        yield
        return
    start = time.perf_counter()
    try:
        yield
    finally:
        observer(name, time.perf_counter() - start)
