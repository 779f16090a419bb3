"""Combined queries, and explained and grouped results."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from served import LINES, as_bytes, picture
from sketchseek.models.package import ModelPackage
from sketchseek.search.colors import PaletteColor
from sketchseek.search.combined_query import Example
from sketchseek.search.combined_query import Query as CombinedQuery
from sketchseek.search.library import Library
from sketchseek.server.app import create_app
from sketchseek.server.thumbnails import ThumbnailCache


def test_a_combined_query_finds_what_the_library_finds(client: TestClient, library: Library) -> None:
    drawn = base64.b64encode(as_bytes(picture(3))).decode()
    examples = [
        {"strokes": LINES, "weight": 2},
        {"image": drawn},
        {"image": drawn, "image_kind": "photo", "negative": True},
        {"photo_id": 3},
        {"embedding": library.encoder.encode_sketch(LINES).tolist(), "weight": 0.5},
    ]
    answer = client.post("/api/v1/search/query", json={"examples": examples, "text": "disc 004", "k": 7})
    assert answer.status_code == 200, answer.text
    expected = library.search_query(
        CombinedQuery(
            (
                Example(sketch=LINES, weight=2),
                Example(sketch=as_bytes(picture(3))),
                Example(photo=as_bytes(picture(3)), negative=True),
                Example(photo=3),
                Example(embedding=library.encoder.encode_sketch(LINES), weight=0.5),
            ),
            text="disc 004",
        ),
        k=7,
    )
    body = answer.json()
    assert [one["id"] for one in body["results"]] == [one.id for one in expected]
    assert body["results"][0]["name"] == "disc 004.png"
    assert set(body["results"][0]["parts"]) == {"examples", "text"}
    assert (body["total"], body["more"]) == (len(library), True)


def test_colors_beside_a_sketch(client: TestClient, library: Library) -> None:
    query = {"examples": [{"strokes": LINES}], "colors": [{"color": "#ff0000", "weight": 2}], "color_weight": 1}
    body = client.post("/api/v1/search/query", json=query).json()
    expected = library.search_query(
        CombinedQuery((Example(sketch=LINES),), colors=(PaletteColor("#ff0000", 2),), color_weight=1), k=48
    )
    assert [one["id"] for one in body["results"]] == [one.id for one in expected]
    assert set(body["results"][0]["parts"]) == {"examples", "colors"}
    wrong = client.post("/api/v1/search/query", json={"colors": [{"color": "reddish-ish"}]})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (422, "InputError")


def test_required_words_are_counted(client: TestClient) -> None:
    query = {"examples": [{"strokes": LINES}], "text": "turned", "text_mode": "require"}
    body = client.post("/api/v1/search/query", json=query).json()
    assert ([one["name"] for one in body["results"]], body["total"]) == (["turned.jpg"], 1)
    body = client.post("/api/v1/search/query", json={"text": "turned"}).json()
    assert (len(body["results"]), body["total"], body["more"]) == (1, 1, False)


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ({}, 422, "InputError"),
        ({"examples": [{"weight": 2}]}, 422, "InputError"),
        ({"examples": [{"strokes": LINES, "photo_id": 1}]}, 422, "InputError"),
        ({"examples": [{"strokes": LINES, "image": "AAAA"}]}, 422, "InputError"),
        ({"examples": [{"image": "AAAA"}]}, 422, "ImageError"),
        ({"examples": [{"strokes": LINES, "negative": True}]}, 422, "InputError"),
        ({"examples": [{"photo_id": 999_999}]}, 404, "PhotoNotFound"),
        ({"examples": [{"strokes": LINES, "weight": 0}]}, 422, "RequestInvalid"),
        ({"examples": [{"image": "not base64!"}]}, 422, "RequestInvalid"),
        ({"examples": [{"strokes": []}]}, 422, "EmptySketchError"),
        ({"text": "a", "text_mode": "other"}, 422, "RequestInvalid"),
        ({"examples": [{"strokes": [[[1] * 600, [1] * 600]]}] * 3}, 422, "SketchError"),
    ],
)
def test_invalid_combined_queries(client: TestClient, query: dict[str, Any], status: int, kind: str) -> None:
    answer = client.post("/api/v1/search/query", json=query)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)


def test_a_match_is_explained(client: TestClient, library: Library) -> None:
    query = {"examples": [{"strokes": LINES}, {"photo_id": 3, "weight": 0.5}]}
    answer = client.post("/api/v1/search/explain/5", json=query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    expected = library.explain(5, CombinedQuery((Example(sketch=LINES), Example(photo=3, weight=0.5))))
    np.testing.assert_allclose(body["photo_split"]["shares"], expected.photo_split.shares, atol=1e-6)
    assert body["score"] == pytest.approx(expected.score, abs=1e-6)
    assert sum(map(sum, body["photo_split"]["shares"])) + body["photo_split"]["rest"] == pytest.approx(
        body["score"], abs=1e-4
    )
    assert body["sketches"][1] is None
    assert len(body["sketches"][0]["strokes"]) == len(LINES)
    assert client.post("/api/v1/search/explain/999999", json=query).status_code == 404
    assert client.post("/api/v1/search/explain/5", json={"examples": []}).status_code == 422


def test_copies_are_grouped(tiny_model: ModelPackage, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name, seed in {"0": 0, "copy": 0, "1": 1, "2": 2, "3": 3}.items():
        cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(cells).resize((40, 32), Image.Resampling.NEAREST).save(tmp_path / "photos" / f"{name}.png")
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as library:
        library.add([tmp_path / "photos"])
        app = create_app(library, thumbnails=ThumbnailCache(tmp_path / "thumbnails"))
        with TestClient(app, base_url="http://localhost") as client:
            body = {"strokes": LINES, "k": 10, "group_copies": True}
            found = client.post("/api/v1/search/sketch", json=body).json()["results"]
            similar = client.get("/api/v1/search/photo/2", params={"group_copies": True}).json()["results"]
    assert len(found) == 4
    (group,) = [one for one in found if one["copies"]]
    assert {group["name"], group["copies"][0]["name"]} == {"0.png", "copy.png"}
    assert len(similar) == 3


def test_two_objects_of_a_sketch(client: TestClient, library: Library) -> None:
    two = [[[0, 60, 60, 0, 0], [0, 0, 60, 60, 0]], [[150, 200, 170, 150], [10, 20, 60, 10]]]
    query = {"examples": [{"strokes": two}], "parts": True, "k": 5}
    body = client.post("/api/v1/search/query", json=query).json()
    expected = library.search_query(CombinedQuery((Example(sketch=two),), parts=True), k=5)
    assert [one["id"] for one in body["results"]] == [one.id for one in expected]
    assert set(body["results"][0]["parts"]) == {"examples", "parts"}
    assert body["total"] == len(library)
    query["examples"] = [{"strokes": two[:1]}]
    body = client.post("/api/v1/search/query", json=query).json()
    assert body["results"][0]["parts"] == {}
