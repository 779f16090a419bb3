from __future__ import annotations

import dataclasses
import io
import os
import shutil
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from served import COUNT, picture
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.server.app import create_app
from sketchseek.server.thumbnails import SIZES, ThumbnailCache


def test_metadata(client: TestClient, id_of: dict[str, int], photos: Path) -> None:
    known = client.get(f"/api/v1/photos/{id_of['disc 001.png']}").json()
    assert known["path"] == str(photos / "disc 001.png")
    assert (known["name"], known["width"], known["height"], known["missing"]) == ("disc 001.png", 96, 64, False)
    status = (photos / "disc 001.png").stat()
    assert (known["folder"], known["size"]) == (str(photos), status.st_size)
    assert datetime.fromisoformat(known["date"]).timestamp() == int(status.st_mtime)


@pytest.mark.parametrize("size", SIZES)
def test_thumbnails_have_the_size_asked_for_and_no_more(client: TestClient, id_of: dict[str, int], size: int) -> None:
    answer = client.get(f"/api/v1/photos/{id_of['disc 001.png']}/thumbnail", params={"size": size})
    assert answer.headers["Content-Type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).size == (96, 64)  # never enlarged


def test_thumbnails_are_turned(client: TestClient, id_of: dict[str, int]) -> None:
    answer = client.get(f"/api/v1/photos/{id_of['turned.jpg']}/thumbnail")
    assert Image.open(io.BytesIO(answer.content)).size == (30, 90)


@pytest.mark.parametrize("size", ["0", "-1", "161", "100000", "x", "320.5", ""])
def test_other_sizes_are_not_made(client: TestClient, size: str) -> None:
    answer = client.get("/api/v1/photos/1/thumbnail", params={"size": size})
    assert answer.status_code == 422
    assert answer.json()["error"]["type"] in ("SizeNotOffered", "RequestInvalid")


def test_a_known_thumbnail_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/api/v1/photos/1/thumbnail")
    assert "private" in first.headers["Cache-Control"]
    again = client.get("/api/v1/photos/1/thumbnail", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(
        "/api/v1/photos/1/thumbnail", params={"size": 640}, headers={"If-None-Match": first.headers["ETag"]}
    )
    assert other.status_code == 200


def test_originals_are_sent_as_what_they_are(client: TestClient, id_of: dict[str, int], photos: Path) -> None:
    answer = client.get(f"/api/v1/photos/{id_of['turned.jpg']}/file")
    assert answer.content == (photos / "turned.jpg").read_bytes()
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Disposition"].startswith("inline")
    download = client.get(f"/api/v1/photos/{id_of['turned.jpg']}/file", params={"download": 1})
    assert download.headers["Content-Disposition"] == 'attachment; filename="turned.jpg"'
    assert download.content == answer.content


@pytest.mark.parametrize("what", ["", "/thumbnail", "/file"])
@pytest.mark.parametrize(
    ("photo", "status"),
    [
        ("999999", 404),
        ("0", 422),
        ("-1", 422),
        ("x", 422),
        ("1;drop table photos", 422),
        ("9" * 40, 422),
        ("%00", 422),
        ("..%2f..%2f..%2fetc%2fpasswd", 404),
        ("%2e%2e/%2e%2e/etc/passwd", 404),
    ],
)
def test_wrong_ids_find_nothing(client: TestClient, photo: str, status: int, what: str) -> None:
    answer = client.get(f"/api/v1/photos/{photo}{what}")
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/page/../../errors.py",
        "/..\\app.py",
    ],
)
def test_the_page_s_folder_is_not_left(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "error" in answer.json()


def test_files_that_went_change_or_stop_being_pictures(tiny_model: ModelPackage, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        picture(number).save(photos / f"{number}.png")
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as library:
        library.add([photos])
        ids = {one.path.name: one.id for one in library.search([[[0, 9], [0, 9]]], k=9)}
        app = create_app(library, thumbnails=ThumbnailCache(tmp_path / "thumbnails"))
        with TestClient(app, base_url="http://localhost") as client:

            def get(name: str, what: str) -> tuple[int, str]:
                answer = client.get(f"/api/v1/photos/{ids[name]}/{what}")
                kind = answer.json()["error"]["type"] if answer.status_code >= 400 else ""
                return answer.status_code, kind

            assert get("0.png", "thumbnail") == (200, "")
            (photos / "0.png").unlink()
            assert get("0.png", "thumbnail") == (404, "PhotoFileMissing")
            assert get("0.png", "file") == (404, "PhotoFileMissing")
            assert client.get(f"/api/v1/photos/{ids['0.png']}").json()["missing"] is True

            before = client.get(f"/api/v1/photos/{ids['1.png']}/thumbnail")
            Image.new("RGB", (40, 20), "blue").save(photos / "1.png")
            after = client.get(f"/api/v1/photos/{ids['1.png']}/thumbnail")
            assert before.headers["ETag"] != after.headers["ETag"]
            assert Image.open(io.BytesIO(after.content)).size == (40, 20)

            (photos / "1.png").unlink()
            os.mkfifo(photos / "1.png")
            assert get("1.png", "file") == (404, "PhotoFileMissing")
            assert get("1.png", "thumbnail") == (422, "ImageError")

            (photos / "2.png").write_text("<script>alert(1)</script>")
            assert get("2.png", "thumbnail") == (422, "ImageError")
            assert get("2.png", "file") == (422, "ImageError")

            shutil.rmtree(photos)
            photos.write_text("a file where the folder was")
            assert get("2.png", "file") == (404, "PhotoFileMissing")
            assert get("2.png", "thumbnail") == (404, "PhotoFileMissing")


def test_names_that_are_no_utf_8_are_shown(tiny_model: ModelPackage, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    strange = photos / "caf\udce9 ünïcode\n.png"
    try:
        picture(0).save(photos / "plain.png")
        (photos / "plain.png").rename(strange)
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as library:
        library.add([photos])
        app = create_app(library, thumbnails=ThumbnailCache(tmp_path / "thumbnails"))
        with TestClient(app, base_url="http://localhost") as client:
            (found,) = client.post("/api/v1/search/sketch", json={"strokes": [[[0, 9], [0, 9]]]}).json()["results"]
            assert found["name"] == "caf\N{REPLACEMENT CHARACTER} ünïcode\n.png"
            for what in ("", "/thumbnail", "/file"):
                assert client.get(f"/api/v1/photos/{found['id']}{what}").status_code == 200
            strange.unlink()
            assert client.get(f"/api/v1/photos/{found['id']}/file").json()["error"]["type"] == "PhotoFileMissing"


def test_status_failures_and_model(client: TestClient, library: Library, photos: Path) -> None:
    status = client.get("/api/v1/status").json()["library"]
    assert (status["photos"], status["failures"]) == (COUNT + 1, 1)
    failures = client.get("/api/v1/failures").json()
    assert failures["total"] == 1
    assert failures["failures"][0]["path"] == str(photos / "broken.png")
    assert failures["failures"][0]["reason"]
    manifest = library.encoder.manifest
    model = client.get("/api/v1/model").json()
    assert {key: model[key] for key in dataclasses.asdict(manifest)} == dataclasses.asdict(manifest)
    assert model["fingerprint"] == manifest.fingerprint


def test_the_api_describes_itself_without_foreign_scripts(client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert "/api/v1/search/sketch" in paths
    assert client.get("/docs").status_code == 404


def test_folders_of_photos_are_listed_and_filter_by_a_part_of_their_paths(client: TestClient, photos: Path) -> None:
    listed = client.get("/api/v1/photo-folders", params={"contains": "BELOW"}).json()
    assert listed == {"folders": [{"path": str(photos / "below"), "photos": 15}]}
    assert len(client.get("/api/v1/photo-folders", params={"limit": 1}).json()["folders"]) == 1
    assert client.get("/api/v1/photo-folders", params={"limit": 0}).status_code == 422
    lines = [[[10, 200], [10, 90]]]
    found = client.post("/api/v1/search/sketch", json={"strokes": lines, "folder_contains": "elo"}).json()
    assert found["total"] == 15
    assert {Path(one["path"]).parent for one in found["results"]} == {photos / "below"}
    some = found["results"][0]["id"]
    similar = client.get(f"/api/v1/search/photo/{some}", params={"folder_contains": "elo"}).json()
    assert {Path(one["path"]).parent for one in similar["results"]} == {photos / "below"}


def test_photos_are_listed_without_a_query(client: TestClient, library: Library, photos: Path) -> None:
    answer = client.get("/api/v1/photos", params={"k": 20}).json()
    assert (answer["total"], answer["offset"], len(answer["photos"])) == (COUNT + 1, 0, 20)
    times = [one["date"] for one in answer["photos"]]
    assert times == sorted(times, reverse=True)
    rest = client.get("/api/v1/photos", params={"k": 100, "offset": 20}).json()["photos"]
    ids = [one["id"] for one in answer["photos"] + rest]
    assert ids == [one.id for one in library.browse(k=1000)]
    below = client.get("/api/v1/photos", params={"folder": str(photos / "below"), "order": "path"}).json()
    assert below["total"] == 15
    assert [one["name"] for one in below["photos"]] == sorted(file.name for file in (photos / "below").iterdir())
    for wrong in ({"k": 101}, {"offset": 150}, {"order": "best"}, {"k": 0}):
        assert client.get("/api/v1/photos", params=wrong).status_code == 422, wrong


def test_several_photos_are_one_archive(
    library: Library, tiny_model: ModelPackage, tmp_path: Path, client: TestClient, id_of: dict[str, int]
) -> None:
    chosen = [id_of["disc 001.png"], id_of["disc 004.png"], id_of["disc 001.png"]]
    answer = client.get("/api/v1/photos/archive", params={"ids": ",".join(map(str, chosen))})
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="photos.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["disc 001.png", "disc 004.png"]
        path = library.photo(chosen[0])
        assert path is not None
        assert archive.read("disc 001.png") == Path(path.path).read_bytes()
    for wrong, status in (("", 422), ("1,x", 422), ("999999999", 404), (",".join(map(str, range(1, 502))), 422)):
        assert client.get("/api/v1/photos/archive", params={"ids": wrong}).status_code == status, wrong


def test_files_that_are_gone_are_listed_in_the_archive(tiny_model: ModelPackage, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        picture(number).save(folder / f"{number}.png")
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as own:
        own.add([folder])
        (folder / "0.png").unlink()
        (folder / "1.png").write_bytes(b"a secret that took its place")
        app = create_app(own, thumbnails=ThumbnailCache(tmp_path / "thumbnails"))
        with TestClient(app, base_url="http://127.0.0.1") as client:
            answer = client.get("/api/v1/photos/archive?ids=1,2,3")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.namelist() == ["2.png", "missing.txt"]
            assert archive.read("missing.txt").decode().split() == [str(folder / "0.png"), str(folder / "1.png")]
