"""Metrics in Prometheus's format. None has a path, a file name or a user in it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from sketchseek.errors import SketchseekError

if TYPE_CHECKING:
    from sketchseek.search.results import IndexProgress
    from sketchseek.server.connections import Connections
    from sketchseek.server.dependencies import ServerState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_log = logging.getLogger(__name__)


class Metrics:
    """Metrics of one server.

    Attributes:
        requests: Requests by method, route and status code.
        request_seconds: Time to answer, by route.
        stage_seconds: Time of each stage of a search: decode, rasterize, encode, index, catalog.
        errors: Errors by type.
        indexed: Photos indexed since the start, by outcome: indexed, failed, moved.
        indexing: 1 while an indexing run is active.
        indexing_rate: Photos per second of the current or latest run.
        logins: Logins by outcome.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        one = self._registry
        self.requests = Counter("sketchseek_requests", "Requests.", ["method", "route", "status"], registry=one)
        self.request_seconds = Histogram(
            "sketchseek_request_seconds", "Time to answer a request.", ["route"], buckets=_SECONDS, registry=one
        )
        self.stage_seconds = Histogram(
            "sketchseek_search_stage_seconds", "Time of a stage of a search.", ["stage"], buckets=_SECONDS, registry=one
        )
        self.errors = Counter("sketchseek_errors", "Errors in answers and in indexing.", ["type"], registry=one)
        self.indexed = Counter("sketchseek_indexed_photos", "Photos that were indexed.", ["outcome"], registry=one)
        self.indexing = Gauge("sketchseek_indexing_running", "Whether an indexing run is active.", registry=one)
        self.indexing_rate = Gauge(
            "sketchseek_indexing_photos_per_second", "Photos per second of the latest run.", registry=one
        )
        self.logins = Counter("sketchseek_logins", "Logins.", ["outcome"], registry=one)
        ProcessCollector(registry=one)

    def watch(self, state: ServerState) -> None:
        """Add the metrics that are read from the server's state whenever they are asked for."""
        self._registry.register(_StateCollector(state))

    def watch_connections(self, connections: Connections) -> None:
        """Add the metrics of the server's connections."""
        self._registry.register(_ConnectionsCollector(connections))

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Record the time of one stage of a search."""
        self.stage_seconds.labels(stage).observe(seconds)

    def render(self) -> bytes:
        """Return all metrics as text. Reads catalogs: call it outside the event loop."""
        text: bytes = generate_latest(self._registry)
        return text


class IndexingMeter:
    """Counts the photos of one indexing run from its progress.

    Args:
        metrics: The server's metrics.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._seen = {"indexed": 0, "failed": 0, "moved": 0}
        self._start: float | None = None
        self._done = 0
        metrics.indexing.set(1)

    def update(self, progress: IndexProgress) -> None:
        """Take in a progress report."""
        for outcome, before in self._seen.items():
            now = getattr(progress, outcome)
            if now > before:
                self._metrics.indexed.labels(outcome).inc(now - before)
                self._seen[outcome] = now
        if progress.stage == "embed":
            if self._start is None:
                self._start, self._done = time.monotonic(), progress.done
            elif (seconds := time.monotonic() - self._start) > 0:
                self._metrics.indexing_rate.set((progress.done - self._done) / seconds)

    def close(self) -> None:
        """End the run."""
        self._metrics.indexing.set(0)


class _StateCollector:
    """Reads queues and libraries."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        state = self._state
        waiting = GaugeMetricFamily("sketchseek_waiting", "Requests that wait for a slot.", labels=["slots"])
        running = GaugeMetricFamily("sketchseek_running", "Requests that have a slot.", labels=["slots"])
        for name, slots in (("search", state.search_slots), ("decode", state.decode_slots)):
            statistics = slots.statistics()
            waiting.add_metric([name], statistics.tasks_waiting)
            running.add_metric([name], statistics.borrowed_tokens)
        streams = GaugeMetricFamily("sketchseek_progress_streams", "Open streams of progress.")
        streams.add_metric([], state.indexer.listeners)
        yield from (waiting, running, streams)
        yield from self._libraries()

    def _libraries(self) -> Iterable[Metric]:
        photos = GaugeMetricFamily("sketchseek_library_photos", "Photos in a library.", labels=["library"])
        failures = GaugeMetricFamily(
            "sketchseek_library_failures", "Files that could not be indexed.", labels=["library"]
        )
        revision = GaugeMetricFamily(
            "sketchseek_index_revision", "Catalog revision, counted in changes.", labels=["library"]
        )
        pending = GaugeMetricFamily(
            "sketchseek_index_pending", "Changes that the index on disk does not contain yet.", labels=["library"]
        )
        for number, library in enumerate(self._state.libraries.values(), start=1):
            try:
                counts = library.status()
            except SketchseekError:
                _log.warning("The state of library %d cannot be read for the metrics.", number)
                continue
            label = [str(number)]  # a name can be private
            photos.add_metric(label, counts.photos)
            failures.add_metric(label, counts.failures)
            revision.add_metric(label, counts.revision)
            pending.add_metric(label, counts.pending)
        return photos, failures, revision, pending


class _ConnectionsCollector:
    """Reads the counts of connections."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        current = GaugeMetricFamily("sketchseek_connections", "Open connections.")
        current.add_metric([], len(self._connections))
        closed = CounterMetricFamily(
            "sketchseek_closed_connections", "Connections that the server closed.", labels=["reason"]
        )
        for reason in ("evicted", "refused", "expired"):
            closed.add_metric([reason], getattr(self._connections, reason))
        yield from (current, closed)
