"""Several sketches and photos, and words, from the library down to the catalog."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sketchseek.errors import EmptySketchError, InputError
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog import FILE
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.feedback import WEIGHTS, mean_of_examples
from sketchseek.search.library import Library
from sketchseek.search.params import Filter
from tiny_model import write_tiny_package

SKETCH = [[[0, 9], [0, 9]]]
OTHER = [[[0, 9, 9], [9, 9, 0]]]
NAMES = [
    "Beach 2019/IMG_20190704 Sunset.jpg",
    "Beach 2019/dog.jpg",
    "Beach 2020/Strandurlaub.jpg",
    "東京タワー旅行/写真.png",
    "Zürich/KätzchenFoto.png",
    "x/CatalogPage.jpg",
    "x/cat.jpg",
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named") / "photos"
    for seed, name in enumerate(NAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        exif = Image.Exif()
        if name.endswith("dog.jpg"):
            exif[270], exif[271], exif[306] = "Ein Hund am Strand", "Canon", "2019:07:05 10:00:00"
        Image.fromarray(cells).resize((32, 32), Image.Resampling.NEAREST).save(path, exif=exif)
    return folder


@pytest.fixture(scope="module")
def library(photos: Path, tiny_model: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with Library.create(tmp_path_factory.mktemp("named") / "library", tiny_model.path) as library:
        library.add([photos])
        yield library


def found(library: Library, text: str, **options: Any) -> list[str]:
    return [result.path.stem for result in library.search_query(Query(text=text, **options), k=50)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("beach", ["dog", "IMG_20190704 Sunset", "Strandurlaub"]),
        ("2019 beach", ["dog", "IMG_20190704 Sunset"]),
        ("baech 2019", ["dog", "IMG_20190704 Sunset"]),
        ("suns", ["IMG_20190704 Sunset"]),
        ("cat", ["cat", "CatalogPage"]),
        ("Juli", ["dog"]),
        ("canon hund", ["dog"]),
        ("urlaub", ["Strandurlaub"]),
        ("東京", ["写真"]),
        ("京タ", ["写真"]),
        ("zurich", ["KätzchenFoto"]),
        ("ZÜRICH", ["KätzchenFoto"]),
        ("submarine", []),
        ("photos", [Path(name).stem for name in NAMES]),
        ('"NEAR( OR *', []),
        ("...", []),
    ],
)
def test_words_find_names_and_captions(library: Library, text: str, expected: list[str]) -> None:
    results = found(library, text, text_mode="require")
    assert sorted(results) == sorted(expected)
    if text == "cat":
        assert results == expected  # the word itself before a longer one


def test_some_of_the_words_come_after_all_of_them(library: Library) -> None:
    assert found(library, "beach 2019")[2:] == ["Strandurlaub"]
    assert found(library, "beach submarine", text_mode="require") == []
    assert len(found(library, "beach submarine")) == 3


def test_one_sketch_is_the_simple_search(library: Library) -> None:
    simple, combined = library.search(SKETCH, k=50), library.search_query(Query((Example(sketch=SKETCH),)), k=50)
    assert [one.id for one in simple] == [one.id for one in combined]
    np.testing.assert_allclose([one.score for one in simple], [one.score for one in combined], atol=1e-6)
    assert combined[0].parts == {}


def test_several_examples_are_the_weighted_mean(library: Library) -> None:
    ids = {one.path.stem: one.id for one in library.search(SKETCH, k=50)}
    query = Query(
        (
            Example(sketch=SKETCH, weight=2),
            Example(photo=ids["cat"], weight=0.5),
            Example(embedding=library.embedding(ids["dog"]) * 3),
            Example(sketch=OTHER, negative=True),
        )
    )
    positive = [library.encoder.encode_sketch(SKETCH), library.embedding(ids["cat"]), library.embedding(ids["dog"])]
    mean = 2 * positive[0] + 0.5 * positive[1] + positive[2] - WEIGHTS.gamma * library.encoder.encode_sketch(OTHER)
    expected = {one.id: one.score for one in library.search_embedding(mean, k=50)}
    results = library.search_query(query, k=50)
    assert {one.id for one in results} == {*expected} - {ids["cat"]}  # the photo itself is not its own result
    for one in results:
        assert one.score == pytest.approx(expected[one.id], abs=1e-3)


def test_a_photo_s_path_is_known(library: Library, photos: Path) -> None:
    path = photos / "x/cat.jpg"
    by_path = library.search_query(Query((Example(photo=path),)), k=50)
    assert path not in [one.path for one in by_path]
    assert [one.id for one in by_path] == [one.id for one in library.search_photo(path, k=50)]


def test_words_move_photos_up(library: Library) -> None:
    alone = [one.path.stem for one in library.search(SKETCH, k=50)]
    last = alone[-1]
    results = library.search_query(Query((Example(sketch=SKETCH),), text=last), k=50)
    assert results[0].path.stem == last
    assert results[0].parts["text"] == pytest.approx(0.5)
    assert len(results) == len(alone)
    for one in results:
        assert sum(one.parts.values()) == pytest.approx(one.score)
    without = library.search_query(Query((Example(sketch=SKETCH),), text=last, text_weight=0), k=50)
    assert [one.path.stem for one in without] == alone


def test_required_words_filter(library: Library) -> None:
    query = Query((Example(sketch=SKETCH),), text="beach", text_mode="require")
    results = library.search_query(query, k=50)
    assert {one.path.parent.name for one in results} == {"Beach 2019", "Beach 2020"}
    order = [one.id for one in library.search(SKETCH, k=50)]
    assert [one.id for one in results] == [photo for photo in order if photo in {one.id for one in results}]
    assert library.count_query(query) == 3


def test_filter_pages_and_counts(library: Library, photos: Path) -> None:
    only = Filter(photos / "Beach 2019")
    for query in (Query(text="beach"), Query((Example(sketch=SKETCH),), text="beach")):
        results = library.search_query(query, k=50, filter=only)
        assert {one.path.parent.name for one in results} == {"Beach 2019"}
        assert library.count_query(query, only) == 2
        every = library.search_query(query, k=50)
        pages = [library.search_query(query, k=2, offset=offset) for offset in (0, 2, 4, 6)]
        assert [one for page in pages for one in page] == every
        assert library.count_query(query) == len(every)


def test_moved_copied_and_removed_photos(tmp_path: Path, tiny_model: ModelPackage, photos: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    original = (photos / "Beach 2019/dog.jpg").read_bytes()
    (folder / "first.jpg").write_bytes(original)
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        library.add([folder])
        (folder / "second.jpg").write_bytes(original)
        library.sync()
        assert sorted(found(library, "hund")) == ["first", "second"]
        (folder / "first.jpg").rename(folder / "renamed.jpg")
        library.sync()
        assert sorted(found(library, "hund")) == ["renamed", "second"]
        assert (found(library, "first"), found(library, "renamed")) == ([], ["renamed"])
        (folder / "second.jpg").unlink()
        library.sync()
        assert found(library, "hund") == ["renamed"]
        exif = Image.Exif()
        exif[270] = "Katze"
        Image.open(folder / "renamed.jpg").save(folder / "renamed.jpg", exif=exif, quality=50)
        library.sync()
        assert (found(library, "hund"), found(library, "katze")) == ([], ["renamed"])


def test_sync_brings_words_to_photos_that_lack_them(tmp_path: Path, tiny_model: ModelPackage, photos: Path) -> None:
    """As after a repair, which saves photos and embeddings but not words."""
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        library.add([photos])
    with closing(sqlite3.connect(tmp_path / "library" / FILE)) as database:
        before = database.execute("SELECT id, embedding, added FROM photos").fetchall()
        for table in ("words", "descriptions"):
            database.execute(f"DELETE FROM {table}")
        database.commit()
    with Library.open(tmp_path / "library") as library:
        assert found(library, "hund") == []
        assert len(library.search(SKETCH)) == len(NAMES)
        stages: list[tuple[str, int, int]] = []
        report = library.sync(lambda now: stages.append((now.stage, now.done, now.total)))
        assert (report.indexed, report.unchanged) == (0, len(NAMES))
        assert ("describe", len(NAMES), len(NAMES)) in stages
        again: list[str] = []
        library.sync(lambda now: again.append(now.stage))
        assert "describe" not in again  # nothing was left to read
        assert found(library, "hund") == ["dog"]
    with closing(sqlite3.connect(tmp_path / "library" / FILE)) as database:
        assert database.execute("SELECT id, embedding, added FROM photos").fetchall() == before


def test_re_embedding_keeps_words(tmp_path: Path, tiny_model: ModelPackage, photos: Path) -> None:
    other = write_tiny_package(tmp_path / "other", seed=1, name="other")
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        library.add([photos])
        library.re_embed(other.path)
        assert found(library, "hund") == ["dog"]
        library.sync()
        assert found(library, "hund") == ["dog"]


def test_invalid_queries(library: Library) -> None:
    for options, message in (
        ({}, "exactly one"),
        ({"sketch": SKETCH, "photo": 1}, "exactly one"),
        ({"sketch": SKETCH, "weight": 0}, "weight of an example is 0"),
        ({"sketch": SKETCH, "weight": float("nan")}, "weight"),
    ):
        with pytest.raises(InputError, match=message):
            Example(**dict[str, Any](options))
    for settings, message in (
        ({}, "nothing to search for"),
        ({"text": " "}, "nothing to search for"),
        ({"examples": (Example(sketch=SKETCH, negative=True),)}, "every example is negative"),
        ({"text": "a", "text_mode": "other"}, "text_mode"),
        ({"text": "a", "text_weight": -1.0}, "weight of the text"),
        ({"text": "a" * 2000}, "characters"),
    ):
        with pytest.raises(InputError, match=message):
            Query(**dict[str, Any](settings))
    with pytest.raises(InputError, match="no photo with id 999"):
        library.search_query(Query((Example(photo=999),)))
    with pytest.raises(EmptySketchError):
        library.search_query(Query((Example(sketch=SKETCH), Example(sketch=[]))))
    with pytest.raises(InputError, match="cancel"):
        library.search_query(
            Query((Example(sketch=SKETCH, weight=WEIGHTS.gamma), Example(sketch=SKETCH, negative=True)))
        )


def test_means_of_euclidean_examples_stay_among_them() -> None:
    positive = np.array([[2.0, 0.0], [0.0, 4.0]], np.float32)
    mean, factors = mean_of_examples(positive, [1, 3], [False, False], distance="euclidean")
    np.testing.assert_allclose(factors @ positive, mean)
    np.testing.assert_allclose(mean, [0.5, 3.0])
    alone, _ = mean_of_examples(positive[:1], [7], [False], distance="euclidean")
    np.testing.assert_allclose(alone, [2.0, 0.0])
