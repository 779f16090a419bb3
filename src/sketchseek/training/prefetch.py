"""Prepares the next batches in a thread while the device computes the present one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Calls a function for the numbers that will be asked next.

    Args:
        prepare: Makes the item of a number. It runs in another thread, and its result depends on the number alone.
        stride: The next number is this much larger.
        ahead: How many items to prepare ahead; 0 prepares each when it is asked for, without a thread.
    """

    def __init__(self, prepare: Callable[[int], T], *, stride: int = 1, ahead: int = 2) -> None:
        self._prepare = prepare
        self._stride = stride
        self._ahead = ahead
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch") if ahead else None
        self._waiting: dict[int, Future[T]] = {}

    def get(self, number: int) -> T:
        """The item of a number.

        Raises:
            Exception: What ``prepare`` raised for it.
        """
        if self._thread is None:
            return self._prepare(number)
        wanted = [number + self._stride * place for place in range(self._ahead + 1)]
        for other in set(self._waiting).difference(wanted):
            self._waiting.pop(other).cancel()
        for each in wanted:
            if each not in self._waiting:
                self._waiting[each] = self._thread.submit(self._prepare, each)
        return self._waiting.pop(number).result()
