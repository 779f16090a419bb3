"""Health, metrics, logs, request ids, and errors that nobody expected."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from sketchseek.errors import LibraryError
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.results import IndexProgress
from sketchseek.server.background_indexing import Indexer
from sketchseek.server.dependencies import ServerState
from sketchseek.server.logs import LOGGERS, JsonFormatter, RateLimit, TextFormatter, configure
from sketchseek.server.metrics import IndexingMeter, Metrics

SEARCH = {"strokes": [[[1, 5], [1, 9]]]}


def samples(text: str) -> dict[str, float]:
    """Metrics as ``name{label=value}``."""
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(one.labels.items()))
            found[f"{one.name}{{{labels}}}" if labels else one.name] = one.value
    return found


def state_of(client: TestClient) -> ServerState:
    app: Any = client.app
    state: ServerState = app.state.server
    return state


def test_health(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/api/v1/health/live").json() == {"status": "live"}
    assert client.get("/api/v1/health/ready").json() == {"status": "ready"}

    def broken(_: Library) -> int:
        raise LibraryError("damaged: /home/ada/secret.")

    with monkeypatch.context() as patch:
        patch.setattr(LocalLibrary, "__len__", broken)
        answer = client.get("/api/v1/health/ready")
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "NotReady")
        assert "secret" not in answer.text  # it is open to everybody
        assert client.get("/api/v1/health/live").status_code == 200
    state_of(client).indexer.close()
    assert client.get("/api/v1/health/ready").json()["error"]["type"] == "ShuttingDown"


def test_metrics(client: TestClient, library: Library) -> None:
    assert client.post("/api/v1/search/sketch", json=SEARCH).status_code == 200
    client.get("/api/v1/photos/1")
    client.get("/api/v1/photos/999999")
    client.get("/api/v1/photos/..%2f..%2fsecret")
    answer = client.get("/api/v1/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = samples(answer.text)
    assert found["sketchseek_requests_total{method=POST,route=/api/v1/search/sketch,status=200}"] == 1
    assert found["sketchseek_requests_total{method=GET,route=/api/v1/photos/{photo_id},status=404}"] == 1
    assert found["sketchseek_request_seconds_count{route=/api/v1/search/sketch}"] == 1
    for stage in ("rasterize", "encode", "index", "catalog"):
        assert found[f"sketchseek_search_stage_seconds_count{{stage={stage}}}"] >= 1, stage
    assert found["sketchseek_library_photos{library=1}"] == len(library)
    assert found["sketchseek_index_revision{library=1}"] == library.status().revision > 0
    assert found["sketchseek_waiting{slots=search}"] == 0
    assert found["process_resident_memory_bytes"] > 1e6
    assert "secret" not in answer.text
    assert str(library.path) not in answer.text


def test_indexing_is_measured() -> None:
    metrics = Metrics()
    meter = IndexingMeter(metrics)
    assert samples(metrics.render().decode())["sketchseek_indexing_running"] == 1
    for done in (0, 10, 30):
        meter.update(IndexProgress("embed", done, 30, indexed=done, failed=done // 10))
    meter.close()
    found = samples(metrics.render().decode())
    assert found["sketchseek_indexed_photos_total{outcome=indexed}"] == 30
    assert found["sketchseek_indexed_photos_total{outcome=failed}"] == 3
    assert found["sketchseek_indexing_photos_per_second"] > 0
    assert found["sketchseek_indexing_running"] == 0


def test_a_failed_run_is_counted() -> None:
    metrics = Metrics()
    indexer = Indexer(metrics)

    def work(_: object) -> Any:
        raise LibraryError("damaged.")

    indexer.start("a", "sync", None, work)
    indexer.close()
    assert samples(metrics.render().decode())["sketchseek_errors_total{type=LibraryError}"] == 1


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the server writes with --log-json."""
    written = io.StringIO()
    before = {name: (logging.getLogger(name).handlers, logging.getLogger(name).level) for name in LOGGERS}
    configure(as_json=True)
    for name in LOGGERS:
        handler = logging.getLogger(name).handlers[0]
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(written)
    yield written
    for name, (handlers, level) in before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, True
        logger.setLevel(level)


