from __future__ import annotations

import threading

import pytest

from sketchseek.training.prefetch import Prefetcher


def test_the_next_numbers_are_prepared_in_another_thread() -> None:
    made: list[tuple[int, str]] = []
    ready = threading.Event()

    def prepare(number: int) -> int:
        made.append((number, threading.current_thread().name))
        if number == 14:
            ready.set()
        return number * number

    prefetcher = Prefetcher(prepare, stride=2, ahead=2)
    assert prefetcher.get(10) == 100
    assert ready.wait(10)  # 12 and 14 without being asked for
    assert prefetcher.get(12) == 144
    assert [number for number, _ in made][:3] == [10, 12, 14]
    assert all(name.startswith("prefetch") for _, name in made)


def test_any_number_can_be_asked_for() -> None:
    prefetcher = Prefetcher(lambda number: number + 1, ahead=3)
    assert [prefetcher.get(number) for number in (0, 1, 100, 7, 8)] == [1, 2, 101, 8, 9]


def test_an_error_comes_when_its_number_is_asked_for() -> None:
    def prepare(number: int) -> int:
        if number == 1:
            raise ValueError("one")
        return number

    prefetcher = Prefetcher(prepare, ahead=2)
    assert prefetcher.get(0) == 0
    with pytest.raises(ValueError, match="one"):
        prefetcher.get(1)
    assert prefetcher.get(2) == 2


def test_without_numbers_ahead_there_is_no_thread() -> None:
    names: list[str] = []
    prefetcher = Prefetcher(lambda number: names.append(threading.current_thread().name), ahead=0)
    prefetcher.get(0)
    assert names == [threading.current_thread().name]
