"""Processes that decode pictures, so that a hostile one can be killed with its process.

Decoders are native code that cannot be interrupted. A picture that keeps one busy would occupy a thread until it is
done.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import IO

from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images.worker import ERROR, ERRORS, REQUEST, RESPONSE

START_SECONDS = 120.0
"""Seconds in which a process must be ready."""

_REMEDY = "Save a smaller copy, or open it in another program and store it anew."


class PoolClosedError(Exception):
    """The pool was closed while a picture was decoded."""


class WorkerStartError(Exception):
    """No process could be started. It says nothing about the picture."""


class WorkerPool:
    """A pool of processes. One is started when none is idle, and kept. Thread-safe.

    Args:
        module: Name of the module that they run; it calls ``worker.answer_requests``.
        arguments: Its arguments.
        seconds: Seconds that an answer may take.
        limit: The deadline that errors name, if it is another one than ``seconds``.
    """

    def __init__(self, module: str, arguments: Sequence[str], *, seconds: float, limit: float | None = None) -> None:
        self._command = [sys.executable, "-P", "-m", module, *arguments]  # -P: no module of the current folder
        self._seconds = seconds
        self._limit = seconds if limit is None else limit
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False
        weakref.finalize(self, _close_all, self._idle)

    def ask(self, *request: bytes, subject: str) -> bytes:
        """Send a request, in parts, to a process, and return its answer.

        Args:
            request: The parts.
            subject: What errors are about.

        Raises:
            ImageError: The process raised it, or ended; it cannot take another request then.
            ImageTooLargeError: It took too long, and was killed.
            PoolClosedError: The pool was closed.
            WorkerStartError: No process could be started.
        """
        with self._worker() as worker:
            try:
                return worker.ask(request, self._seconds)
            except EOFError as error:
                if self._closed:
                    raise PoolClosedError from error
                if worker.was_late():
                    raise ImageTooLargeError(
                        f"decoding it takes longer than {self._limit:g} seconds.", subject=subject, remedy=_REMEDY
                    ) from error
                raise ImageError("damaged: the decoder ended.", subject=subject, remedy=_REMEDY) from error
            except ImageError as error:
                error.subject = subject
                raise

    def warm_up(self) -> None:
        """Start a process now, so that the first request does not wait for it."""
        with contextlib.suppress(PoolClosedError, WorkerStartError), self._worker():
            pass

    def close(self) -> None:
        """End the processes, also busy ones: their callers get a ``PoolClosedError``."""
        with self._lock:
            self._closed = True
            for worker in self._busy:
                worker.kill()
        _close_all(self._idle)

    @contextlib.contextmanager
    def _worker(self) -> Iterator[_Worker]:
        worker = self._take()
        try:
            yield worker
        except ImageError:
            raise
        except BaseException:
            worker.kill()
            raise
        finally:
            self._give_back(worker)

    def _take(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise PoolClosedError
            worker = self._idle.pop() if self._idle else _Worker(self._command)
            self._busy.add(worker)
        if not worker.is_ready:
            try:
                worker.wait_until_ready()
            except BaseException:
                self._give_back(worker)
                if self._closed:
                    raise PoolClosedError from None
                raise
        return worker

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
            if not self._closed and worker.is_alive:
                self._idle.append(worker)
                return
        worker.close()


def _close_all(workers: list[_Worker]) -> None:
    """Close workers, and forget them."""
    while workers:
        workers.pop().close()


class _Worker:
    """One process of a pool.

    Raises:
        WorkerStartError: The system does not start it.
    """

    def __init__(self, command: Sequence[str]) -> None:
        # A process group of its own: Ctrl-C in the terminal is for the process that owns the pool.
        own_group = {"creationflags": 0x200} if sys.platform == "win32" else {"process_group": 0}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                **own_group,  # type: ignore[call-overload]
            )
        except OSError as error:
            raise WorkerStartError(str(error)) from error
        self.is_ready = False
        self._late = threading.Event()

    @property
    def is_alive(self) -> bool:
        """Whether the process can take another request."""
        return not self._late.is_set() and self._process.poll() is None

    def was_late(self) -> bool:
        """Whether the process, which has ended, was killed because it took too long."""
        self.kill()  # if it has only closed its output
        status = self._process.wait()
        return self._late.is_set() or status == -getattr(signal, "SIGPROF", signal.NSIG)

    def wait_until_ready(self) -> None:
        """Wait for the response that the process begins with.

        Raises:
            WorkerStartError: It ended before that.
        """
        try:
            with self._killed_after(START_SECONDS):
                self._response()
        except EOFError as error:
            self.kill()
            raise WorkerStartError(f"it ended with status {self._process.wait()}") from error
        self.is_ready = True

    def ask(self, request: Sequence[bytes], seconds: float) -> bytes:
        """Send a request, and return its answer.

        Raises:
            ImageError: The process raised it.
            EOFError: It ended, or was killed since it took too long.
        """
        assert self._process.stdin is not None
        with self._killed_after(seconds):
            with contextlib.suppress(OSError):  # it has ended, and there will be no answer
                for part in (REQUEST.pack(sum(map(len, request))), *request):
                    self._process.stdin.write(part)
                self._process.stdin.flush()
            return self._response()

    def kill(self) -> None:
        """End the process. Whoever waits for its answer gets an EOFError."""
        self._process.kill()

    def close(self) -> None:
        """End the process and release what it holds."""
        self.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    @contextlib.contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        def give_up() -> None:
            self._late.set()
            self.kill()

        deadline = threading.Timer(seconds, give_up)
        deadline.daemon = True
        deadline.start()
        try:
            yield
        finally:
            deadline.cancel()

    def _response(self) -> bytes:
        assert self._process.stdout is not None
        status, length = RESPONSE.unpack(_read(self._process.stdout, RESPONSE.size))
        content = _read(self._process.stdout, length)
        if status == ERROR:
            told = json.loads(content)
            raise ERRORS[told["type"]](told["reason"], remedy=told["remedy"])
        return content


def _read(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content
