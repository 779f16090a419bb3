from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sketchseek.search.library import Library
from sketchseek.server.access import TOKEN_HEADER, required_scope
from sketchseek.server.app import create_app
from sketchseek.server.thumbnails import ThumbnailCache


@pytest.fixture
def schema(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


def test_the_scope_of_every_route(schema: dict[str, Any]) -> None:
    scopes: dict[str, set[str]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            needed = required_scope(method.upper(), path.removeprefix("/api/v1/"))
            scopes.setdefault(needed or "none", set()).add(operation["operationId"])
    assert scopes["manage"] == {"addFolder", "listFolders", "openPhotoFolder", "stopIndexing", "syncLibrary"}
    assert {"searchSketch", "searchImage", "listSimilarPhotos", "encodeSketch"} <= scopes["search"]
    assert {"getPhotoFile", "getThumbnail", "getStatus", "listFailures", "getModel"} <= scopes["read"]
    assert "getSession" in scopes["none"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "QUERY"])
def test_an_unknown_route_needs_the_highest_scope(method: str) -> None:
    assert required_scope(method, "something/new") == "manage"


def test_routes_that_change_something_say_that_they_need_the_token(schema: dict[str, Any]) -> None:
    """And no others: a search needs none."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            changes = method != "get" and required_scope(method.upper(), path.removeprefix("/api/v1/")) == "manage"
            names = {one["name"] for one in operation.get("parameters", []) if one["in"] == "header"}
            assert (TOKEN_HEADER in names) == changes, operation["operationId"]


@pytest.mark.parametrize("path", ["folders", "sync", "indexing/stop", "photos/1/open"])
def test_changes_need_the_token_of_this_start(client: TestClient, path: str, library: Library) -> None:
    token = client.headers.pop(TOKEN_HEADER)
    for wrong in ({}, {TOKEN_HEADER: ""}, {TOKEN_HEADER: token[:-1]}, {TOKEN_HEADER: "ä" + token}):
        encoded = {name.encode(): value.encode() for name, value in wrong.items()}
        answer = client.post(f"/api/v1/{path}", json={}, headers=encoded)
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "TokenWrong")
    answer = client.post(f"/api/v1/{path}", json={}, headers={TOKEN_HEADER: token})
    assert answer.json()["error"]["type"] != "TokenWrong"
    other = create_app(library, thumbnails=ThumbnailCache(Path(library.path)))
    assert other.state.server.token != token


def test_the_session_has_the_token_and_is_not_kept(client: TestClient) -> None:
    answer = client.get("/api/v1/session")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "user": None,
        "scopes": ["manage", "read", "search"],
        "login": False,
        "token": client.headers[TOKEN_HEADER],
    }
