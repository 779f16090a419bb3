from __future__ import annotations

import base64
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

from raw_files import dng
from served import COUNT, SMALL, as_bytes, picture
from sketchseek.models.package import ModelPackage
from sketchseek.search.colors import PaletteColor
from sketchseek.search.combined_query import Example
from sketchseek.search.combined_query import Query as CombinedQuery
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary
from sketchseek.server.app import create_app
from sketchseek.server.thumbnails import Thumbnail, ThumbnailCache
from video_files import video

LINES = [[[10, 200, 200], [10, 10, 90]], [[40, 40], [60, 200]]]


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


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["results"]]


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
    bounds: dict[str, Any] = {"after": "2024-05-02T00:00:00Z", "before": "2024-05-05T00:00:00+00:00", "k": 100}
    image = {"image": ("a.png", as_bytes(picture(50)))}
    for answer in (
        dated.post("/api/v1/search/sketch", json={"strokes": LINES, **bounds}),
        dated.post("/api/v1/search/embedding", json={"embedding": dated_embedding, **bounds}),
        dated.post("/api/v1/search/refine", json={"strokes": LINES, "positive": [1], **bounds}),
        dated.post("/api/v1/search/photo/1", json=bounds),
        dated.get("/api/v1/search/photo/1", params=bounds),
        dated.post("/api/v1/search/image", files=image, data={"kind": "photo", **bounds}),
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


ERRORS: list[tuple[str, Any, int, str]] = [
    ("sketch", {"strokes": []}, 422, "EmptySketchError"),
    ("sketch", {"strokes": [[]]}, 422, "SketchError"),
    ("sketch", {"strokes": [[[1, 2], [1]]]}, 422, "SketchError"),
    ("sketch", {"strokes": [[[1, "two"], [1, 2]]]}, 422, "RequestInvalid"),
    ("sketch", {"strokes": [[[1, None], [1, 2]]]}, 422, "RequestInvalid"),
    ("sketch", {"strokes": "a cat"}, 422, "RequestInvalid"),
    ("sketch", {"strokes": {"x": 1}}, 422, "RequestInvalid"),
    ("sketch", {}, 422, "RequestInvalid"),
    ("sketch", [], 422, "RequestInvalid"),
    ("sketch", {"strokes": LINES, "k": 0}, 422, "RequestInvalid"),
    ("sketch", {"strokes": LINES, "k": "many"}, 422, "RequestInvalid"),
    ("sketch", {"strokes": LINES, "k": SMALL.results + 1}, 422, "TooManyResults"),
    ("sketch", {"strokes": LINES, "path": "/etc/passwd"}, 422, "RequestInvalid"),
    ("sketch", {"strokes": LINES, "folder": "x" * 5000}, 422, "RequestInvalid"),
    ("sketch", {"strokes": [[[1] * 501, [2] * 501]]}, 422, "SketchError"),
    ("sketch", {"strokes": [[[1e300, 2], [1, 2]]]}, 422, "SketchError"),
    ("embedding", {"embedding": [1.0, 2.0]}, 422, "InputError"),
    ("embedding", {"embedding": [0.0] * 16}, 422, "InputError"),
    ("embedding", {"embedding": [1e300] * 16}, 422, "InputError"),
    ("embedding", {"embedding": []}, 422, "InputError"),
    ("embedding", {"embedding": "ones"}, 422, "RequestInvalid"),
    ("sketch", {"strokes": LINES, "offset": -1}, 422, "RequestInvalid"),
    ("sketch", {"strokes": LINES, "offset": SMALL.depth}, 422, "TooFarDown"),
    ("sketch", {"strokes": LINES, "after": "yesterday"}, 422, "RequestInvalid"),
    ("sketch", {"strokes": LINES, "after": 1714521600}, 422, "RequestInvalid"),
    ("sketch", {"strokes": LINES, "after": "2024-05-02", "before": "2024-05-01"}, 422, "InputError"),
    ("refine", {}, 422, "InputError"),
    ("refine", {"strokes": LINES, "photo_id": 1}, 422, "InputError"),
    ("refine", {"strokes": LINES, "positive": [1], "negative": [1]}, 422, "InputError"),
    ("refine", {"strokes": LINES, "positive": [999999]}, 422, "InputError"),
    ("refine", {"strokes": LINES, "positive": ["x"]}, 422, "RequestInvalid"),
    ("refine", {"strokes": LINES, "positive": [0]}, 422, "RequestInvalid"),
    ("refine", {"strokes": LINES, "positive": [1] * 1001}, 422, "RequestInvalid"),
    ("refine", {"strokes": [[[1] * 501, [2] * 501]]}, 422, "SketchError"),
    ("refine", {"embedding": [1.0]}, 422, "InputError"),
    ("refine", {"photo_id": 999999}, 404, "PhotoNotFound"),
    ("photo/999999", {}, 404, "PhotoNotFound"),
    ("photo/0", {}, 422, "RequestInvalid"),
    ("photo/-1", {}, 422, "RequestInvalid"),
    ("photo/99999999999999999999999", {}, 422, "RequestInvalid"),
    ("photo/1.5", {}, 422, "RequestInvalid"),
    ("photo/..%2F..%2Fetc%2Fpasswd", {}, 404, "Http404"),
    ("nothing", {}, 404, "Http404"),
]


@pytest.mark.parametrize(("where", "body", "status", "kind"), ERRORS)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_what_cannot_be_answered_says_so(client: TestClient, where: str, body: Any, status: int, kind: str) -> None:
    answer = client.post(f"/api/v1/search/{where}", json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    assert answer.json()["error"]["message"]
    assert set(answer.json()["error"]) == {"type", "message", "remedy"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"strokes": ' + b"[" * 90_000,
        b'{"strokes": [[[NaN, 1], [1, 2]]]}',
        b"1",
    ],
    ids=["empty", "open", "not UTF-8", "deep", "deep strokes", "NaN", "number"],
)
def test_hostile_json_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/v1/search/sketch", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]
    assert len(answer.content) < 2000


@pytest.mark.parametrize(
    ("data", "form", "status", "kind"),
    [
        (b"", {}, 422, "ImageError"),
        (b"no picture", {}, 422, "ImageError"),
        (as_bytes(Image.new("L", (50, 50), 255)), {}, 422, "EmptySketchError"),
        (as_bytes(picture(1))[:60], {"kind": "photo"}, 422, "ImageError"),
        (as_bytes(Image.new("1", (600, 600))), {"kind": "photo"}, 413, "ImageTooLargeError"),
        (as_bytes(Image.new("1", (30_000, 30_000))), {}, 413, "ImageTooLargeError"),
        (b"<svg>" + b" " * 6000 + b"</svg>", {}, 422, "SketchError"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><svg>&b;</svg>', {}, 422, "SketchError"),
        (b"<svg/>", {"kind": "photo"}, 422, "ImageError"),
        (b"%PDF-1.7", {"kind": "photo"}, 422, "ImageError"),
        (as_bytes(picture(1)), {"kind": "film"}, 422, "RequestInvalid"),
        (as_bytes(picture(1)), {"kind": "photo", "k": "0"}, 422, "RequestInvalid"),
        (as_bytes(picture(1)), {"kind": "photo", "k": "101"}, 422, "TooManyResults"),
    ],
)
def test_uploads_that_cannot_be_used_say_so(
    client: TestClient, data: bytes, form: dict[str, str], status: int, kind: str
) -> None:
    answer = client.post("/api/v1/search/image", files={"image": ("../../evil.png", data)}, data=form)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)


@pytest.mark.parametrize("kind", ["raw", "video"])
def test_uploaded_raw_files_and_videos_never_reach_their_libraries(client: TestClient, kind: str) -> None:
    pytest.importorskip("rawpy")
    data = video([picture(1)]) if kind == "video" else dng(picture(1), developed=picture(2))
    answer = client.post("/api/v1/search/image", files={"image": data}, data={"kind": "photo"})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == "The upload is a RAW photo or a video."


def test_no_address_is_fetched(client: TestClient) -> None:
    answer = client.post("/api/v1/search/image", data={"image": "http://127.0.0.1:8765/api/v1/photos/1/file"})
    assert answer.status_code == 415


def test_a_wrong_form_is_refused(client: TestClient) -> None:
    answer = client.post(
        "/api/v1/search/image", content=b"--x\r\nbroken", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]
    assert client.post("/api/v1/search/image", json={"image": "x"}).status_code == 415


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
