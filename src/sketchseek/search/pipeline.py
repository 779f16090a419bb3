"""Reading and embedding photos on every core.

Each worker thread decodes a batch of photos and embeds it in one call. Both release the GIL, so threads keep all cores
busy, with no queue between decoding and embedding to tune.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.encoder import Encoder
from sketchseek.errors import ImageError
from sketchseek.images import read_header
from sketchseek.photo_metadata import read_photo_metadata
from sketchseek.search.catalog import Description, Row
from sketchseek.search.index.engine import available_cores
from sketchseek.search.scan import file_time

BATCH = 16
READ_WHOLE = 64 << 20
"""Files up to this size are read once, for digest and decoder. Larger files are streamed twice."""

LARGE = 30_000_000
"""Images with more pixels are decoded one at a time: each takes 100 MB, or 600 MB at ``images.MAX_PIXELS``."""

_ONE_LARGE = threading.Lock()
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Known:
    """A file whose bytes are already in the library, under some path."""

    path: bytes
    size: int
    mtime_ns: int
    digest: bytes


@dataclass(frozen=True)
class Failed:
    """A file that cannot be read as an image."""

    path: bytes
    size: int
    mtime_ns: int
    reason: str


@dataclass(frozen=True)
class Gone:
    """A file that was deleted after the scan."""

    path: bytes


Outcome = Row | Known | Failed | Gone


@dataclass(frozen=True)
class _Decoded:
    path: bytes
    size: int
    mtime_ns: int
    digest: bytes
    width: int
    height: int
    pixels: npt.NDArray[np.uint8]
    description: Description


def embed_files(
    encoder: Encoder,
    paths: Iterable[bytes],
    known: Callable[[bytes], bool],
    *,
    workers: int | None = None,
) -> Generator[list[Outcome]]:
    """Read, decode and embed photos; yield batches of outcomes in the order of the paths.

    At most ``2 * workers + 2`` batches are in memory. Closing the iterator stops the workers after the current photos.

    Args:
        encoder: Used from several threads; open it with ``threads=1``.
        paths: Absolute paths.
        known: Returns whether a digest needs no embedding; called from the workers.
        workers: Number of threads; by default one per core.
    """
    workers = workers or available_cores()
    stop = threading.Event()
    waiting: deque[Future[list[Outcome]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="sketchseek-embed") as pool:
        try:
            for batch in _batches(paths):
                waiting.append(pool.submit(_embed, encoder, batch, known, stop))
                if len(waiting) > 2 * workers + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _batches(paths: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for path in paths:
        batch.append(path)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _embed(
    encoder: Encoder, paths: list[bytes], known: Callable[[bytes], bool], stop: threading.Event
) -> list[Outcome]:
    read: list[_Decoded | Outcome] = []
    for path in paths:
        if stop.is_set():
            break
        read.append(_read(encoder, path, known))
    decoded = [photo for photo in read if isinstance(photo, _Decoded)]
    if not decoded or stop.is_set():
        return [photo for photo in read if not isinstance(photo, _Decoded)]
    embeddings = iter(encoder.encode_photo_pixels(np.stack([photo.pixels for photo in decoded])))
    return [_row(photo, next(embeddings)) if isinstance(photo, _Decoded) else photo for photo in read]


def _row(photo: _Decoded, embedding: npt.NDArray[np.float32]) -> Row | Failed:
    embedding = embedding.astype(np.float16)
    if not np.isfinite(embedding).all():
        return Failed(photo.path, photo.size, photo.mtime_ns, "the model returned an embedding that is not finite")
    return Row(
        photo.path,
        photo.size,
        photo.mtime_ns,
        photo.digest,
        photo.width,
        photo.height,
        embedding.tobytes(),
        photo.description,
    )


def _read(encoder: Encoder, path: bytes, known: Callable[[bytes], bool]) -> _Decoded | Outcome:
    size = mtime_ns = -1
    try:
        # O_NONBLOCK: do not hang on a pipe that replaced an image since the scan.
        with os.fdopen(os.open(path, _READ), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return Failed(path, size, mtime_ns, "not a regular file")
            size, mtime_ns = status.st_size, file_time(status)
            data = file.read() if size <= READ_WHOLE else None
            digest = hashlib.sha256(data).digest() if data is not None else hashlib.file_digest(file, "sha256").digest()
        if known(digest):
            return Known(path, size, mtime_ns, digest)
        source = data if data is not None else os.fsdecode(path)
        header = read_header(source)
        with _ONE_LARGE if header.width * header.height > LARGE else nullcontext():
            pixels = encoder.read_photo(source)
        description = Description(read_photo_metadata(source))
        return _Decoded(path, size, mtime_ns, digest, header.width, header.height, pixels, description)
    except FileNotFoundError:
        return Gone(path)
    except ImageError as error:
        return Failed(path, size, mtime_ns, error.reason)
    except OSError as error:
        # The disk or the network failed, not the file. Without size and time, the next run tries it again.
        return Failed(path, -1, -1, error.strerror or type(error).__name__)
    except MemoryError:
        return Failed(path, size, mtime_ns, "not enough memory to decode it")
