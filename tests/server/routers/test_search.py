from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from served import COUNT, LINES, SMALL, as_bytes, names, picture
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary
from sketchseek.server.app import create_app
from sketchseek.server.thumbnails import Thumbnail, ThumbnailCache


@pytest.fixture(scope="module")
def dated_library(tiny_model: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Nine photos, each from its own day of May 2024, and one from now."""
    folder = tmp_path_factory.mktemp("dated")
    (folder / "photos").mkdir()
    for number in range(10):
        path = folder / "photos" / f"{number}.png"
        picture(number).save(path)
        if number:
            seconds = datetime(2024, 5, number, 12, tzinfo=UTC).timestamp()
            os.utime(path, (seconds, seconds))
    with Library.open(folder / "library", tiny_model.path, create=True) as library:
        library.add([folder / "photos"])
        yield library


@pytest.fixture
def dated(dated_library: Library, tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(dated_library, thumbnails=ThumbnailCache(tmp_path / "thumbnails"))
    with TestClient(app, base_url="http://localhost") as opened:
        yield opened


@pytest.fixture
def dated_embedding(dated_library: Library) -> list[float]:
    embedding: list[float] = dated_library.encoder.encode_sketch(LINES).tolist()
    return embedding


def test_a_sketch_finds_what_the_library_finds(client: TestClient, library: Library) -> None:
    answer = client.post("/api/v1/search/sketch", json={"strokes": LINES, "k": 7})
    expected = library.search(LINES, k=7)
    assert answer.json()["results"] == [
        {
            "rank": one.rank,
            "id": one.id,
            "path": str(one.path),
            "name": one.path.name,
            "score": round(one.score, 6),
            "parts": {},
            "copies": [],
            "time": None,
        }
        for one in expected
    ]
    assert len(expected) == 7
    assert answer.json()["seconds"] > 0


def test_folder_and_k_are_heeded_everywhere(client: TestClient, photos: Path, library: Library) -> None:
    below = str(photos / "below")
    embedding = library.encoder.encode_sketch(LINES).tolist()
    image = {"image": ("a.png", as_bytes(picture(3)))}
    searches = [
        client.post("/api/v1/search/sketch", json={"strokes": LINES, "k": 100, "folder": below}),
        client.post("/api/v1/search/embedding", json={"embedding": embedding, "k": 100, "folder": below}),
        client.post("/api/v1/search/photo/1", json={"k": 100, "folder": below}),
        client.get("/api/v1/search/photo/1", params={"k": 100, "folder": below}),
        client.post("/api/v1/search/image", files=image, data={"k": 100, "folder": below, "kind": "photo"}),
    ]
    for answer in searches:
        found = [Path(one["path"]) for one in answer.json()["results"]]
        assert COUNT // 4 - 1 <= len(found) <= COUNT // 4
        assert {path.parent for path in found} == {photos / "below"}
    assert len(names(client.get("/api/v1/search/photo/1", params={"k": 3}))) == 3


def test_dates_are_heeded_everywhere(dated: TestClient, dated_embedding: list[float]) -> None:
    filter: dict[str, Any] = {"after": "2024-05-02T00:00:00Z", "before": "2024-05-05T00:00:00+00:00", "k": 100}
    image = {"image": ("a.png", as_bytes(picture(50)))}
    for answer in (
        dated.post("/api/v1/search/sketch", json={"strokes": LINES, **filter}),
        dated.post("/api/v1/search/embedding", json={"embedding": dated_embedding, **filter}),
        dated.post("/api/v1/search/refine", json={"strokes": LINES, "positive": [1], **filter}),
        dated.post("/api/v1/search/photo/1", json=filter),
        dated.get("/api/v1/search/photo/1", params=filter),
        dated.post("/api/v1/search/image", files=image, data={"kind": "photo", **filter}),
    ):
        assert sorted(names(answer)) == ["2.png", "3.png", "4.png"]
    assert names(dated.get("/api/v1/search/photo/1", params={"before": "1999-12-31"})) == []
    assert len(names(dated.get("/api/v1/search/photo/1", params={"after": "1999-12-31", "before": ""}))) == 9


def test_pages_join_until_there_are_no_more(client: TestClient) -> None:
    whole = client.post("/api/v1/search/sketch", json={"strokes": LINES, "k": 100}).json()
    assert (len(whole["results"]), whole["more"], whole["offset"]) == (COUNT + 1, False, 0)
    pages, offset, more = [], 0, True
    while more:
        page = client.post("/api/v1/search/sketch", json={"strokes": LINES, "k": 25, "offset": offset}).json()
        pages += page["results"]
        assert page["offset"] == offset
        more, offset = page["more"], offset + 25
    assert pages == whole["results"]
    assert offset == 75
    like = names(client.get("/api/v1/search/photo/1", params={"k": 60}))
    assert names(client.get("/api/v1/search/photo/1", params={"k": 10, "offset": 50})) == like[50:]
    last = client.post("/api/v1/search/sketch", json={"strokes": LINES, "k": 100, "offset": 149}).json()
    assert (last["results"], last["more"], last["total"]) == ([], False, COUNT + 1)
    assert whole["total"] == COUNT + 1


def test_refining_finds_what_the_library_finds(client: TestClient, library: Library, id_of: dict[str, int]) -> None:
    right, wrong = [id_of["disc 007.png"], id_of["disc 008.png"]], [id_of["disc 001.png"]]
    embedding = library.encoder.encode_sketch(LINES).tolist()
    expected = [one.id for one in library.refine(LINES, positive=right, negative=wrong, k=20)]
    drawn = [one.id for one in library.search(LINES, k=20)]
    assert expected != drawn
    image = {"image": ("a.png", as_bytes(picture(17)))}
    for query in ({"strokes": LINES}, {"embedding": embedding}):
        answer = client.post(
            "/api/v1/search/refine", json={**query, "positive": right, "negative": wrong, "k": 20}
        ).json()
        assert [one["id"] for one in answer["results"]] == expected
    like = client.post("/api/v1/search/refine", json={"photo_id": right[0], "negative": wrong, "k": 100}).json()[
        "results"
    ]
    assert len(like) == COUNT - 1
    form = {"kind": "photo", "positive": right, "negative": wrong, "k": 20}
    by_image = client.post("/api/v1/search/image", files=image, data=form).json()["results"]
    refined = library.refine(photo=as_bytes(picture(17)), positive=right, negative=wrong, k=20)
    assert [one["id"] for one in by_image] == [one.id for one in refined]


def test_an_uploaded_photo_finds_itself_first(client: TestClient) -> None:
    for kind in ("PNG", "BMP", "TIFF"):
        files = {"image": ("x", as_bytes(picture(17), kind))}
        assert names(client.post("/api/v1/search/image", files=files, data={"kind": "photo"}))[0] == "disc 017.png"


def test_an_uploaded_sketch_is_read_as_python_reads_it(client: TestClient, library: Library, tmp_path: Path) -> None:
    file = tmp_path / "sketch.png"
    sheet = Image.new("L", (300, 200), 250)
    sheet.paste(20, (60, 50, 240, 56))
    sheet.paste(20, (60, 50, 66, 150))
    sheet.save(file)
    expected = [one.path.name for one in library.search(file, k=10)]
    assert names(client.post("/api/v1/search/image", files={"image": file.read_bytes()}, data={"k": 10})) == expected
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0 L90 0 L90 40"/></svg>'
    expected = [one.path.name for one in library.search(svg, k=10)]
    assert names(client.post("/api/v1/search/image", files={"image": svg}, data={"k": 10})) == expected


def test_an_embedding_finds_what_its_sketch_finds(client: TestClient, library: Library) -> None:
    embedding = library.encoder.encode_sketch(LINES).tolist()
    by_embedding = names(client.post("/api/v1/search/embedding", json={"embedding": embedding, "k": 20}))
    assert by_embedding == names(client.post("/api/v1/search/sketch", json={"strokes": LINES, "k": 20}))


def test_more_like_this_leaves_the_photo_itself_out(client: TestClient, id_of: dict[str, int]) -> None:
    by_post = names(client.post(f"/api/v1/search/photo/{id_of['disc 005.png']}"))
    assert "disc 005.png" not in by_post
    assert by_post == names(client.get(f"/api/v1/search/photo/{id_of['disc 005.png']}"))
    assert len(by_post) == 48


def test_scores_are_numbers_that_json_has(client: TestClient) -> None:
    answer = client.post("/api/v1/search/sketch", json={"strokes": LINES})
    scores = [one["score"] for one in json.loads(answer.text, parse_constant=pytest.fail)["results"]]
    assert all(math.isfinite(score) for score in scores)
    assert np.all(np.diff(scores) <= 0)


def test_thumbnails_that_take_long_do_not_hold_up_a_search(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, library: Library
) -> None:
    started, finish = threading.Semaphore(0), threading.Event()

    def slow(self: ThumbnailCache, path: Path, size: int) -> Thumbnail:
        started.release()
        assert finish.wait(20)
        return Thumbnail(b"made", "tag")

    monkeypatch.setattr(ThumbnailCache, "get", slow)
    with ThreadPoolExecutor(3 * SMALL.thumbnails) as pool:
        waiting = [pool.submit(client.get, "/api/v1/photos/1/thumbnail") for _ in range(3 * SMALL.thumbnails)]
        for _ in range(SMALL.thumbnails):
            assert started.acquire(timeout=20)
        try:
            assert len(names(client.post("/api/v1/search/sketch", json={"strokes": LINES}))) == 48
            assert not any(one.done() for one in waiting)
        finally:
            finish.set()
        assert {one.result().content for one in waiting} == {b"made"}


def test_a_search_that_takes_long_does_not_hold_up_the_server(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, finish = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> list[object]:
        started.set()
        assert finish.wait(20)
        return []

    monkeypatch.setattr(LocalLibrary, "search", slow)
    with ThreadPoolExecutor(1) as pool:
        searching = pool.submit(client.post, "/api/v1/search/sketch", json={"strokes": LINES})
        assert started.wait(20)
        try:
            assert client.get("/api/v1/status").status_code == 200
            assert not searching.done()
        finally:
            finish.set()
        assert names(searching.result()) == []
