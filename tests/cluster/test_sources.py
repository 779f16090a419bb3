"""Tar shards, Parquet files and lists of photos as sources of a library, on disk and in object storage."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from object_store import ObjectStore, need_cluster
from served import as_bytes, picture
from sketchseek.errors import InputError, LibraryError
from sketchseek.models.package import ModelPackage

need_cluster()

from sketchseek.cluster import tar_shards
from sketchseek.cluster.copying import copy_library
from sketchseek.cluster.embedding import Job, Written
from sketchseek.cluster.library import LanceLibrary
from sketchseek.cluster.members import Member
from sketchseek.cluster.runners import Block, run_here
from sketchseek.cluster.sources import kind_of
from sketchseek.errors import StorageError
from sketchseek.search.object_path import ObjectPath
from sketchseek.search.params import Filter

pytestmark = pytest.mark.slow

Put = Callable[[str, bytes], str]


@pytest.fixture(params=["folder", "object storage"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder or a bucket."""
    if request.param == "folder":
        return str(tmp_path / "place")
    store: ObjectStore = request.getfixturevalue("object_store")
    return store.bucket()


@pytest.fixture
def put(place: str, request: pytest.FixtureRequest) -> Put:
    """Writes a file or an object, and returns its path."""

    def write(name: str, data: bytes) -> str:
        if place.startswith("s3://"):
            request.getfixturevalue("object_store").put(f"{place}/{name}", data)
        else:
            Path(place, name).parent.mkdir(parents=True, exist_ok=True)
            Path(place, name).write_bytes(data)
        return f"{place}/{name}"

    return write


@pytest.fixture
def library(place: str, tiny_model: ModelPackage) -> Iterator[LanceLibrary]:
    with LanceLibrary.open(f"{place}/library", tiny_model.path, create=True) as made:
        yield made


