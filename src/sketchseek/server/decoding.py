"""Uploaded pictures are decoded in processes with a memory limit and a deadline; see ``images/worker_pool.py``."""

from __future__ import annotations

from PIL import Image

from sketchseek.errors import ImageError
from sketchseek.images import examine
from sketchseek.images.cost import one_large_decode
from sketchseek.images.worker_pool import PoolClosedError, WorkerPool, WorkerStartError
from sketchseek.server.decode_worker import MODES, REQUEST, RESPONSE
from sketchseek.server.security import Limits
from sketchseek.sketches.bitmap import WORK

_SUBJECT = "The upload"


class Decoders:
    """Decodes uploads.

    Args:
        limits: ``decode_seconds``, ``decode_bytes`` and ``pixels`` apply. The caller limits the number of concurrent
            calls, and so of processes.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._pool = WorkerPool(
            "sketchseek.server.decode_worker",
            [str(limits.pixels), str(limits.decode_bytes)],
            seconds=limits.decode_seconds,
        )

    def decode(self, data: bytes, size: int) -> Image.Image:
        """Decode a picture to a small one. Call it outside the event loop.

        Args:
            data: The picture's bytes.
            size: Side of the square that a photo is squashed to; 0 for a sketch.

        Raises:
            ImageTooLargeError: It has too many pixels, needs too much memory, or took longer than the deadline.
            ImageError: It cannot be read, or the server ends.
        """
        limits = self.limits
        # The header alone refuses most hostile pictures, without a process.
        cost = examine(data, at_least=size or 2 * WORK, max_pixels=limits.pixels, max_bytes=limits.decode_bytes)
        with one_large_decode(cost.memory):
            try:
                answer = self._pool.ask(REQUEST.pack(size), data, subject=_SUBJECT)
            except (PoolClosedError, WorkerStartError) as error:
                raise ImageError(
                    "not decoded: the server is ending, or cannot start a process.",
                    subject=_SUBJECT,
                    remedy="Try again later.",
                ) from error
        mode, width, height = RESPONSE.unpack_from(answer)
        return Image.frombytes(MODES[mode], (width, height), answer[RESPONSE.size :])

    def warm_up(self) -> None:
        """Start a process now, so that the first upload does not wait for it."""
        self._pool.warm_up()

    def close(self) -> None:
        """End the processes."""
        self._pool.close()
