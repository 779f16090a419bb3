"""Thumbnails: made once per photo, cached on disk, and made again when the photo changes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PIL import Image

from sketchseek.atomic_write import atomic_write
from sketchseek.errors import ImageError
from sketchseek.images import open_image, open_regular, shown_name
from sketchseek.images.cost import LARGE_BYTES, one_large_decode
from sketchseek.images.quick import CPU_SECONDS, LARGE_FILE, WALL_SECONDS, promises_quick
from sketchseek.images.worker_pool import PoolClosedError, WorkerPool, WorkerStartError
from sketchseek.search.object_path import PhotoPath
from sketchseek.search.photo_worker import BYTES, PATH
from sketchseek.search.results import LibraryPhoto

SIZES = (160, 320, 640, 1280)
"""Available lengths of the longest side, in pixels."""

MEDIA_TYPE = "image/webp"
_QUALITY = 80
# From 0 (fast) to 6 (small). On small pictures, 1 takes a quarter of the default's time for a fifth more bytes.
_METHOD = 1


REQUEST = struct.Struct(">I")
"""Longest side in pixels. ``BYTES`` and a photo's bytes follow, or ``PATH`` and its path."""


@dataclass(frozen=True)
class Thumbnail:
    """A small copy of a photo as WebP.

    Attributes:
        data: The bytes of the file.
        tag: An ``ETag``; it changes with the photo and the size.
    """

    data: bytes
    tag: str


class ThumbnailCache:
    """A cache of thumbnails in a folder. It works, more slowly, if the folder cannot be written.

    Args:
        folder: Folder of the cache; created on first use.
        max_bytes: Size to which ``prune`` reduces the cache.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 2_000_000_000) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._pool = WorkerPool("sketchseek.server.thumbnail_worker", [], seconds=WALL_SECONDS, limit=CPU_SECONDS)

    def close(self) -> None:
        """End the processes that decode."""
        self._pool.close()

    def tag(self, path: Path, size: int) -> str:
        """Return the identity of a thumbnail: a hash of the photo's path, file time and file size, and of ``size``.

        Raises:
            FileNotFoundError: The photo is gone.
        """
        status = path.stat()
        return _tag(path, status.st_mtime_ns, status.st_size, size)

    def tag_of(self, photo: LibraryPhoto, size: int) -> str:
        """Return the identity of the thumbnail of a photo in object storage, as it was indexed."""
        return _tag(photo.path, photo.mtime_ns, photo.size, size)

    def get(self, path: Path, size: int) -> Thumbnail:
        """Return a thumbnail from the cache, or make one.

        Args:
            path: The photo.
            size: Longest side in pixels, one of ``SIZES``.

        Raises:
            FileNotFoundError: The photo is gone.
            ImageError: The photo can no longer be read.
        """
        return self._get(self.tag(path, size), lambda: self._make(path, size))

    def get_object(self, photo: LibraryPhoto, size: int, read: Callable[[], bytes]) -> Thumbnail:
        """Return a thumbnail of a photo in object storage from the cache, or make one.

        Args:
            photo: The photo.
            size: Longest side in pixels, one of ``SIZES``.
            read: Reads the photo.

        Raises:
            ImageError: The photo can no longer be read.
        """
        return self._get(self.tag_of(photo, size), lambda: self._make(read(), size))

    def _get(self, tag: str, make: Callable[[], bytes]) -> Thumbnail:
        file = self.folder / tag[:2] / f"{tag}.webp"
        with contextlib.suppress(OSError):
            data = file.read_bytes()
            if data:
                return Thumbnail(data, tag)
        data = make()
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(file, data, durable=False)
        return Thumbnail(data, tag)

    def _make(self, source: Path | bytes, size: int) -> bytes:
        """Make a thumbnail here, or in a process with a deadline if the photo's header does not promise to be quick."""
        data, memory = _read_small(source), LARGE_BYTES + 1
        name = shown_name(source)
        try:
            if data is not None:
                found, is_quick = promises_quick(data, size)
                if is_quick:
                    return make_thumbnail(data, size)
                memory = memory if found is None else found.memory
            request = (PATH, os.fsencode(cast(Path, source))) if data is None else (BYTES, data)
            with one_large_decode(memory):
                return self._pool.ask(REQUEST.pack(size), *request, subject=name)
        except PoolClosedError as error:
            raise ImageError("not decoded: the server is ending.", subject=name) from error
        except WorkerStartError:
            return make_thumbnail(source, size)
        except ImageError as error:
            error.subject = name
            raise

    def prune(self) -> int:
        """Delete the oldest thumbnails until the cache has at most ``max_bytes``; return how many were deleted."""
        files = []
        for file in self.folder.glob("*/*.webp"):
            with contextlib.suppress(OSError):
                status = file.stat()
                files.append((status.st_mtime, status.st_size, file))
        excess = sum(size for _, size, _ in files) - self.max_bytes
        deleted = 0
        for _, size, file in sorted(files):
            if excess <= 0:
                break
            with contextlib.suppress(OSError):
                file.unlink()
                excess -= size
                deleted += 1
        return deleted


def _read_small(source: Path | bytes) -> bytes | None:
    """Return a photo's bytes; None if they are too many to read them here."""
    if isinstance(source, bytes):
        return source
    with open_regular(source) as file:
        return file.read() if os.fstat(file.fileno()).st_size <= LARGE_FILE else None


def _tag(path: PhotoPath, mtime_ns: int, file_size: int, size: int) -> str:
    text = f"{path}|{mtime_ns}|{file_size}|{size}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def make_thumbnail(source: Path | bytes, size: int) -> bytes:
    """Return a photo as WebP, rotated as EXIF says, with at most ``size`` pixels on its longest side.

    Raises:
        ImageError: The photo cannot be read.
    """
    image = open_image(source, at_least=size, keep_alpha=True)
    image.thumbnail((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
    out = io.BytesIO()
    try:
        image.save(out, "WEBP", quality=_QUALITY, method=_METHOD)
    except (OSError, ValueError) as error:
        raise ImageError(f"no thumbnail can be made of it ({error}).", subject=shown_name(source)) from error
    return out.getvalue()
