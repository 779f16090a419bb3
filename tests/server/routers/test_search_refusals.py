"""Requests that a search refuses, with status, type and message."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from raw_files import dng
from served import LINES, SMALL, as_bytes, picture
from video_files import video

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
