"""The OpenAPI schema is complete enough to generate clients and documentation from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.testclient import TestClient

from sketchseek.search.library import Library
from sketchseek.server.app import operation_id
from sketchseek.server.routers import health, indexing, model, photos, search, session
from sketchseek.server.routers import library as library_router

ROUTERS = (
    search.router,
    photos.router,
    library_router.router,
    indexing.router,
    model.router,
    session.router,
    health.router,
)
ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
NOT_JSON = {"getMetrics", "getThumbnail", "getPhotoArchive", "getPhotoFile", "streamProgress", "getSketchEncoder"}


@pytest.fixture
def schema(client: TestClient) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return answer


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each operation with its method and path."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def resolve(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, also one that may be null."""
    options = [one for one in value.get("anyOf", [value]) if one.get("type") != "null"]
    only: dict[str, Any] = options[0]
    assert len(options) == 1
    if "$ref" not in only:
        return only
    found: dict[str, Any] = schema["components"]["schemas"][only["$ref"].rsplit("/", 1)[1]]
    return found


def missing(schema: dict[str, Any]) -> list[str]:
    """List what routes lack: an operation id, a tag, a description, a response schema, or examples."""
    found = []
    for name, operation in operations(schema):
        identity = operation.get("operationId", "")
        if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", identity):
            found.append(f"{name}: operation id {identity!r}")
        if not operation.get("tags") or not operation.get("description"):
            found.append(f"{name}: tag and description")
        (success,) = (answer for code, answer in operation["responses"].items() if code.startswith("2"))
        content = success.get("content", {})
        if not content:
            found.append(f"{name}: response content")
        for kind, body in [*content.items(), *operation.get("requestBody", {}).get("content", {}).items()]:
            if kind == "application/json":
                resolved = resolve(schema, body.get("schema") or {})
                if not resolved.get("properties") and resolved.get("title") != "EmptyRequest":
                    found.append(f"{name}: schema of {kind}")
                if not resolved.get("examples"):
                    found.append(f"{name}: example of {kind}")
            elif kind == "multipart/form-data":
                properties = resolve(schema, body["schema"])["properties"]
                if not any("examples" in one for one in properties.values()):
                    found.append(f"{name}: example of {kind}")
    return found


def test_every_route_is_described(schema: dict[str, Any]) -> None:
    assert missing(schema) == []
    assert len(list(operations(schema))) == len(ROUTES) == 32


def test_the_check_notices_what_is_missing(schema: dict[str, Any]) -> None:
    operation = schema["paths"]["/api/v1/status"]["get"]
    operation["operationId"] = "get_status_api_v1_status_get"
    operation["responses"]["200"]["content"]["application/json"]["schema"] = {"type": "object"}
    del schema["components"]["schemas"]["SketchSearchRequest"]["examples"]
    assert missing(schema) == [
        "POST /api/v1/search/sketch: example of application/json",
        "GET /api/v1/status: operation id 'get_status_api_v1_status_get'",
        "GET /api/v1/status: schema of application/json",
        "GET /api/v1/status: example of application/json",
    ]


def test_all_routes_but_five_answer_json(schema: dict[str, Any]) -> None:
    kinds = {
        operation["operationId"]: set(operation["responses"].get("200", operation["responses"].get("202"))["content"])
        for _, operation in operations(schema)
    }
    assert {name for name, kind in kinds.items() if kind != {"application/json"}} == NOT_JSON


def test_operation_ids_are_unique_and_stable(schema: dict[str, Any]) -> None:
    found = [operation["operationId"] for _, operation in operations(schema)]
    assert sorted(found) == [
        "addFolder",
        "encodeSketch",
        "encodeSketches",
        "explainPhoto",
        "getIndexing",
        "getLiveness",
        "getMetrics",
        "getModel",
        "getPhoto",
        "getPhotoArchive",
        "getPhotoFile",
        "getReadiness",
        "getSession",
        "getSketchEncoder",
        "getStatus",
        "getThumbnail",
        "listFailures",
        "listFolders",
        "listLibraries",
        "listPhotoFolders",
        "listPhotos",
        "listSimilarPhotos",
        "openPhotoFolder",
        "refineSearch",
        "searchEmbedding",
        "searchImage",
        "searchPhoto",
        "searchQuery",
        "searchSketch",
        "stopIndexing",
        "streamProgress",
        "syncLibrary",
    ]


def models_of(route: APIRoute) -> list[type[BaseModel]]:
    bodies = [field.field_info.annotation for field in route.dependant.body_params]
    found = [*bodies, route.response_model]
    return [one for one in found if isinstance(one, type) and issubclass(one, BaseModel)]


@pytest.mark.parametrize("route", ROUTES, ids=operation_id)
def test_examples_are_valid(route: APIRoute) -> None:
    for one in models_of(route):
        for example in one.model_json_schema(mode="serialization").get("examples", []):
            assert one.model_validate(example).model_dump(mode="json", exclude_unset=True).keys() == example.keys()


def test_errors_have_a_schema(schema: dict[str, Any]) -> None:
    for name, operation in operations(schema):
        for code, answer in operation["responses"].items():
            if code >= "4":
                assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorResponse"), name


def test_answers_match_the_schema(client: TestClient, library: Library) -> None:
    for path in ("status", "libraries", "failures", "indexing", "folders", "model", "photos/1", "search/photo/1"):
        answer = client.get(f"/api/v1/{path}")
        (route,) = (one for one in ROUTES if one.path_regex.match(f"/{path}") and "GET" in (one.methods or ()))
        assert set(answer.json()) == set(route.response_model.model_fields), path
