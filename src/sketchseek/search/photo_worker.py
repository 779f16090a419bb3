"""A process that reads photos' files for indexing. See ``photo_reader.py``."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.images import read_header, read_photo
from sketchseek.images.cost import MAX_BYTES
from sketchseek.images.frames import Frame, read_frames
from sketchseek.images.worker import answer_requests
from sketchseek.photo_metadata import PhotoMetadata, read_photo_metadata

BYTES, PATH = b"B", b"P"
"""How a request begins: the file's bytes follow, or its path."""

FRAMES = b"F"
"""How a request for frames begins; one of the above follows."""

RESPONSE = struct.Struct(">III")
"""Width, height, and bytes of the metadata as JSON, which follow; then the pixels."""

OWN_MEMORY = 512_000_000
"""Bytes beyond what a picture takes: for its file, and for the libraries that a RAW file or a video needs."""


@dataclass(frozen=True, eq=False)
class PhotoFile:
    """What indexing needs of a photo's file.

    Attributes:
        width, height: In pixels, with EXIF orientation applied.
        pixels: (size, size, 3) uint8, RGB.
        metadata: What the file says in words.
    """

    width: int
    height: int
    pixels: npt.NDArray[np.uint8]
    metadata: PhotoMetadata


def read_photo_file(source: bytes | str, size: int) -> PhotoFile:
    """Read a photo in this process.

    Args:
        source: The file's bytes or path.
        size: Side of the square that the photo is squashed to.

    Raises:
        ImageError: It cannot be read.
    """
    header = read_header(source)
    return PhotoFile(header.width, header.height, read_photo(source, size), read_photo_metadata(source))


def unpack_frames(response: bytes, size: int) -> list[Frame]:
    """Return the frames that a process has read."""
    (count,) = struct.unpack_from(">I", response)
    times = struct.unpack_from(f">{count}d", response, 4)
    pixels = np.frombuffer(response, np.uint8, offset=4 + 8 * count).reshape(count, size, size, 3)
    return [Frame(time, one) for time, one in zip(times, pixels, strict=True)]


def _pack_frames(frames: Sequence[Frame]) -> bytes:
    times = struct.pack(f">I{len(frames)}d", len(frames), *(frame.time for frame in frames))
    return times + b"".join(frame.pixels.tobytes() for frame in frames)


def unpack(response: bytes, size: int) -> PhotoFile:
    """Return what a process has read."""
    width, height, length = RESPONSE.unpack_from(response)
    end = RESPONSE.size + length
    metadata = PhotoMetadata(**json.loads(response[RESPONSE.size : end]))
    return PhotoFile(width, height, np.frombuffer(response, np.uint8, offset=end).reshape(size, size, 3), metadata)


def main() -> None:
    """Answer requests until standard input ends."""
    size, cpu_seconds = int(sys.argv[1]), float(sys.argv[2])

    def answer(request: bytes) -> bytes:
        wants_frames = request[:1] == FRAMES
        kind, content = (request[1:2], request[2:]) if wants_frames else (request[:1], request[1:])
        source = content if kind == BYTES else os.fsdecode(content)
        if wants_frames:
            return _pack_frames(read_frames(source, size))
        photo = read_photo_file(source, size)
        metadata = json.dumps(asdict(photo.metadata)).encode()
        return RESPONSE.pack(photo.width, photo.height, len(metadata)) + metadata + photo.pixels.tobytes()

    answer_requests(answer, max_bytes=MAX_BYTES + OWN_MEMORY, cpu_seconds=cpu_seconds)


if __name__ == "__main__":
    main()
