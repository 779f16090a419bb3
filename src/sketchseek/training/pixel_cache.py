"""Decoded pixels on disk, by picture, for runs that read the same or overlapping sets."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sketchseek.atomic_write import atomic_path
from sketchseek.errors import InputError
from sketchseek.training.pixel_rows import PixelRows, Pixels, PixelSource

T = TypeVar("T")

IN_MEMORY = 1 << 30
"""Bytes of a set of pictures above which it stays in the cache's files, which are memory-mapped."""

LEAST_FOR_PROCESSES = 500
"""Number of pictures from which on processes are started to decode them."""

_KEY = "S40"

_log = logging.getLogger(__name__)


def read_with_cache(
    folder: Path | None,
    items: Sequence[T],
    names: Sequence[str],
    shape: tuple[int, ...],
    read: Callable[[T], Pixels],
    *,
    progress: Callable[[int, int], object] = lambda done, total: None,
    processes: int = 1,
) -> tuple[list[int], PixelSource, dict[int, str]]:
    """Read pictures, those that the folder lacks by ``read``; these are added to it as one more file.

    Args:
        folder: The cache's folder; None for no cache.
        items: What ``read`` takes.
        names: What identifies each picture and its file's state.
        shape: Of a picture's pixels.
        read: Reads a picture. With several processes, it and the items are sent to other processes.
        progress: Called with the number of pictures read and their total.
        processes: Number of processes that read, if there are many pictures.

    Returns:
        Places of the readable pictures, their pixels (n, *shape), and by place why others are unreadable.
    """
    keys = [hashlib.blake2b(name.encode(), digest_size=20).hexdigest().encode() for name in names]
    chunks = [] if folder is None else _chunks(folder, shape)
    known = _places(chunks)
    missing = [place for place, key in enumerate(keys) if key not in known]
    results = _read_all([items[place] for place in missing], read, processes)
    if folder is None:
        return _in_memory(len(items), shape, results, progress)
    failed: dict[int, str] = {}
    if missing:
        new = [keys[place] for place in missing]
        unreadable = _add(folder, new, shape, _counted(results, len(missing), progress))
        failed = {missing[row]: reason for row, reason in unreadable.items()}
        chunks = _chunks(folder, shape)
        known = _places(chunks)
    good = [place for place in range(len(keys)) if place not in failed]
    of = np.array([known[keys[place]] for place in good], dtype=np.int64).reshape(-1, 2)
    if not len(of):
        return good, np.empty((0, *shape), dtype=np.uint8), failed
    rows = PixelRows([chunk["pixels"] for chunk in chunks], of[:, 0], of[:, 1])
    return good, rows if rows.nbytes > IN_MEMORY else rows[:], failed


def _in_memory(
    count: int, shape: tuple[int, ...], results: Iterator[Pixels | str], progress: Callable[[int, int], object]
) -> tuple[list[int], Pixels, dict[int, str]]:
    pixels = np.empty((count, *shape), dtype=np.uint8)
    good: list[int] = []
    failed: dict[int, str] = {}
    for place, result in enumerate(_counted(results, count, progress)):
        if isinstance(result, str):
            failed[place] = result
        else:
            pixels[len(good)] = result
            good.append(place)
    return good, pixels[: len(good)], failed


def _read_all(items: Sequence[T], read: Callable[[T], Pixels], processes: int) -> Iterator[Pixels | str]:
    """The pixels of each item, or why it cannot be read."""
    attempt = partial(_attempt, read)
    if processes < 2 or len(items) < LEAST_FOR_PROCESSES:
        yield from map(attempt, items)
        return
    # Not by forking: a fork of a process with threads, such as torch's, may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_ignore_interrupt) as pool:
        try:
            yield from pool.map(attempt, items, chunksize=16)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _ignore_interrupt() -> None:
    """Leave Ctrl-C to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _attempt(read: Callable[[Any], Pixels], item: Any) -> Pixels | str:
    try:
        return read(item)
    except InputError as error:
        return error.message


def _counted(
    results: Iterator[Pixels | str], total: int, progress: Callable[[int, int], object]
) -> Iterator[Pixels | str]:
    for done, result in enumerate(results, 1):
        yield result
        progress(done, total)


def _chunks(folder: Path, shape: tuple[int, ...]) -> list[npt.NDArray[np.void]]:
    """The folder's files, memory-mapped."""
    chunks = []
    for file in sorted(folder.glob("*.npy")):
        try:
            chunk = np.load(file, mmap_mode="r", allow_pickle=False)
            if chunk.dtype != _dtype(shape):
                raise ValueError(f"its pictures are {chunk.dtype}")
            chunks.append(chunk)
        except (OSError, ValueError) as error:
            _log.warning("Reading its pictures again: %s is damaged (%s).", file, error)
    return chunks


def _places(chunks: Sequence[npt.NDArray[np.void]]) -> dict[bytes, tuple[int, int]]:
    """Chunk and row of each picture. Rows of unreadable pictures have no key."""
    return {
        key: (chunk, row) for chunk, part in enumerate(chunks) for row, key in enumerate(part["key"].tolist()) if key
    }


def _add(
    folder: Path, keys: Sequence[bytes], shape: tuple[int, ...], results: Iterator[Pixels | str]
) -> dict[int, str]:
    """Write pictures to a new file, one after the other; returns by row why some are unreadable."""
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.blake2b(b"".join(keys), digest_size=8).hexdigest()
    failed: dict[int, str] = {}
    with atomic_path(folder / f"{name}.npy", durable=False) as aside:
        chunk = np.lib.format.open_memmap(aside, mode="w+", dtype=_dtype(shape), shape=(len(keys),))
        for row, result in enumerate(results):
            if isinstance(result, str):
                failed[row] = result
            else:
                chunk["pixels"][row], chunk["key"][row] = result, keys[row]
        chunk.flush()
        del chunk  # Windows does not rename mapped files
    if len(failed) == len(keys):
        (folder / f"{name}.npy").unlink()
    return failed


def _dtype(shape: tuple[int, ...]) -> np.dtype[np.void]:
    return np.dtype([("key", _KEY), ("pixels", np.uint8, shape)])
