"""One suite for every kind of library: what the local library does is what the others do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from libraries import ARC, KINDS, LINES, Made, assert_same, make
from object_store import ObjectStore, need_cluster
from served import picture
from sketchseek.errors import ImageError, InputError, LibraryError, LibraryNotFoundError
from sketchseek.models.package import ModelPackage
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library import Library
from sketchseek.search.object_path import photo_path
from sketchseek.search.params import Filter
from sketchseek.search.results import SearchResults

need_cluster()

from sketchseek.cluster.library import LanceLibrary

COUNT = 14


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos in two folders, and two files that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        path = folder / ("Even ä" if number % 2 == 0 else "odd") / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        picture(number).save(path)
    (folder / "odd" / "broken.jpg").write_bytes(b"no picture")
    (folder / "odd" / "empty.png").write_bytes(b"")
    (folder / "node_modules").mkdir()
    picture(50).save(folder / "node_modules" / "skipped.png")
    picture(51).save(folder / "odd" / ".hidden.png")
    return folder


@pytest.fixture(scope="module", params=KINDS)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pictures: Path, tiny_model: ModelPackage
) -> Iterator[Made]:
    """A library of each kind with all pictures. Tests must not change it."""
    folder = tmp_path_factory.mktemp("made")
    for one in make(request.param, folder, pictures, tiny_model, lambda: request.getfixturevalue("object_store")):
        report = one.library.add([one.root])
        assert (report.indexed, report.failed, report.unchanged, report.removed) == (COUNT, 2, 0, 0)
        yield one


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, pictures: Path, tiny_model: ModelPackage) -> Iterator[Made]:
    """The local library, which the others are compared with."""
    for one in make("local", tmp_path_factory.mktemp("local"), pictures, tiny_model, lambda: pytest.fail("no store")):
        one.library.add([one.root])
        yield one


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path, pictures: Path, tiny_model: ModelPackage) -> Iterator[Made]:
    """An empty library of each kind, to change."""
    yield from make(request.param, tmp_path, pictures, tiny_model, lambda: request.getfixturevalue("object_store"))


@pytest.mark.parametrize("sketch", [LINES, ARC], ids=["lines", "arc"])
def test_a_sketch_finds_the_same(made: Made, local: Made, sketch: list[list[list[int]]]) -> None:
    every = made.library.search(sketch, k=100)
    assert len(every) == COUNT
    assert_same(made, every, local, local.library.search(sketch, k=100))
    page = made.library.search(sketch, k=3, offset=2)
    assert [(one.rank, one.id) for one in page] == [(one.rank, one.id) for one in every[2:5]]
    assert made.library.search(sketch, k=5, offset=100) == []
    grouped = made.library.search(sketch, k=4, offset=1, group_copies=True)
    assert_same(made, grouped, local, local.library.search(sketch, k=4, offset=1, group_copies=True))


def test_a_photo_finds_its_like_and_not_itself(made: Made, local: Made, pictures: Path) -> None:
    name = "Even ä/04.png"
    expected = local.library.search_photo(local.id_of(name), k=5)
    for photo in (made.id_of(name), f"{made.root}/{name}"):
        found = made.library.search_photo(photo, k=5)
        assert name not in made.names(found)
        assert_same(made, found, local, expected)
    data = (pictures / name).read_bytes()
    assert made.names(made.library.search_photo(data, k=1)) == [name]


def test_an_embedding_and_what_is_none(made: Made, local: Made) -> None:
    embedding = np.random.default_rng(3).standard_normal(16)
    assert_same(
        made,
        made.library.search_embedding(embedding * 7, k=4),
        local,
        local.library.search_embedding(embedding, k=4),
    )
    for wrong in (np.ones(15), np.zeros(16), np.full(16, np.nan), "x"):
        with pytest.raises(InputError):
            made.library.search_embedding(wrong)
    with pytest.raises(InputError):
        made.library.search(LINES, k=0)


def test_filters(made: Made, local: Made) -> None:
    inside = Filter(folder=f"{made.root}/Even ä")
    found = made.library.search(LINES, k=100, filter=inside)
    assert_same(made, found, local, local.library.search(LINES, k=100, filter=Filter(folder=f"{local.root}/Even ä")))
    assert made.library.count(inside) == len(found) == COUNT // 2
    assert made.library.count(Filter(folder=f"{made.root}/Eve")) == 0
    assert made.library.count(Filter(folder=f"{made.root}/odd/03.png")) == 1
    assert made.library.count(Filter(folder_contains="EVEN")) == COUNT // 2
    assert made.library.count(Filter(folder_contains="it's not there")) == 0
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert made.library.count(Filter(before=tomorrow)) == made.library.count() == len(made.library) == COUNT
    assert made.library.search(LINES, filter=Filter(after=tomorrow)) == []
    both = Filter(folder_contains="odd", before=tomorrow)
    assert {name.partition("/")[0] for name in made.names(made.library.search(ARC, k=99, filter=both))} == {"odd"}


def test_browsing(made: Made, local: Made) -> None:
    library = made.library
    paths = [f"{made.root}/{name}" for name in local.names(local.library.search(LINES, k=99))]
    assert [str(one.path) for one in library.browse("path", k=99)] == sorted(paths)
    assert [str(one.path) for one in library.browse("path", k=2, offset=3)] == sorted(paths)[3:5]
    newest = library.browse("newest", k=99)
    assert [one.id for one in newest] == [one.id for one in library.browse("oldest", k=99)][::-1]
    assert newest == sorted(newest, key=lambda one: (-one.mtime_ns, -one.id))
    odd = library.browse("newest", filter=Filter(folder_contains="odd"))
    assert [one.id for one in odd] == [one.id for one in newest if one.path.parent.name == "odd"]
    with pytest.raises(InputError, match="no order"):
        library.browse("color")  # type: ignore[arg-type]


def test_feedback_and_several_examples(made: Made, local: Made) -> None:
    good, bad = "odd/05.png", "Even ä/02.png"

    def refine(one: Made) -> SearchResults:
        return one.library.refine(LINES, positive=[one.id_of(good)], negative=[one.id_of(bad)], k=6)

    def combine(one: Made) -> SearchResults:
        examples = (
            Example(sketch=ARC),
            Example(photo=one.id_of(good), weight=2.0),
            Example(sketch=LINES, negative=True),
        )
        return one.library.search_query(Query(examples), k=6)

    assert_same(made, refine(made), local, refine(local))
    assert bad not in made.names(refine(made))
    assert_same(made, combine(made), local, combine(local))
    with pytest.raises(InputError):
        made.library.refine(LINES, positive=[10**6])


def test_what_it_says_about_itself(made: Made, local: Made, tiny_model: ModelPackage) -> None:
    status = made.library.status()
    assert (status.photos, status.failures, status.dimensions) == (COUNT, 2, 16)
    assert status.fingerprint == tiny_model.manifest.fingerprint
    assert [str(folder) for folder in status.folders] == [made.root]
    assert status.bytes > 1000
    failures = {str(one.path).removeprefix(made.root): one.reason for one in made.library.failures()}
    assert failures == {str(one.path).removeprefix(local.root): one.reason for one in local.library.failures()}
    folders = {str(one.path): one.photos for one in made.library.folders()}
    assert folders == {f"{made.root}/Even ä": COUNT // 2, f"{made.root}/odd": COUNT // 2}
    assert [str(one.path) for one in made.library.folders("OD", limit=1)] == [f"{made.root}/odd"]
    assert made.library.is_built_with(tiny_model.path)


def test_a_photo_and_its_bytes(made: Made, local: Made, pictures: Path) -> None:
    photo, name = made.id_of("odd/07.png"), "odd/07.png"
    known, expected = made.library.photo(photo), local.library.photo(local.id_of(name))
    assert known is not None
    assert expected is not None
    assert (known.width, known.height, known.size) == (expected.width, expected.height, expected.size)
    assert known.path == photo_path(f"{made.root}/{name}")
    assert (known.path.name, known.path.parent.name) == ("07.png", "odd")
    assert made.library.photo_bytes(photo) == (pictures / name).read_bytes()
    np.testing.assert_array_equal(made.library.embedding(photo), local.library.embedding(local.id_of(name)))
    assert made.library.photo(10**6) is None
    for unknown in (made.library.photo_bytes, made.library.embedding):
        with pytest.raises(InputError, match="no photo with id"):
            unknown(10**6)


def test_an_explanation(made: Made, local: Made) -> None:
    name = "odd/07.png"
    found, expected = (one.library.explain(one.id_of(name), LINES) for one in (made, local))
    np.testing.assert_allclose(found.photo_split.shares, expected.photo_split.shares, atol=1e-4)


def test_it_is_sound(made: Made) -> None:
    verified = made.library.verify(sample=COUNT)
    assert verified.problems == []
    assert {"embeddings", "index", "package", "sample"} < {*verified.checks}


def test_it_can_be_opened_again(made: Made) -> None:
    with Library.open(made.library.path, readonly=True) as again:
        assert type(again) is type(made.library)
        assert made.names(again.search(LINES, k=5)) == made.names(made.library.search(LINES, k=5))
        with pytest.raises(LibraryError, match="reading only"):
            again.sync()
        with pytest.raises(LibraryError, match="reading only"):
            again.remove([made.root])


def test_new_changed_and_deleted_photos(fresh: Made, pictures: Path) -> None:
    library = fresh.library
    assert library.add([fresh.root]).indexed == COUNT
    old = fresh.id_of("odd/03.png")
    fresh.write("odd/03.png", (pictures / "odd/05.png").read_bytes() + b"\0")  # decoders stop before it
    fresh.write("odd/new.png", (pictures / "odd/05.png").read_bytes() + b"\0\0")
    fresh.write("odd/broken.jpg", (pictures / "odd/07.png").read_bytes() + b"\0\0")
    fresh.write("Even ä/02.png", None)
    report = library.sync()
    assert (report.indexed, report.removed, report.failed, report.skipped) == (3, 1, 0, 1)
    assert report.unchanged == COUNT - 2
    assert len(library) == COUNT + 1
    assert fresh.id_of("odd/03.png") > old
    assert library.photo(old) is None
    assert [one.path.name for one in library.failures()] == ["empty.png"]
    again = library.sync()
    assert (again.indexed, again.removed, again.failed, again.unchanged) == (0, 0, 0, COUNT + 1)
    assert library.verify(sample=5).problems == []


def test_what_is_removed_stays_away_until_it_is_named(fresh: Made) -> None:
    library = fresh.library
    library.add([fresh.root], exclude=["0*.png"])
    assert sorted(fresh.names(library.search(LINES, k=99))) == [
        "Even ä/10.png",
        "Even ä/12.png",
        "odd/11.png",
        "odd/13.png",
    ]
    library.add([fresh.root], exclude=[""])
    assert len(library) == COUNT
    odd = f"{fresh.root}/odd"
    assert library.remove(odd) == COUNT // 2
    assert library.failures() == []
    library.sync()
    assert (len(library), [str(path) for path in library.status().excluded]) == (COUNT // 2, [odd])
    with pytest.raises(InputError, match="not in the library"):
        library.remove([f"{fresh.root}/nowhere/x.png", odd])
    library.add([odd])
    assert (len(library), library.status().excluded) == (COUNT, [])
    assert library.remove(fresh.root) == COUNT
    assert (len(library), library.status().folders) == (0, [])
    assert library.search(LINES) == []


def test_photos_that_are_gone_when_they_are_read(fresh: Made) -> None:
    fresh.library.add([fresh.root])
    photo = fresh.id_of("odd/01.png")
    fresh.write("odd/01.png", None)
    with pytest.raises(ImageError):
        fresh.library.photo_bytes(photo)


def test_there_is_no_library(tmp_path: Path, object_store: ObjectStore) -> None:
    for path in (str(tmp_path / "none"), (tmp_path / "none").as_uri(), f"{object_store.bucket()}/none"):
        with pytest.raises(LibraryNotFoundError):
            Library.open(path)
    (tmp_path / "full" / "x").mkdir(parents=True)
    with pytest.raises(LibraryError, match="other files"):
        LanceLibrary.create((tmp_path / "full").as_uri())
