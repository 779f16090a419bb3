"""Reading photos' files for indexing, each within a deadline.

Most pictures are decoded in the calling thread. A picture whose decoder may need long, by what its header says, is
decoded in a process that is killed at a deadline; so are formats whose headers do not say.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from sketchseek.images import read_photo, shown_name
from sketchseek.images.cost import LARGE_BYTES, one_large_decode
from sketchseek.images.frames import Frame, read_frames
from sketchseek.images.quick import CPU_SECONDS, WALL_SECONDS, promises_quick
from sketchseek.images.worker_pool import WorkerPool, WorkerStartError
from sketchseek.photo_metadata import read_photo_metadata
from sketchseek.search.photo_worker import BYTES, FRAMES, PATH, PhotoFile, read_photo_file, unpack, unpack_frames


class PhotoReader:
    """Reads photos' files. Thread-safe; each thread may occupy one process.

    Args:
        size: Side of the square that photos are squashed to.
        cpu_seconds: See ``quick.CPU_SECONDS``.
    """

    def __init__(self, size: int, *, cpu_seconds: float = CPU_SECONDS) -> None:
        self._size = size
        self._pool = WorkerPool(
            "sketchseek.search.photo_worker",
            [str(size), str(cpu_seconds)],
            seconds=WALL_SECONDS,
            limit=cpu_seconds,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, source: bytes | str) -> PhotoFile:
        """Read a photo.

        Args:
            source: The file's bytes; the path of a file that is too large for that.

        Raises:
            ImageTooLargeError: It takes too much memory or time to decode.
            ImageError: It cannot be read.
            PoolClosedError: The reader was closed meanwhile.
        """
        memory = LARGE_BYTES + 1
        if isinstance(source, bytes):
            found, is_quick = promises_quick(source, self._size)
            if found is not None and is_quick:
                pixels, header = read_photo(source, self._size), found.header
                return PhotoFile(header.width, header.height, pixels, read_photo_metadata(source))
            memory = memory if found is None else found.memory
        request = (BYTES, source) if isinstance(source, bytes) else (PATH, os.fsencode(source))
        with one_large_decode(memory):
            try:
                return unpack(self._pool.ask(*request, subject=shown_name(source)), self._size)
            except WorkerStartError:  # a program that is not Python, with Python in it
                pass
        return read_photo_file(source, self._size)

    def read_frames(self, source: bytes | str) -> list[Frame]:
        """Read frames of a video or an animated picture; see ``images.frames.read_frames``.

        Raises:
            ImageError: It cannot be read.
            PoolClosedError: The reader was closed meanwhile.
        """
        request = BYTES + source if isinstance(source, bytes) else PATH + os.fsencode(source)
        with one_large_decode(LARGE_BYTES + 1):
            try:
                return unpack_frames(self._pool.ask(FRAMES, request, subject=shown_name(source)), self._size)
            except WorkerStartError:  # a program that is not Python, with Python in it
                pass
        return read_frames(source, self._size)

    def close(self) -> None:
        """End the processes, also those that decode."""
        self._pool.close()
