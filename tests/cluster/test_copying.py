from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from object_store import ObjectStore, need_cluster
from served import picture
from sketchseek.errors import LibraryError, ModelMismatchError
from sketchseek.models.package import ModelPackage
from sketchseek.search.colors import PaletteColor
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.results import IndexProgress
from tiny_model import write_tiny_package

need_cluster()

from sketchseek.cluster import copying
from sketchseek.cluster.copying import copy_library
from sketchseek.cluster.library import LanceLibrary

pytestmark = pytest.mark.slow

COUNT = 12
LINES = [[[10, 200, 200], [10, 10, 90]]]
XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">
Walrus on ice</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"""
QUERIES = (
    Query(text="walrus"),
    Query(text="photos 0"),
    Query((Example(sketch=LINES),), text="photo b"),
    Query(colors=(PaletteColor("orange"),)),
)


@pytest.fixture
def source(tmp_path: Path, tiny_model: ModelPackage) -> Path:
    """A library in a folder, with a failure, an excluded folder, a pattern, and a gap in its ids."""
    photos = tmp_path / "photos"
    for number in range(COUNT + 1):
        path = photos / ("ä" if number % 2 else "b") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
    (photos / "c").mkdir()
    picture(99).save(photos / "c" / "gone.png")
    (photos / "bad.png").write_bytes(b"no picture")
    (photos / "b" / "02.png.xmp").write_bytes(XMP)
    with LocalLibrary.create(tmp_path / "source", tiny_model.path) as library:
        library.add([photos], exclude=["draft*"])
        library.remove([photos / "c", photos / "b" / "00.png"])
    return tmp_path / "source"


def same(first: Library, second: Library) -> Iterator[bool]:
    """Compare what two libraries say and find."""
    one, other = first.status(), second.status()
    yield (
        (one.photos, one.failures, one.exclude) == (other.photos, other.failures, other.exclude) == (12, 1, ["draft*"])
    )
    yield [str(path) for path in one.folders] == [str(path) for path in other.folders]
    yield [str(path) for path in one.excluded] == [str(path) for path in other.excluded]
    yield first.failures() == second.failures()
    found, expected = first.search(LINES, k=99), second.search(LINES, k=99)
    yield [result.path for result in found] == [result.path for result in expected]
    yield bool(np.allclose([result.score for result in found], [result.score for result in expected], atol=1e-3))
    for query in QUERIES:
        results, wanted = first.search_query(query, k=99), second.search_query(query, k=99)
        yield len(results) > 0
        yield [one.path for one in results] == [one.path for one in wanted]
        yield [round(one.score, 3) for one in results] == [round(one.score, 3) for one in wanted]
    report = second.sync()
    yield (report.indexed, report.unchanged, report.removed) == (0, COUNT, 0)
    yield second.verify(sample=3).problems == []


@pytest.mark.parametrize("where", ["folder", "object storage"])
def test_there_and_back(where: str, source: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = (tmp_path / "lance").as_uri()
    if where == "object storage":
        store: ObjectStore = request.getfixturevalue("object_store")
        address = f"{store.bucket()}/library"
    there = copy_library(source, address)
    assert (there.copied, there.present, there.failures) == (COUNT, 0, 1)
    assert copy_library(source, address) == copying.CopyReport(0, COUNT, 1, there.checksum)
    with LocalLibrary.open(source) as first, LanceLibrary.open(address) as second:
        assert all(same(first, second))
        assert [one.id for one in first.browse("path")] == [one.id for one in second.browse("path")]
        known, copied = first.browse("path")[0], second.browse("path")[0]
        assert known == copied
    back = copy_library(address, tmp_path / "back")
    assert (back.copied, back.checksum) == (COUNT, there.checksum)
    with LocalLibrary.open(source) as first, LocalLibrary.open(tmp_path / "back") as second_local:
        assert all(same(first, second_local))


@pytest.mark.parametrize("way", ["there", "back"])
def test_an_interrupted_copy_is_continued(
    way: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PART", 5)
    target = (tmp_path / "target").as_uri() if way == "there" else str(tmp_path / "target")
    if way == "back":
        copy_library(source, (tmp_path / "lance").as_uri())
        source = tmp_path / "lance"

    def interrupt(progress: IndexProgress) -> None:
        if progress.done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_library(source, target, interrupt)
    report = copy_library(source, target)
    assert (report.copied, report.present) == (2, 10)
    with Library.open(source) as first, Library.open(target) as second:
        assert all(same(first, second))


def test_a_target_with_other_photos_or_another_model(source: Path, tmp_path: Path, tiny_model: ModelPackage) -> None:
    picture(7).save(tmp_path / "other.png")
    for target in ((tmp_path / "lance").as_uri(), str(tmp_path / "folder")):
        with Library.open(target, tiny_model.path, create=True) as library:
            library.add([tmp_path / "other.png"])
        with pytest.raises(LibraryError, match="other photos"):
            copy_library(source, target)
    other = write_tiny_package(tmp_path / "model", seed=5)
    for target in ((tmp_path / "lance2").as_uri(), str(tmp_path / "folder2")):
        Library.create(target, other.path).close()
        with pytest.raises(ModelMismatchError):
            copy_library(source, target)


def test_photos_in_object_storage_do_not_fit_into_a_folder(
    object_store: ObjectStore, source: Path, tmp_path: Path, tiny_model: ModelPackage
) -> None:
    bucket = object_store.bucket()
    object_store.upload(tmp_path / "photos", f"{bucket}/photos")
    with LanceLibrary.open(f"{bucket}/library", tiny_model.path, create=True) as library:
        library.add([f"{bucket}/photos/b"])
    with pytest.raises(LibraryError, match="object storage"):
        copy_library(f"{bucket}/library", tmp_path / "folder")
    report = copy_library(f"{bucket}/library", (tmp_path / "lance").as_uri())
    with LanceLibrary.open(tmp_path / "lance") as second:
        assert (report.copied, second.sync().indexed) == (7, 0)
