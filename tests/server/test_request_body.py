from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

import hostile_requests as make
from served import SMALL, as_bytes, picture
from sketchseek.server.app import JSON_WITH_IMAGES
from sketchseek.server.request_body import BodyCheck, upload_paths
from sketchseek.server.routers import search
from sketchseek.server.security import Limits

SEARCH = b'{"strokes": [[[1, 2], [1, 2]]]}'


def post(client: TestClient, body: bytes, kind: str | None = "application/json", path: str = "search/sketch") -> Any:
    headers = {} if kind is None else {"Content-Type": kind}
    return client.post(f"/api/v1/{path}", content=body, headers=headers)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("APPLICATION/JSON", 200),
        ("application/merge-patch+json", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonx", 415),
        ("text/plain; application/json", 415),
        ("", 415),
        (None, 415),
    ],
)
def test_json_must_say_that_it_is_json(client: TestClient, kind: str | None, status: int) -> None:
    """A form of another site cannot say so."""
    assert post(client, SEARCH, kind).status_code == status


def test_json_has_a_lower_limit_than_uploads(client: TestClient) -> None:
    padded = SEARCH + b" " * (SMALL.json - len(SEARCH))
    assert post(client, padded).status_code == 200
    answer = post(client, padded + b" ")
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "BodyTooLarge")
    image = as_bytes(picture(1)) + b" " * SMALL.json
    assert client.post("/api/v1/search/image", files={"image": image}).status_code == 200
    body = {"examples": [{"image": base64.b64encode(image).decode()}]}
    assert post(client, json.dumps(body).encode(), path="search/query").status_code == 200


@pytest.mark.parametrize(
    "body",
    [make.json_of_keys(2_000), make.json_of_numbers(90_000), make.json_of_lists(90_000)],
    ids=["keys", "numbers", "lists"],
)
def test_json_that_is_costly_to_parse_is_not_parsed(
    client: TestClient, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the old code, 2.9 million keys held up every other request for 48 s."""
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("parsed"))
    answer = post(client, body)
    monkeypatch.undo()
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "TooManyValues")


def test_every_route_with_images_in_json_is_known(client: TestClient) -> None:
    schema = client.get("/api/v1/openapi.json").json()
    found = set()
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            model = str(body.get("schema", {}).get("$ref", "")).rsplit("/", 1)[-1]
            if "QueryExample" in json.dumps(schema["components"]["schemas"].get(model, {})):
                found.add(path)
    assert found == {f"/api/v1/{path}" for path in JSON_WITH_IMAGES}


def test_every_route_with_a_form_is_known_as_an_upload() -> None:
    patterns = upload_paths(search.router.routes)
    assert [pattern.pattern for pattern in patterns] == ["^/api/v1/search/image$"]


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["search/image", "search/query"])
async def test_only_so_many_uploads_at_a_time(path: str) -> None:
    inner: list[int] = []
    statuses: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inner.append(1)
        if len(inner) < 3:  # while this one is answered, another arrives
            await request()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    check = BodyCheck(app, Limits(uploads=2), upload_paths(search.router.routes), ["search/query"])

    async def request() -> None:
        kind = b"multipart/form-data; boundary=x" if path == "search/image" else b"application/json"
        scope = {"type": "http", "method": "POST", "path": f"/api/v1/{path}", "headers": [(b"content-type", kind)]}

        async def receive() -> Any:
            return {"type": "http.request", "body": b"{}"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await check(scope, receive, send)

    await request()
    assert statuses == [503, 200, 200]
    statuses.clear()
    await request()
    assert statuses == [200]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
