from __future__ import annotations

import os
from pathlib import Path

import pytest

from object_store import SECRET, ObjectStore, need_cluster
from sketchseek.errors import InputError

need_cluster()

from sketchseek.cluster import storage
from sketchseek.cluster.sources import Unreadable, find_photos
from sketchseek.cluster.storage import Found, list_objects, normalized, read
from sketchseek.errors import StorageError
from sketchseek.search.scan_rules import ScanRules


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert normalized("photos/../x") == str(tmp_path / "x")
    assert normalized("s3://bucket/photos/") == "s3://bucket/photos"
    assert normalized(f"file://{tmp_path}/x/") == str(tmp_path / "x")
    for wrong, reason in (
        ("ftp://host/x", "unknown scheme"),
        ("s3:///x", "names no bucket"),
        ("file://host/x", "not a file of this machine"),
    ):
        with pytest.raises(InputError, match=reason):
            normalized(wrong)


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(InputError, match="credentials") as raised:
        normalized("s3://key:hunter2@bucket/photos")
    assert "hunter2" not in str(raised.value)


def test_objects_are_listed_and_read_with_their_versions(object_store: ObjectStore) -> None:
    bucket = object_store.bucket()
    for name, data in (("a/1.png", b"1"), ("a/ä b#%20.png", b"22"), ("ab/3.png", b"3")):
        object_store.put(f"{bucket}/{name}", data)
    found = {one.path: one for one in list_objects(f"{bucket}/a")}
    assert set(found) == {f"{bucket}/a/1.png", f"{bucket}/a/ä b#%20.png"}
    one = found[f"{bucket}/a/ä b#%20.png"]
    assert (one.size, read(one.path)) == (2, (b"22", one))
    assert [one.path for one in list_objects(f"{bucket}/ab/3.png")] == [f"{bucket}/ab/3.png"]
    object_store.put(one.path, b"33")
    assert read(one.path)[1].version != one.version
    with pytest.raises(FileNotFoundError):
        read(f"{bucket}/none.png")


def test_an_error_of_the_storage_has_no_credentials(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = object_store.bucket()
    object_store.put(f"{bucket}/a.png", b"1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-" + SECRET)
    storage.bucket_store.cache_clear()
    try:
        for failing in (lambda: read(f"{bucket}/a.png"), lambda: list(list_objects(bucket))):
            with pytest.raises(StorageError) as raised:
                failing()
            assert SECRET not in str(raised.value)
            assert raised.value.__cause__ is None
    finally:
        storage.bucket_store.cache_clear()


def test_files_are_read_with_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"abc")
    assert read(str(path)) == (b"abc", Found(str(path), 3, path.stat().st_mtime_ns))
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="not a regular file"):
        read(str(tmp_path / "pipe.png"))


def test_too_large_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MAX_BYTES", 2)
    (tmp_path / "a.png").write_bytes(b"abc")
    with pytest.raises(InputError, match="maximum"):
        read(str(tmp_path / "a.png"))


@pytest.mark.parametrize("where", ["folder", "object storage"])
def test_the_same_photos_are_found_everywhere(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    names = ["a.png", "x.txt", "b/c.JPG", "b/.hidden.png", ".b/c.png", "node_modules/a.png", "b/draft/d.png", "e/f.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"x")
    root = str(tmp_path)
    if where == "object storage":
        store: ObjectStore = request.getfixturevalue("object_store")
        root = f"{store.bucket()}/photos"
        store.upload(tmp_path, root)
    found = list(find_photos([root], excluded=[f"{root}/e"], rules=ScanRules(("draft/",))))
    assert sorted(one.path.removeprefix(root) for one in found) == ["/a.png", "/b/c.JPG"]


def test_what_cannot_be_listed(object_store: ObjectStore, tmp_path: Path) -> None:
    folders = [str(tmp_path / "none"), "s3://no-such-bucket-anywhere/x"]
    found = list(find_photos(folders))
    assert all(isinstance(one, Unreadable) and one.unlisted for one in found)
    assert sorted(one.path for one in found) == sorted(folders)


def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    (found,) = find_photos([str(tmp_path)])
    assert isinstance(found, Unreadable)
    assert (found.reason, found.unlisted) == ("its name is not valid text", False)
