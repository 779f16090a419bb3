"""Encoding in the browser gives what encoding on the server gives."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from served import LINES, launch, serving
from sketchseek.models import DEFAULT_MODEL
from sketchseek.models.package import bundled_models
from sketchseek.search.library import Library
from sketchseek.server.app import PAGE, WASM
from sketchseek.sketches import rasterize_strokes


def sketches() -> list[Any]:
    """Broken lines, smooth ones of many points, dots, and sketches at the edges of what a raster takes."""
    random = np.random.default_rng(0)
    made: list[Any] = [LINES, [[[5], [5]]], [[[5, 5], [5, 9]]], [[[3, 3, 3], [7, 7, 7]]], [[[0, 1000], [0, 1]]]]
    made += [random.uniform(0, 500, (4, 2, 8)).tolist() for _ in range(8)]
    time = np.linspace(0, 6, 300)
    for _ in range(8):
        a, b, c, d = random.uniform(0.5, 4, 4)
        x, y = 300 * np.cos(a * time) + 40 * np.sin(5 * b * time), 200 * np.sin(c * time) + 30 * np.cos(6 * d * time)
        made.append([[x.tolist(), y.tolist()]])
    return made


def evaluate(url: str, script: str, argument: Any, replaced: dict[str, bytes] | None = None) -> Any:
    """Run a script in a page in Chromium, where some addresses answer something else."""
    complaints: list[str] = []
    with launch() as browser:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda text: complaints.append(text.text) if text.type in ("error", "warning") else None)
        for address, body in (replaced or {}).items():
            page.route(address, lambda route, _, body=body: route.fulfill(body=body))
        page.goto(url)
        answer = page.evaluate(script, argument)
    assert complaints == []
    return answer


LOAD = """
  const { Encoder } = await import("/encoder.js");
  const ask = (path, value) => fetch(`/api/v1/${path}`, value && {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value),
  }).then((answer) => answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status))));
  const told = [];
  const encoder = new Encoder(ask, (...mode) => told.push(mode), { local: true, preferred: "browser" });
  const mode = await encoder.load((sha256) => `api/v1/model/sketch.onnx?sha256=${sha256}`);
