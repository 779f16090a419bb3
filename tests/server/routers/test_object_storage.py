"""The server with a library in object storage."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from object_store import ObjectStore, need_cluster
from served import may_change
from sketchseek.models.package import ModelPackage
from sketchseek.search.object_path import ObjectPath
from sketchseek.server.app import create_app
from sketchseek.server.thumbnails import ThumbnailCache

need_cluster()

from sketchseek.cluster.library import LanceLibrary
from sketchseek.cluster.runners import run_here

API = "/api/v1"


@pytest.fixture(scope="module")
def stored(object_store: ObjectStore, photos: Path, tiny_model: ModelPackage) -> Iterator[LanceLibrary]:
    bucket = object_store.bucket()
    object_store.upload(photos, f"{bucket}/photos")
    with LanceLibrary.open(f"{bucket}/discs", tiny_model.path, create=True, runner=run_here) as library:
        library.add([f"{bucket}/photos"])
        yield library


@pytest.fixture
def client(stored: LanceLibrary, tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(stored, thumbnails=ThumbnailCache(tmp_path / "thumbnails"))
    with TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False) as opened:
        yield may_change(opened)


def test_a_search_and_its_photos(client: TestClient, stored: LanceLibrary, photos: Path, tmp_path: Path) -> None:
    assert client.get(f"{API}/status").json()["library"]["photos"] == len(stored)
    assert client.get(f"{API}/libraries").json()["libraries"][0]["name"] == "discs"
    found = client.post(f"{API}/search/sketch", json={"strokes": [[[0, 9], [0, 9]]], "k": 3}).json()
    assert (len(found["results"]), found["total"]) == (3, len(stored))
    best = found["results"][0]
    details = client.get(f"{API}/photos/{best['id']}").json()
    assert (details["path"], details["missing"]) == (best["path"], False)
    assert details["path"].startswith("s3://")
    file = client.get(f"{API}/photos/{best['id']}/file", params={"download": True})
    original = next(path for path in photos.rglob("*") if path.name == best["name"])
    assert (file.content, file.headers["content-type"]) == (original.read_bytes(), "image/png")
    assert file.headers["content-disposition"].startswith("attachment; filename*=utf-8''disc%20")
    assert "sandbox" in file.headers["content-security-policy"]
    thumbnail = client.get(f"{API}/photos/{best['id']}/thumbnail", params={"size": 160})
    assert Image.open(io.BytesIO(thumbnail.content)).format == "WEBP"
    assert len(list((tmp_path / "thumbnails").rglob("*.webp"))) == 1
    again = client.get(
        f"{API}/photos/{best['id']}/thumbnail",
        params={"size": 160},
        headers={"If-None-Match": thumbnail.headers["etag"]},
    )
    assert again.status_code == 304
    assert client.post(f"{API}/search/photo/{best['id']}", json={}).json()["results"][0]["id"] != best["id"]
    listed = client.get(f"{API}/photos", params={"k": 2, "order": "path"}).json()
    assert (len(listed["photos"]), listed["total"]) == (2, len(stored))
    archive = client.get(f"{API}/photos/archive", params={"ids": str(best["id"])})
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.read(best["name"]) == original.read_bytes()
    failures = client.get(f"{API}/failures").json()["failures"]
    assert [ObjectPath(one["path"]).name for one in failures] == ["broken.png"]
    folders = client.get(f"{API}/photo-folders", params={"contains": "below"}).json()["folders"]
    assert [ObjectPath(one["path"]).name for one in folders] == ["below"]


def test_words_colors_and_explanations(client: TestClient, stored: LanceLibrary) -> None:
    words = client.post(f"{API}/search/query", json={"text": "disc", "k": 99}).json()
    named = [one for one in stored.browse("path", k=999) if "disc" in one.path.name]
    assert len(words["results"]) == words["total"] == len(named) > 50
    assert client.post(f"{API}/search/query", json={"text": "nowhere"}).json()["results"] == []
    sketch = {"strokes": [[[0, 9], [0, 9]]]}
    body = {"examples": [sketch], "text": "disc", "text_mode": "require", "colors": [{"color": "red"}], "k": 3}
    both = client.post(f"{API}/search/query", json=body).json()
    assert both["results"][0]["parts"].keys() == {"examples", "colors"}
    explained = client.post(f"{API}/search/explain/{both['results'][0]['id']}", json={"examples": [sketch]})
    assert explained.status_code == 200
    assert len(explained.json()["photo_split"]["shares"]) > 0
    assert client.get(f"{API}/photos/{2**40}/file").status_code == 404


def test_a_photo_that_is_gone(client: TestClient, stored: LanceLibrary, object_store: ObjectStore) -> None:
    photo = stored.search([[[0, 9], [0, 9]]], k=1000)[-1]
    object_store.delete(str(photo.path))
    for part in ("file", "thumbnail"):
        gone = client.get(f"{API}/photos/{photo.id}/{part}")
        assert gone.status_code in (404, 422)
        assert "gone" in gone.json()["error"]["message"]
