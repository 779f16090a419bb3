"""Reading and embedding photos on every core.

Each worker thread decodes a batch of photos and embeds it in one call. Both release the GIL, so threads keep all cores
busy, with no queue between decoding and embedding to tune.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt

from sketchseek.encoder import Encoder
from sketchseek.errors import ImageError
from sketchseek.images.quick import CPU_SECONDS
from sketchseek.images.worker_pool import PoolClosedError
from sketchseek.search.catalog import Description, PhotoFacts, Row
from sketchseek.search.colors import signature_of
from sketchseek.search.index.engine import available_cores
from sketchseek.search.photo_reader import PhotoReader
from sketchseek.search.picture_hash import picture_hash
from sketchseek.search.scan import LEADS_OUT, Found, file_time, is_within, real_path

BATCH = 16
GRACE = 2.0
"""Seconds that closing waits for photos that are being decoded in its threads, which cannot be interrupted."""

READ_WHOLE = 64 << 20
"""Files up to this size are read once, for digest and decoder. Larger files are streamed twice."""

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Known(Found):
    """A file whose bytes are already in the library, under some path."""

    digest: bytes


@dataclass(frozen=True)
class Failed(Found):
    """A file that cannot be read as an image. Size and time are −1 if the next run is to try it again."""

    reason: str


@dataclass(frozen=True)
class Gone:
    """A file that was deleted after the scan."""

    path: bytes


Outcome = Row | Known | Failed | Gone


@dataclass(frozen=True)
class _Decoded(PhotoFacts):
    pixels: npt.NDArray[np.uint8]
    description: Description


def embed_files(
    encoder: Encoder,
    paths: Iterable[bytes],
    known: Callable[[bytes], bool],
    *,
    workers: int | None = None,
    within: Collection[bytes] | None = None,
    cpu_seconds: float = CPU_SECONDS,
) -> Generator[list[Outcome]]:
    """Read, decode and embed photos; yield batches of outcomes in the order of the paths.

    At most ``2 * workers + 2`` batches are in memory. Closing the iterator stops the workers after the current photos,
    and abandons those that are not done with one after ``GRACE`` seconds.

    Args:
        encoder: Used from several threads; open it with ``threads=1``.
        paths: Absolute paths.
        known: Returns whether a digest needs no embedding; called from the workers.
        workers: Number of threads; by default one per core.
        within: Real paths of folders that links must not lead out of; see ``scan``.
        cpu_seconds: CPU time in which a picture must be decoded; see ``PhotoReader``.
    """
    workers = workers or available_cores()
    run = _Run(encoder, known, within, PhotoReader(encoder.manifest.photo.size, cpu_seconds=cpu_seconds))
    waiting: deque[Future[list[Outcome]]] = deque()
    tasks: SimpleQueue[_Task | None] = SimpleQueue()
    # An executor's threads would be joined when the process exits, however long they decode.
    threads = [
        threading.Thread(target=_work, args=(run, tasks), name=f"sketchseek-embed-{number}", daemon=True)
        for number in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        for batch in _batches(paths):
            waiting.append(Future())
            tasks.put((batch, waiting[-1]))
            if len(waiting) > 2 * workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        run.stop.set()
        run.reader.close()
        for _ in threads:
            tasks.put(None)
        end = time.monotonic() + GRACE
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))


_Task = tuple[list[bytes], "Future[list[Outcome]]"]


@dataclass(frozen=True)
class _Run:
    """What the threads of one run share; see ``embed_files``."""

    encoder: Encoder
    known: Callable[[bytes], bool]
    within: Collection[bytes] | None
    reader: PhotoReader
    stop: threading.Event = field(default_factory=threading.Event)


def _work(run: _Run, tasks: SimpleQueue[_Task | None]) -> None:
    while (task := tasks.get()) is not None:
        paths, future = task
        try:
            future.set_result(_embed(run, paths))
        except BaseException as error:
            future.set_exception(error)


def _batches(paths: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for path in paths:
        batch.append(path)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _embed(run: _Run, paths: list[bytes]) -> list[Outcome]:
    read: list[_Decoded | Outcome] = []
    for path in paths:
        if run.stop.is_set():
            break
        try:
            read.append(_read(run, path))
        except PoolClosedError:
            break
    decoded = [photo for photo in read if isinstance(photo, _Decoded)]
    if not decoded or run.stop.is_set():
        return [photo for photo in read if not isinstance(photo, _Decoded)]
    embeddings = iter(run.encoder.encode_photo_pixels(np.stack([photo.pixels for photo in decoded])))
    return [_row(photo, next(embeddings)) if isinstance(photo, _Decoded) else photo for photo in read]


def _row(photo: _Decoded, embedding: npt.NDArray[np.float32]) -> Row | Failed:
    embedding = embedding.astype(np.float16)
    if not np.isfinite(embedding).all():
        return Failed(photo.path, photo.size, photo.mtime_ns, "the model returned an embedding that is not finite")
    return Row(*photo.columns(), embedding.tobytes(), photo.description)


def _read(run: _Run, path: bytes) -> _Decoded | Outcome:
    size = mtime_ns = -1
    try:
        # O_NONBLOCK: do not hang on a pipe that replaced an image since the scan.
        with os.fdopen(os.open(path, _READ), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return Failed(path, size, mtime_ns, "not a regular file")
            if run.within is not None and not is_within(path, status, run.within):
                return Failed(path, size, mtime_ns, LEADS_OUT)
            size, mtime_ns = status.st_size, file_time(status)
            data = file.read() if size <= READ_WHOLE else None
            digest = hashlib.sha256(data).digest() if data is not None else hashlib.file_digest(file, "sha256").digest()
        if run.known(digest):
            return Known(path, size, mtime_ns, digest)
        # A large file is opened again, by its real path: a link may lead elsewhere by now.
        source = data if data is not None else os.fsdecode(path if run.within is None else real_path(path))
        photo = run.reader.read(source)
        description = Description(photo.metadata, signature_of(photo.pixels), picture_hash(photo.pixels))
        return _Decoded(path, size, mtime_ns, digest, photo.width, photo.height, photo.pixels, description)
    except FileNotFoundError:
        return Gone(path)
    except ImageError as error:
        return Failed(path, size, mtime_ns, error.reason)
    except OSError as error:
        # The disk or the network failed, not the file. Without size and time, the next run tries it again.
        return Failed(path, -1, -1, error.strerror or type(error).__name__)
    except MemoryError:
        return Failed(path, size, mtime_ns, "not enough memory to decode it")
