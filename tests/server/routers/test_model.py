from __future__ import annotations

import hashlib

import pytest
from starlette.testclient import TestClient

from sketchseek.models.package import ModelPackage
from sketchseek.sketches import FILL, LINE, RASTER_VERSION

LINES = [[[0, 9], [0, 9]]]


def test_the_model_says_how_to_draw(client: TestClient) -> None:
    model = client.get("/api/v1/model").json()
    assert model["rasterization"] == {"version": RASTER_VERSION, "fill": FILL, "line_width": LINE}


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


def test_several_sketches_are_encoded_at_once(client: TestClient) -> None:
    others = [[[0, 5], [9, 9]]]
    together = client.post("/api/v1/model/embeddings", json={"sketches": [LINES, others]}).json()["embeddings"]
    for sketch, embedding in zip((LINES, others), together, strict=True):
        alone = client.post("/api/v1/model/embedding", json={"strokes": sketch}).json()["embedding"]
        assert embedding == pytest.approx(alone, abs=1e-5)


def test_a_batch_is_limited_and_its_errors_are_named(client: TestClient) -> None:
    post = "/api/v1/model/embeddings"
    assert client.post(post, json={"sketches": []}).status_code == 422
    assert client.post(post, json={"sketches": [LINES] * 257}).status_code == 422
    long = [[[0] * 300, [1] * 300]]  # two of them are beyond the limit of 500 points
    refused = client.post(post, json={"sketches": [long, long]})
    assert (refused.status_code, refused.json()["error"]["type"]) == (422, "SketchError")
    empty = client.post(post, json={"sketches": [LINES, []]})
    assert (empty.status_code, empty.json()["error"]["type"]) == (422, "EmptySketchError")