"""

ENCODE = f"""async (sketches) => {{ {LOAD}
  const embeddings = [];
  for (const one of sketches) embeddings.push(await encoder.encode(one));
  return {{ mode, told, embeddings, agreement: encoder.agreement ?? null }};
}}"""


@pytest.mark.browser
def test_the_browser_draws_the_raster_that_python_draws(library: Library, tmp_path: Path) -> None:
    script = """async ([sketches, size]) => {
      const { rasterStrokes } = await import("/raster.js");
      return sketches.map((one) => {
        const bytes = rasterStrokes(one, size, { fill: 0.88, line_width: 1 / 64 });
        return btoa(String.fromCharCode(...bytes));
      });
    }"""
    some = sketches()
    with serving(library, thumbnails=tmp_path) as url:
        for size in (64, 128):
            there = evaluate(url, script, [some, size])
            for one, text in zip(some, there, strict=True):
                mine = rasterize_strokes(one, size).astype(int)
                its = np.frombuffer(base64.b64decode(text), np.uint8).reshape(size, size).astype(int)
                inked = np.count_nonzero(mine < 255)
                assert np.abs(mine - its).sum() / inked < 0.6, one  # of 255, for each pixel with ink
                assert np.count_nonzero(mine != its) / inked < 0.04, one


@pytest.mark.browser
def test_both_ways_give_the_same_ranking(library: Library, tmp_path: Path) -> None:
    some = sketches()
    with serving(library, thumbnails=tmp_path) as url:
        found = evaluate(url, ENCODE, some)
    assert found["mode"] == "browser", found["told"]
    assert found["told"][-1] == ["browser", "", None]
    assert found["agreement"] > 0.9999
    for one, embedding in zip(some, found["embeddings"], strict=True):
        assert_same_ranking(library, one, embedding)


@pytest.mark.browser
@pytest.mark.real_data
def test_both_ways_give_the_same_ranking_with_the_model_that_ships(real_data: Path, tmp_path: Path) -> None:
    if DEFAULT_MODEL not in bundled_models():
        pytest.skip("no model is bundled")
    photos = sorted((real_data / "caltech101").rglob("*.jpg"))[::150][:40]
    some = []
    for file in sorted((real_data / "quickdraw").rglob("*.ndjson"))[:12]:
        with file.open() as lines:
            some.append(json.loads(next(lines))["drawing"])
    with Library.open(tmp_path / "library", create=True) as library:
        library.add(photos)
        with serving(library, thumbnails=tmp_path / "thumbnails") as url:
            found = evaluate(url, ENCODE, some)
        assert found["mode"] == "browser", found["told"]
        for one, embedding in zip(some, found["embeddings"], strict=True):
            assert_same_ranking(library, one, embedding)


def assert_same_ranking(library: Library, sketch: Any, embedding: list[float]) -> None:
    """The same order, apart from photos whose scores are closer together than the two ways are."""
    mine = library.encoder.encode_sketch(sketch)
    assert float(mine @ np.array(embedding)) > 0.999
    by_sketch = library.search(sketch, k=1000)
    score = {one.id: one.score for one in by_sketch}
    by_embedding = library.search_embedding(embedding, k=1000)
    apart = max(abs(score[one.id] - one.score) for one in by_embedding)
    assert apart < 0.01
    for one, other in zip(by_sketch, by_embedding, strict=True):
        assert one.id == other.id or abs(one.score - score[other.id]) <= 2 * apart


@pytest.mark.browser
def test_where_the_browser_cannot_the_server_encodes(library: Library, tmp_path: Path) -> None:
    with serving(library, thumbnails=tmp_path) as url:
        found = evaluate(url, ENCODE, [LINES], {"**/sketch.onnx*": b"no graph"})
        assert (found["mode"], found["embeddings"]) == ("server", [None])
        assert found["told"][-1][0] == "server"
        assert found["told"][-1][1]
        other = json.dumps({"embedding": np.random.default_rng(1).standard_normal(16).tolist()}).encode()
        found = evaluate(url, ENCODE, [LINES], {"**/api/v1/model/embedding": other})
        assert found["mode"] == "server"
        assert "agrees by" in found["told"][-1][1]
        lost = evaluate(
            url,
            f"""async (lines) => {{ {LOAD}
              const pending = encoder.encode(lines);
              encoder.worker.close("gone");
              return [mode, await pending, encoder.mode, await encoder.encode(lines)];
            }}""",
            LINES,
        )
        assert lost == ["browser", None, "server", None]


def test_the_server_s_embedding(client: TestClient, library: Library) -> None:
    answer = client.post("/api/v1/model/embedding", json={"strokes": LINES})
    assert answer.json()["embedding"] == pytest.approx(library.encoder.encode_sketch(LINES).tolist(), abs=1e-6)
    assert client.post("/api/v1/model/embedding", json={"strokes": []}).status_code == 422
    many = client.post("/api/v1/model/embedding", json={"strokes": [[[1] * 501, [2] * 501]]})
    assert (many.status_code, many.json()["error"]["type"]) == (422, "SketchError")


def test_vendor_files_are_those_of_the_checksums(client: TestClient) -> None:
    sums = dict(line.split("  ")[::-1] for line in (PAGE / "vendor" / "SHA256SUMS").read_text().splitlines())
    assert WASM.removeprefix("vendor/") in sums
    for name, checksum in sums.items():
        for encoding in ("gzip", "identity"):
            answer = client.get(f"/vendor/{name}", headers={"Accept-Encoding": encoding})
            assert hashlib.sha256(answer.content).hexdigest() == checksum
    wasm = client.get(f"/{WASM}")
    assert wasm.headers["Content-Type"] == "application/wasm"
    assert wasm.headers["Content-Encoding"] == "gzip"
    assert len(gzip.compress(b"")) < int(wasm.headers["Content-Length"]) < 4_000_000
    again = client.get(f"/{WASM}", headers={"If-None-Match": wasm.headers["ETag"]})
    assert again.status_code == 304


def test_the_build_names_no_host() -> None:
    lock = Path(__file__).parents[2] / "web-build" / "package-lock.json"
    assert "://" not in lock.read_text()
    locked = json.loads(lock.read_text())["packages"]
    assert all("integrity" in package for name, package in locked.items() if name)
