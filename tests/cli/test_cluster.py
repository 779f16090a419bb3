"""The commands with libraries in Lance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from object_store import SECRET, ObjectStore, need_cluster
from served import picture
from sketchseek.cli import cli
from sketchseek.models.package import ModelPackage

need_cluster()

from sketchseek.cluster import storage

pytestmark = pytest.mark.slow

SKETCH = "[[[0,50,100,0],[100,0,100,100]]]"


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments], input=stdin)


def answer(*arguments: object, stdin: str | None = None) -> Any:
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "b").mkdir(parents=True)
    for number in range(6):
        picture(number).save(folder / ("b" if number % 2 else ".") / f"{number}.png")
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


@pytest.mark.parametrize("where", ["folder", "object storage"])
def test_every_command(
    where: str, photos: Path, tmp_path: Path, tiny_model: ModelPackage, request: pytest.FixtureRequest
) -> None:
    root, library = str(photos), (tmp_path / "library").as_uri()
    if where == "object storage":
        store: ObjectStore = request.getfixturevalue("object_store")
        bucket = store.bucket()
        root, library = f"{bucket}/photos", f"{bucket}/library"
        store.upload(photos, root)
    report = answer("index", root, "--library", library, "--model", tiny_model.path)
    assert (report["indexed"], report["failed"]) == (6, 1)
    found = answer("search", "-", "--library", library, "-k", 9, "--folder", f"{root}/b", stdin=SKETCH)
    assert sorted(one["path"] for one in found) == [f"{root}/b/{number}.png" for number in (1, 3, 5)]
    named = answer("search", "--text", "b 3", "--require-text", "--library", library)
    assert [one["path"] for one in named] == [f"{root}/b/3.png"]
    colored = answer("search", "-", "--text", "photos", "--color", "red", "--library", library, "-k", 9, stdin=SKETCH)
    assert (len(colored), colored[0]["parts"].keys()) == (6, {"examples", "text", "colors"})
    status = answer("status", "--library", library)
    assert (status["photos"], status["failures"], status["folders"]) == (6, 1, [root])
    assert [one["path"] for one in answer("failures", "--library", library)] == [f"{root}/bad.png"]
    assert answer("verify", "--sample", 6, "--library", library)["ok"]
    assert answer("remove", f"{root}/b", "--library", library) == {"removed": 3}
    assert answer("sync", "--library", library)["unchanged"] == 3
    assert "regions" in str(run("index", root, "--regions", "--library", library).exception)
    explained = tmp_path / "why.png"
    answer("search", "-", "--library", library, "--explain", explained, stdin=SKETCH)
    assert explained.stat().st_size > 0
    copied = run("search", "-", "--library", library, "--copy-to", tmp_path / "copies", stdin=SKETCH)
    assert copied.exit_code == 0, copied.output
    copies = sorted(tmp_path.joinpath("copies").iterdir())
    assert len(copies) == 3
    assert all(copy.read_bytes() == (photos / copy.name.partition(" ")[2]).read_bytes() for copy in copies)
    assert run("search", "-", "--library", library, "--html", tmp_path / "found.html", stdin=SKETCH).exit_code == 0
    assert (tmp_path / "found.html").read_text().count("data:image/jpeg") == 3
    if where == "object storage":
        opened = run("search", "-", "--library", library, "--open", stdin=SKETCH)
        assert "--copy-to" in str(opened.exception)


def test_what_does_not_go_together() -> None:
    assert run("repair", "--library", "s3://bucket/library").exit_code == 2


def test_credentials_are_in_no_message_and_in_no_object(
    object_store: ObjectStore, photos: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    import obstore

    bucket = object_store.bucket()
    object_store.upload(photos, f"{bucket}/photos")
    library = f"{bucket}/library"
    answer("index", f"{bucket}/photos", "--library", library, "--model", tiny_model.path)
    store = storage.bucket_store(bucket)
    for chunk in obstore.list(store, prefix="library"):
        for one in chunk:
            assert SECRET.encode() not in bytes(obstore.get(store, one["path"]).bytes())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{SECRET}-wrong")
    storage.bucket_store.cache_clear()
    try:
        result = run("status", "--library", library, "--json")
    finally:
        storage.bucket_store.cache_clear()
    assert result.exit_code == 1
    assert json.loads(result.stderr)["error"] == "StorageError"
    assert SECRET not in result.output + repr(result.exception)
    with_password = run("status", "--library", "s3://key:hunter2@bucket/library", "--json")
    assert with_password.exit_code == 1
    assert "hunter2" not in with_password.output + repr(with_password.exception)
