from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from served import picture
from sketchseek.models.package import ModelPackage, write_manifest
from sketchseek.search.library import Library
from sketchseek.server.app import create_app
from sketchseek.server.thumbnails import ThumbnailCache
from sketchseek.sketches import FILL, LINE, RASTER_VERSION
from tiny_model import write_tiny_package

LINES = [[[0, 9], [0, 9]]]


def test_the_model_says_how_to_draw(client: TestClient) -> None:
    model = client.get("/api/v1/model").json()
    assert model["rasterization"] == {"version": RASTER_VERSION, "fill": FILL, "line_width": LINE}
    assert model["match_threshold"] is None


def test_the_sketch_encoder_is_sent_as_it_is(client: TestClient, tiny_model: ModelPackage) -> None:
    answer = client.get("/api/v1/model/sketch.onnx")
    assert hashlib.sha256(answer.content).hexdigest() == tiny_model.manifest.sketch.sha256
    assert answer.headers["ETag"] == f'"{tiny_model.manifest.sketch.sha256}"'
    assert "no-cache" in answer.headers["Cache-Control"]
    again = client.get("/api/v1/model/sketch.onnx", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_address_with_the_checksum_may_be_kept(client: TestClient, tiny_model: ModelPackage) -> None:
    address = "/api/v1/model/sketch.onnx"
    answer = client.get(address, params={"sha256": tiny_model.manifest.sketch.sha256})
    assert "immutable" in answer.headers["Cache-Control"]
    wrong = client.get(address, params={"sha256": "0" * 64})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (404, "ModelChanged")
    assert wrong.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("scores", "threshold", "close"),
    [
        ({}, None, None),
        ({"match_threshold": 2.0}, 2.0, False),
        ({"match_threshold": -2}, -2.0, True),
        ({"match_threshold": {"threshold": 2.0, "protocol": "x"}}, 2.0, False),
        ({"match_threshold": "high"}, None, None),
        ({"match_threshold": True}, None, None),
    ],
)
def test_whether_there_is_a_close_match(
    tmp_path: Path, scores: dict[str, object], threshold: float | None, close: bool | None
) -> None:
    made = write_tiny_package(tmp_path / "model")
    write_manifest(made.path, dataclasses.replace(made.manifest, scores=scores))
    picture(1).save(tmp_path / "1.png")
    with Library.open(tmp_path / "library", made.path, create=True) as library:
        library.add([tmp_path / "1.png"])
        app = create_app(library, thumbnails=ThumbnailCache(tmp_path / "thumbnails"))
        with TestClient(app, base_url="http://localhost") as client:
            assert client.get("/api/v1/model").json()["match_threshold"] == threshold
            answer = client.post("/api/v1/search/sketch", json={"strokes": LINES}).json()
            assert (answer["match_threshold"], answer["has_close_match"]) == (threshold, close)
            refined = client.post("/api/v1/search/refine", json={"strokes": LINES, "positive": [1]}).json()
            assert (refined["match_threshold"], refined["has_close_match"]) == (
                None,
                None,
            )  # another query, another scale
            assert client.get("/api/v1/search/photo/1").json()["match_threshold"] is None