def tar(files: Iterable[tuple[str, bytes]]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as made:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def parquet(columns: dict[str, Any], rows: int = 3) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = io.BytesIO()
    pq.write_table(pa.table(columns), data, row_group_size=rows)
    return data.getvalue()


def photos(numbers: Iterable[int]) -> list[tuple[str, bytes]]:
    return [(f"{number}.png", as_bytes(picture(number))) for number in numbers]


def embedded(library: LanceLibrary) -> list[str]:
    """Record the paths that are embedded from now on."""
    paths: list[str] = []

    def runner(job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
        taken = list(blocks)
        paths.extend(task.path for block in taken for task in block)
        yield from run_here(job, taken)

    library.runner = runner
    return paths


def names(library: LanceLibrary, folder: str) -> list[str]:
    return sorted(str(one.path).removeprefix(f"{folder}/") for one in library.browse(k=1000))


def check(library: LanceLibrary) -> None:
    assert library.verify(sample=100).problems == []


def test_tar_shards(library: LanceLibrary, place: str, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_shards, "NEIGHBORS", 2)
    extra = [("a/0.json", b"{}"), (".hidden.png", b""), ("bad.png", b"no picture"), ("b//up.png", b"")]
    put("shards/0.tar", tar([*photos(range(5)), *extra, ("0.png", as_bytes(picture(40)))]))
    second = put("shards/1.tar", tar(photos(range(5, 8))))
    put("shards/readme.md", b"x")
    done = embedded(library)
    report = library.add([f"{place}/shards/*.tar"])
    assert (report.indexed, report.failed) == (8, 2)
    expected = [f"0.tar/{n}.png" for n in range(5)] + [f"1.tar/{n}.png" for n in range(5, 8)]
    assert names(library, f"{place}/shards") == expected
    reasons = {one.path.name: one.reason for one in library.failures()}
    assert "not a picture" in reasons["bad.png"]
    assert reasons["up.png"] == "its name has an empty part"
    one = next(one for one in library.browse(k=100) if str(one.path).endswith("0.tar/0.png"))
    assert isinstance(one.path, ObjectPath)
    assert library.photo_bytes(one.id) == as_bytes(picture(40))  # the last of two with one name
    assert library.count(Filter(folder=f"{place}/shards/1.tar")) == 3
    check(library)
    # Nothing is read again if nothing changed, and only the shard that did otherwise.
    done.clear()
    monkeypatch.setattr("sketchseek.cluster.sources.list_tar", lambda _: pytest.fail("a tar is read again"))
    again = tar_shards.list_tar
    put("shards/0.tar", tar(photos(range(5))))
    monkeypatch.setattr("sketchseek.cluster.sources.list_tar", again)
    assert library.sync().indexed == 5
    assert {path.rpartition("/")[0] for path in done} == {f"{place}/shards/0.tar"}
    monkeypatch.setattr("sketchseek.cluster.sources.list_tar", lambda _: pytest.fail("a tar is read again"))
    report = library.sync()
    assert (report.indexed, report.unchanged, library.failures()) == (0, 8, [])
    assert library.remove([second]) == 3
    assert (library.sync().indexed, len(library)) == (0, 5)
    check(library)


def test_a_damaged_shard_keeps_its_photos(library: LanceLibrary, put: Put) -> None:
    data = tar(photos(range(6)))
    shard = put("0.tar", data)
    assert library.add([shard]).indexed == 6
    put("0.tar", data[: len(data) // 2])  # it ends between two photos
    report = library.sync()
    assert (report.failed, report.removed, len(library)) == (1, 0, 6)
    assert [(str(one.path), "damaged" in one.reason) for one in library.failures()] == [(shard, True)]
    put("0.tar", data)
    assert (library.sync().failed, library.failures(), len(library)) == (0, [], 6)
    put("0.tar", data[:5000])  # and in one
    assert (library.sync().failed, len(library)) == (1, 6)
    put("0.tar", b"no tar at all, but as long as one" * 100)
    assert (library.sync().failed, len(library)) == (1, 6)


def test_a_run_over_shards_that_ends_early_is_continued(
    library: LanceLibrary, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_shards, "NEIGHBORS", 2)
    monkeypatch.setattr("sketchseek.cluster.indexing.COMMIT_EVERY", 0.0)
    shard = put("0.tar", tar(photos(range(10))))

    def runner(job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
        for number, written in enumerate(run_here(job, blocks)):
            if number == 2:
                raise KeyboardInterrupt
            yield written

    library.runner = runner
    with pytest.raises(KeyboardInterrupt):
        library.add([shard])
    assert len(library) == 4
    done = embedded(library)
    assert (library.sync().indexed, len(done), len(library)) == (6, 6, 10)
    check(library)


def test_a_shard_that_changes_while_it_is_indexed(library: LanceLibrary, put: Put) -> None:
    shard = put("0.tar", tar(photos(range(3))))

    def runner(job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
        taken = list(blocks)
        put("0.tar", tar(photos(range(10, 14))))
        yield from run_here(job, taken)

    library.runner = runner
    assert library.add([shard]).failed == 3
    assert {one.reason for one in library.failures()} == {"its container has changed"}
    library.runner = run_here
    assert (library.sync().indexed, len(library), library.failures()) == (4, 4, [])
    put("0.tar", tar(photos([1])))
    with pytest.raises(StorageError, match=r"has changed.*\n.*sketchseek sync"):
        library.photo_bytes(library.browse(k=1)[0].id)


@pytest.mark.parametrize("form", ["bytes", "struct"])
def test_parquet_files_with_pictures(library: LanceLibrary, place: str, put: Put, form: str) -> None:
    values: list[Any] = [data for _, data in photos(range(7))] + [None, b"no picture"]
    if form == "struct":
        values = [{"bytes": value, "path": "x.png"} for value in values]
    put("table/part-0.parquet", parquet({"label": list(range(9)), "image": values}))
    done = embedded(library)
    report = library.add([f"{place}/table/*.parquet"])
    assert (report.indexed, report.failed) == (7, 2)
    assert {one.path.name: one.reason.partition(":")[0] for one in library.failures()} == {
        "00000007": "the row has no picture",
        "00000008": next(one.reason for one in library.failures() if one.path.name == "00000008").partition(":")[0],
    }
    (found,) = [one for one in library.browse(k=100) if one.path.name == "00000005"]
    assert library.photo_bytes(found.id) == as_bytes(picture(5))
    done.clear()
    assert (library.sync().indexed, done) == (0, [])
    put("table/part-0.parquet", parquet({"image": values[:2]}))
    assert (library.sync().indexed, len(library), library.failures()) == (2, 2, [])
    check(library)
    put("table/part-0.parquet", b"no parquet")
    report = library.sync()
    assert (report.failed, len(library)) == (1, 2)
    assert "no Parquet file" in library.failures()[0].reason


def test_a_parquet_file_without_photos(library: LanceLibrary, put: Put) -> None:
    put("x.parquet", parquet({"a": ["1"], "b": ["2"]}))
    report = library.add([put("x.parquet", parquet({"a": ["1"], "b": ["2"]}))])
    assert report.failed == 1
    assert "(a, b); name one image or uri" in library.failures()[0].reason


@pytest.mark.parametrize("form", ["txt", "jsonl", "parquet"])
def test_lists_of_photos(library: LanceLibrary, place: str, put: Put, form: str) -> None:
    def write(numbers: Iterable[object]) -> str:
        keys = [f"photos/{number}.png" for number in numbers]
        if form == "parquet":
            return put("list.parquet", parquet({"uri": keys, "label": keys}))
        lines = keys if form == "txt" else [json.dumps({"key": key}) for key in keys]
        return put(f"list.{form}", "\n".join(["", *lines, ""]).encode())

    for name, data in photos(range(6)):
        put(f"photos/{name}", data)
    done = embedded(library)
    report = library.add([write([0, 1, 2, "none"])])
    assert (report.indexed, report.failed, names(library, f"{place}/photos")) == (3, 1, ["0.png", "1.png", "2.png"])
    assert [(one.path.name, one.reason) for one in library.failures()] == [
        ("none.png", "there is no such file or object")
    ]
    check(library)
    put("photos/1.png", as_bytes(picture(50)))
    done.clear()
    assert library.add([write([1, 2, 3])]).indexed == 2  # new, and changed
    assert sorted(path.rpartition("/")[2] for path in done) == ["1.png", "3.png"]
    assert (names(library, f"{place}/photos"), library.failures()) == (["1.png", "2.png", "3.png"], [])
    # The folder is added, too: the photos of both are there once, and stay when the list is removed from the library.
    assert library.add([f"{place}/photos"]).indexed == 3
    assert (len(library), library.sync().unchanged) == (6, 6)
    check(library)


def test_photos_of_lists_are_removed(library: LanceLibrary, place: str, put: Put) -> None:
    for name, data in photos(range(3)):
        put(f"photos/{name}", data)
    source = put("list.txt", b"photos/0.png\nphotos/1.png\nphotos/2.png\n")
    library.add([source])
    assert library.remove([f"{place}/photos/1.png"]) == 1
    assert (library.sync().indexed, len(library)) == (0, 2)
    assert library.remove([source]) == 2
    assert library.status().folders == []


def test_entries_of_a_list_that_name_no_photo(library: LanceLibrary, place: str, put: Put) -> None:
    lines = ["{", "[]", '{"etag": "x"}', '"ftp://host/a.png"', '"s3://key:hunter2@bucket/a.png"', "{}"]
    report = library.add([put("list.jsonl", "\n".join(lines).encode())])
    assert report.failed == len(lines)
    reasons = {str(one.path).removeprefix(f"{place}/list.jsonl line "): one.reason for one in library.failures()}
    assert reasons["1"] == "the line is not JSON"
    assert reasons["4"] == "unknown scheme 'ftp'"
    assert "hunter2" not in json.dumps(reasons)
    put("list.txt", b"\xff\xfe")
    library.add([f"{place}/list.txt"])
    assert "the list is not valid UTF-8" in {one.reason for one in library.failures()}


def test_a_list_in_object_storage_names_no_files(object_store: ObjectStore, tiny_model: ModelPackage) -> None:
    bucket = object_store.bucket()
    object_store.put(f"{bucket}/list.txt", b"/etc/photo.png\nfile:///etc/photo.png\n")
    with LanceLibrary.open(f"{bucket}/library", tiny_model.path, create=True) as library:
        library.add([f"{bucket}/list.txt"])
        assert {one.reason for one in library.failures()} == {
            "a list in object storage cannot name a file of a machine"
        }


def test_an_etag_in_a_list_saves_a_request(
    object_store: ObjectStore, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sketchseek.cluster import key_lists
    from sketchseek.cluster.storage import head

    bucket = object_store.bucket()
    object_store.put(f"{bucket}/a.png", as_bytes(picture(1)))
    etag = head(f"{bucket}/a.png").version.strip('"')
    object_store.put(f"{bucket}/list.jsonl", json.dumps({"key": "a.png", "etag": etag}).encode())
    monkeypatch.setattr(key_lists, "head", lambda path: pytest.fail(f"{path} is asked for"))
    with LanceLibrary.open(f"{bucket}/library", tiny_model.path, create=True) as library:
        assert library.add([f"{bucket}/list.jsonl"]).indexed == 1
        assert library.sync().unchanged == 1


def test_a_source_that_is_missing_keeps_its_photos(library: LanceLibrary, place: str, put: Put) -> None:
    for name, data in photos(range(2)):
        put(name, data)
    source = put("list.txt", b"0.png\n1.png")
    library.add([source])
    if place.startswith("s3://"):
        import obstore

        from sketchseek.cluster.storage import bucket_store

        obstore.delete(bucket_store(place), "list.txt")
    else:
        Path(source).unlink()
    report = library.sync()
    assert (report.failed, report.removed, len(library)) == (1, 0, 2)
    put("list.txt", b"0.png")
    assert (library.sync().removed, library.failures()) == (1, [])


def test_sources_that_are_not_there(tmp_path: Path, tiny_model: ModelPackage) -> None:
    with LanceLibrary.open(tmp_path / "library", tiny_model.path, create=True) as library:
        for name in ("none.tar", "*.tar", "none/*.tar"):
            with pytest.raises(InputError, match="no such folder or file"):
                library.add([tmp_path / name])


def test_photos_of_a_shard_are_not_copied_to_a_folder(tmp_path: Path, tiny_model: ModelPackage) -> None:
    (tmp_path / "0.tar").write_bytes(tar(photos(range(2))))
    with LanceLibrary.open(tmp_path / "library", tiny_model.path, create=True) as library:
        library.add([tmp_path / "0.tar"])
    with pytest.raises(LibraryError, match="tar or Parquet files"):
        copy_library(tmp_path / "library", tmp_path / "copy")
    assert copy_library(tmp_path / "library", f"file://{tmp_path}/other").copied == 2
    with LanceLibrary.open(tmp_path / "other") as copied:
        assert (copied.sync().unchanged, copied.photo_bytes(1)) == (2, as_bytes(picture(0)))


def test_kinds(tmp_path: Path) -> None:
    kinds = {name: kind_of(f"s3://b/{name}") for name in ("p", "a.tar", "*.parquet", "k.txt", "k.JSONL", "a.tar/b")}
    assert kinds == {
        "p": "folder",
        "a.tar": "tar",
        "*.parquet": "parquet",
        "k.txt": "keys",
        "k.JSONL": "keys",
        "a.tar/b": "folder",
    }
    (tmp_path / "x.tar").mkdir()
    assert kind_of(str(tmp_path / "x.tar")) == "folder"


def test_the_version_of_a_member() -> None:
    member = Member("tar", 12, (512, 99), 3, '"etag:with:colons"')
    assert Member.parse(member.text()) == member
    for other in (None, "", '"etag"', "tar:x", "tar:1:2:3:x:e"):
        assert Member.parse(other) is None