def test_requests_are_logged_without_private_names(client: TestClient, log: io.StringIO, photos: Path) -> None:
    sent = client.post("/api/v1/search/sketch", json={**SEARCH, "folder": str(photos)}, headers={"X-Request-ID": "a-1"})
    assert sent.headers["X-Request-ID"] == "a-1"
    client.get("/api/v1/folders", params={"below": str(photos)})
    client.get("/api/v1/status", params={"library": "private name"})
    client.post("/api/v1/folders", json={"folder": str(photos)})
    client.get("/private-name", headers={"X-Request-ID": "x\ny" * 40})
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (lines[0]["request_id"], lines[0]["route"], lines[0]["status"]) == ("a-1", "/api/v1/search/sketch", 200)
    assert lines[0]["seconds"] > 0
    assert {"time", "level", "logger", "message"} <= lines[0].keys()
    assert [line["message"] for line in lines] == ["request", "request", "request", "audit", "request", "request"]
    ids = [line["request_id"] for line in lines]
    assert len(set(ids)) == 5
    assert ids[3] == ids[4]  # the change, and its request
    assert "private" not in log.getvalue()
    assert str(photos) not in log.getvalue()


def test_no_route_leaks_a_traceback(client: TestClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError("private detail")

    monkeypatch.setattr(LocalLibrary, "status", broken)
    answer = client.get("/api/v1/status", headers={"X-Request-ID": "b-2"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "InternalError")
    assert "b-2" in answer.json()["error"]["remedy"]
    assert "private detail" not in answer.text
    assert "Traceback" not in answer.text
    failed, request = (json.loads(line) for line in log.getvalue().splitlines())
    assert "private detail" in failed["exception"]
    assert (failed["request_id"], request["status"]) == ("b-2", 500)
    monkeypatch.undo()
    metrics = samples(client.get("/api/v1/metrics").text)
    assert metrics["sketchseek_errors_total{type=InternalError}"] == 1


HOSTILE = [
    "x" * 300,
    "/" + "x" * 300,
    "/" + "x/" * 2000,
    "\0",
    "\ud800",
    "..",
    "\x1b[2J",
    "-1",
    "1e999",
    "9" * 5000,
    "%",
]


@pytest.mark.slow
@pytest.mark.parametrize("value", HOSTILE, ids=[ascii(value[:9]) for value in HOSTILE])
def test_no_value_of_a_request_makes_a_route_fail(client: TestClient, value: str, photos: Path) -> None:
    """On the old code, a folder's name of 300 characters was answered 500, and the log had a traceback."""
    schema = client.get("/api/v1/openapi.json").json()
    quoted = value.encode("utf-8", "replace").replace(b"%", b"%25").decode("utf-8", "replace")
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"] == "streamProgress":
                continue
            names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            target = path.replace("{photo_id}", "1")
            for name in names:
                answer = client.request(method, target, params={name: quoted}, json={} if method == "post" else None)
                assert answer.status_code != 500, (target, name)
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            model = schema["components"]["schemas"].get(str(body.get("$ref", "")).rsplit("/", 1)[-1], {})
            for name in model.get("properties", {}):
                answer = client.request(method, target, content=json.dumps({name: value}), headers=JSON)
                assert answer.status_code != 500, (target, name)
    below = client.post("/api/v1/folders", content=json.dumps({"folder": f"{photos}/{value}"}), headers=JSON)
    assert below.status_code in (403, 422)


JSON = {"Content-Type": "application/json"}


def test_the_log_is_limited() -> None:
    """A flood of one message must not fill the disk."""
    limit = RateLimit(burst=3, seconds=0.05)
    logger = logging.Logger("test")

    def record(text: str, level: int = logging.WARNING) -> logging.LogRecord:
        return logger.makeRecord("test", level, "", 0, text, ("x",), None)

    passed = [limit.filter(record("about %s")) for _ in range(100)]
    assert passed == [True] * 3 + [False] * 97
    assert limit.filter(record("another %s"))
    assert all(limit.filter(record("request %s", logging.INFO)) for _ in range(100))
    import time

    time.sleep(0.1)
    later = record("about %s")
    assert limit.filter(later)
    assert later.getMessage() == "about x (97 such messages were left out.)"


def test_text_for_people_and_json_for_programs() -> None:
    record = logging.Logger("a").makeRecord(
        "a", logging.ERROR, "", 0, "Cannot %s", ("x",), None, extra={"fields": {"n": 1}}
    )
    assert TextFormatter().format(record) == "Error: Cannot x n=1"
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["message"], line["n"]) == ("error", "Cannot x", 1)
