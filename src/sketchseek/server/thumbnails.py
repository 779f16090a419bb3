"""Thumbnails: made from the original once, kept on disk, made again when the original changes."""

from __future__ import annotations

import contextlib
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from sketchseek.atomic_write import atomic_write
from sketchseek.errors import ImageError
from sketchseek.images import open_image

SIZES = (160, 320, 640, 1280)
"""Longest sides that are served, in pixels."""

MEDIA_TYPE = "image/webp"
_QUALITY = 80
_METHOD = (
    1  # of 0 (fast) to 6 (small): a quarter of the default's time for a fifth more bytes, measured on small pictures
)


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, WebP.

    Attributes:
        data: The file's bytes.
        tag: Changes when the original or the size does; fit for an ``ETag``.
    """

    data: bytes
    tag: str


class ThumbnailCache:
    """Thumbnails in a folder; every failure to write there is survived, since originals can be read again.

    Args:
        folder: Where they are kept; made on first use.
        max_bytes: What ``prune`` keeps, oldest first to go.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 2_000_000_000) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    def tag(self, path: Path, size: int) -> str:
        """Identity of a thumbnail: the original's path, time and length, and the size params.

        Raises:
            FileNotFoundError: The original is gone.
        """
        status = path.stat()
        text = f"{path}|{status.st_mtime_ns}|{status.st_size}|{size}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def get(self, path: Path, size: int) -> Thumbnail:
        """A thumbnail from the folder, or a new one.

        Args:
            path: The original.
            size: One of ``SIZES``: longest side in pixels.

        Raises:
            FileNotFoundError: The original is gone.
            ImageError: It can no longer be read.
        """
        tag = self.tag(path, size)
        file = self.folder / tag[:2] / f"{tag}.webp"
        with contextlib.suppress(OSError):
            data = file.read_bytes()
            if data:
                return Thumbnail(data, tag)
        data = make_thumbnail(path, size)
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(file, data, durable=False)
        return Thumbnail(data, tag)

    def prune(self) -> int:
        """Delete the oldest thumbnails until the folder is below its cap; returns how many went."""
        files = []
        for file in self.folder.glob("*/*.webp"):
            with contextlib.suppress(OSError):
                status = file.stat()
                files.append((status.st_mtime, status.st_size, file))
        excess = sum(size for _, size, _ in files) - self.max_bytes
        gone = 0
        for _, size, file in sorted(files):
            if excess <= 0:
                break
            with contextlib.suppress(OSError):
                file.unlink()
                excess -= size
                gone += 1
        return gone


def make_thumbnail(path: Path, size: int) -> bytes:
    """Decode, turn and shrink a picture so that its longest side has at most ``size`` pixels; WebP.

    Raises:
        ImageError: It cannot be read.
    """
    image = open_image(path, at_least=size, keep_alpha=True)
    image.thumbnail((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
    out = io.BytesIO()
    try:
        image.save(out, "WEBP", quality=_QUALITY, method=_METHOD)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: no thumbnail can be made of it ({error}).") from error
    return out.getvalue()
