"""Uploaded pictures are decoded in processes with a memory limit and a deadline.

Decoders are native code that cannot be interrupted. A picture that keeps one busy ends with its process; a thread would
be lost with it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from typing import IO

from PIL import Image

from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images import decoding_cost
from sketchseek.images.cost import one_large_decode
from sketchseek.server.decode_worker import ERROR, ERRORS, MODES, REQUEST, RESPONSE
from sketchseek.server.security import Limits
from sketchseek.sketches.bitmap import WORK

_SMALLER = "Save a smaller copy, or open it in another program and store it anew."


class Decoders:
    """A pool of processes that decode pictures. A process is started when none is idle, and kept.

    Args:
        limits: ``decode_seconds``, ``decode_bytes`` and ``pixels`` apply. The caller limits the number of concurrent
            calls, and so of processes.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._closed = False

    def decode(self, data: bytes, size: int) -> Image.Image:
        """Decode a picture to a small one. Call it outside the event loop.

        Args:
            data: The picture's bytes.
            size: Side of the square that a photo is squashed to; 0 for a sketch.

        Raises:
            ImageTooLargeError: It has too many pixels, needs too much memory, or took longer than the deadline.
            ImageError: It cannot be read.
        """
        limits = self.limits
        # The header alone refuses most hostile pictures, without a process.
        cost = decoding_cost(data, at_least=size or 2 * WORK, max_pixels=limits.pixels, max_bytes=limits.decode_bytes)
        with one_large_decode(cost):
            worker = self._take()
            try:
                return worker.decode(data, size, limits.decode_seconds)
            finally:
                self._give_back(worker)

    def warm_up(self) -> None:
        """Start a process now, so that the first upload does not wait for it."""
        self._give_back(self._take())

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()

    def _take(self) -> _Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Worker(self.limits)

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            if not self._closed and worker.alive:
                self._idle.append(worker)
                return
        worker.close()


class _Worker:
    """One process of the pool."""

    def __init__(self, limits: Limits) -> None:
        # -P: a file in the current folder must not take the place of a module.
        command = [sys.executable, "-P", "-m", "sketchseek.server.decode_worker"]
        self._process = subprocess.Popen(
            [*command, str(limits.pixels), str(limits.decode_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @property
    def alive(self) -> bool:
        """Whether the process can take another picture."""
        return self._process.poll() is None

    def decode(self, data: bytes, size: int, seconds: float) -> Image.Image:
        """See ``Decoders.decode``. A process that has not answered in time is killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._process.kill()

        deadline = threading.Timer(seconds, give_up)
        deadline.daemon = True
        deadline.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(REQUEST.pack(size, len(data)))
                self._process.stdin.write(data)
                self._process.stdin.flush()
            mode, width, height, length = RESPONSE.unpack(_read(self._process.stdout, RESPONSE.size))
            content = _read(self._process.stdout, length)
        except EOFError as error:
            self.close()
            if late.is_set():
                raise ImageTooLargeError(
                    f"decoding it takes longer than {seconds:g} seconds.", subject="The upload", remedy=_SMALLER
                ) from error
            raise ImageError("damaged: the decoder ended.", subject="The upload", remedy=_SMALLER) from error
        except BaseException:
            self.close()
            raise
        finally:
            deadline.cancel()
        if mode == ERROR:
            told = json.loads(content)
            raise ERRORS[told["type"]](told["reason"], subject="The upload", remedy=told["remedy"])
        return Image.frombytes(MODES[mode], (width, height), content)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _read(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content
