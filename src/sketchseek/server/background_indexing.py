"""Indexing in the background of the server, told to whoever listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from sketchseek.errors import SketchseekError
from sketchseek.server.errors import ApiError
from sketchseek.server.schemas import Json

if TYPE_CHECKING:
    from sketchseek.search.results import IndexProgress, IndexReport

_log = logging.getLogger(__name__)

Work = Callable[[Callable[["IndexProgress"], object]], "IndexReport"]

_IDLE: Json = {
    "running": False,
    "library": None,
    "what": None,
    "folder": None,
    "progress": None,
    "report": None,
    "stopped": False,
    "error": None,
}


class _StoppedError(KeyboardInterrupt):
    """Ends a run as Ctrl-C does: what is done stays."""


class Indexer:
    """Runs one indexing at a time in a thread, and keeps the latest state of it.

    Who is slow to listen misses steps, never the latest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = dict(_IDLE)
        self._stopping = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def start(self, library: str, what: str, folder: str | None, work: Work) -> Json:
        """Begin a run.

        Args:
            library, what, folder: For those who listen: the library's name, ``add`` or ``sync``, the folder added.
            work: Called in a thread with a function that takes its progress.

        Returns:
            The state now.

        Raises:
            ApiError: 409, where one is running.
        """
        with self._lock:
            if self._state["running"] or self._closed:
                raise ApiError(
                    409, "IndexingRuns", "Indexing is running already.", "Wait until it is done, or stop it."
                )
            self._stopping.clear()
            self._state = {**_IDLE, "running": True, "library": library, "what": what, "folder": folder}
            self._thread = threading.Thread(target=self._run, args=(work,), name="indexing", daemon=True)
            self._thread.start()
        self._tell()
        return self.state()

    def state(self) -> Json:
        """The latest state: ``running``, which ``library``, ``what`` (add or sync), ``folder``, ``progress`` while it
        runs, then ``report``, ``stopped`` or ``error``."""
        with self._lock:
            return dict(self._state)

    def stop(self) -> None:
        """End the run at the next step; what is done stays."""
        self._stopping.set()

    def close(self) -> None:
        """End the run and every stream of events."""
        self._closed = True
        self.stop()
        self._tell()
        if self._thread is not None:
            self._thread.join(10)

    async def states(self) -> AsyncIterator[Json]:
        """The state now and after every change, until the server ends."""
        changed = asyncio.Event()
        self._listeners[changed] = asyncio.get_running_loop()
        try:
            while not self._closed:
                changed.clear()
                yield self.state()
                await changed.wait()
        finally:
            self._listeners.pop(changed, None)

    def _run(self, work: Work) -> None:
        try:
            report = work(self._progress)
            self._change(running=False, report=vars(report))
        except _StoppedError:
            self._change(running=False, stopped=True)
        except SketchseekError as error:
            self._change(
                running=False,
                error={"type": type(error).__name__, "message": error.message, "remedy": error.remedy},
            )
        except Exception:
            _log.exception("Indexing failed")
            self._change(
                running=False,
                error={
                    "type": "InternalError",
                    "message": "Indexing failed.",
                    "remedy": "The server's terminal shows the reason.",
                },
            )

    def _progress(self, progress: IndexProgress) -> None:
        self._change(progress=vars(progress))
        if self._stopping.is_set():
            raise _StoppedError

    def _change(self, **values: object) -> None:
        with self._lock:
            self._state = {**self._state, **values}
        self._tell()

    def _tell(self) -> None:
        for changed, loop in list(self._listeners.items()):
            with contextlib.suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(changed.set)
