"""Indexing in a background thread, with a state that any number of listeners can follow."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Literal

from sketchseek.errors import SketchseekError
from sketchseek.server.errors import ApiError
from sketchseek.server.metrics import IndexingMeter, Metrics
from sketchseek.server.schemas.errors import ErrorDetail
from sketchseek.server.schemas.indexing import IndexingProgress, IndexingReport, IndexingState

if TYPE_CHECKING:
    from sketchseek.search.results import IndexProgress, IndexReport

_log = logging.getLogger(__name__)

Work = Callable[[Callable[["IndexProgress"], object]], "IndexReport"]


class _StoppedError(KeyboardInterrupt):
    """Ends a run the way Ctrl+C does: finished work is kept."""


class Indexer:
    """Runs one indexing task at a time in a thread and keeps its latest state.

    A slow listener may miss intermediate states but always receives the latest.

    Args:
        metrics: Counts photos and errors.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._state = IndexingState()
        self._stopping = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    @property
    def closed(self) -> bool:
        """Whether the server is shutting down."""
        return self._closed

    @property
    def listeners(self) -> int:
        """Number of streams of states."""
        return len(self._listeners)

    def start(self, library: str, what: Literal["add", "sync"], folder: str | None, work: Work) -> IndexingState:
        """Start a run and return the new state.

        Args:
            library: Name of the library.
            what: What the run does.
            folder: The folder that is added, if any.
            work: Called in a thread with a callback for progress.

        Raises:
            ApiError: 409, a run is active.
        """
        with self._lock:
            if self._state.running or self._closed:
                raise ApiError(
                    409, "IndexingRuns", "Indexing is running already.", "Wait until it is done, or stop it."
                )
            self._stopping.clear()
            self._state = IndexingState(running=True, library=library, what=what, folder=folder)
            self._thread = threading.Thread(target=self._run, args=(work,), name="indexing", daemon=True)
            self._thread.start()
        self._notify()
        return self.state()

    def state(self) -> IndexingState:
        """Return the latest state."""
        with self._lock:
            return self._state

    def stop(self) -> None:
        """Stop the run at its next progress report. Finished work is kept."""
        self._stopping.set()

    def close(self) -> None:
        """Stop the run and end every stream of states."""
        self._closed = True
        self.stop()
        self._notify()
        if self._thread is not None:
            self._thread.join(10)

    async def states(self) -> AsyncIterator[IndexingState]:
        """Yield the current state, then the state after every change, until the indexer is closed."""
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
        meter = IndexingMeter(self._metrics)

        def on_progress(progress: IndexProgress) -> None:
            meter.update(progress)
            self._on_progress(progress)

        try:
            report = work(on_progress)
            self._change(running=False, report=IndexingReport.model_validate(report))
        except _StoppedError:
            self._change(running=False, stopped=True)
        except SketchseekError as error:
            self._fail(type(error).__name__, error.message, error.remedy)
        except Exception:
            _log.exception("Indexing failed")
            self._fail("InternalError", "Indexing failed.", "See the server's log for the reason.")
        finally:
            meter.close()

    def _fail(self, kind: str, message: str, remedy: str) -> None:
        self._metrics.errors.labels(kind).inc()
        self._change(running=False, error=ErrorDetail(type=kind, message=message, remedy=remedy))

    def _on_progress(self, progress: IndexProgress) -> None:
        self._change(progress=IndexingProgress.model_validate(progress))
        if self._stopping.is_set():
            raise _StoppedError

    def _change(self, **values: Any) -> None:
        with self._lock:
            self._state = self._state.model_copy(update=values)
        self._notify()

    def _notify(self) -> None:
        for changed, loop in list(self._listeners.items()):
            with contextlib.suppress(RuntimeError):  # the listener's loop has ended
                loop.call_soon_threadsafe(changed.set)
