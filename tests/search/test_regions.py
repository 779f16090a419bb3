"""Libraries with regions, and searches for the two objects of a sketch."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from served import picture
from sketchseek.encoder import Encoder
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog.region_store import RegionStore
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.feedback import mean_of_examples
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.params import Filter
from sketchseek.search.regions import HALVES, halves_of, layout_scores
from sketchseek.search.results import IndexProgress
from sketchseek.sketches.parts import sketch_parts
from tiny_model import write_tiny_package

TWO = [[[0, 60, 60, 0, 0], [0, 0, 60, 60, 0]], [[150, 200, 170, 150], [10, 20, 60, 10]]]
ONE = TWO[:1]
COUNT = 12


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(COUNT):
        whole = Image.new("RGB", (160, 80))
        whole.paste(picture(number).resize((80, 80)), (0, 0))
        whole.paste(picture(number + 20).resize((80, 80)), (80, 0))
        whole.save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def library(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> LocalLibrary:
    with LocalLibrary.create(tmp_path / "library", tiny_model.path) as opened:
        opened.add([photos], regions=True)
    return opened


def stored(library: Path, model: ModelPackage) -> int:
    with closing(sqlite3.connect(library / RegionStore.FILE)) as connection:
        return int(connection.execute("SELECT count(*) FROM derived").fetchone()[0])


def expected_scores(photos: Path, model: ModelPackage) -> dict[str, float]:
    """Score the photos by what the regions should be, computed here one by one."""
    encoder = Encoder(model)
    parts = sketch_parts(TWO)
    scores = {}
    for path in photos.iterdir():
        pixels = np.asarray(Image.open(path).convert("RGB").resize((2 * encoder.manifest.photo.size,) * 2))
        whole = encoder.encode_photo(path)
        every = encoder.encode_photo_pixels(halves_of(pixels, encoder.manifest.photo.size))
        best = []
        for part in parts:
            embedding = encoder.encode_sketch(part.sketch)
            x, y = part.middle
            some = [whole, *(e for e, (a, b, c, d) in zip(every, HALVES, strict=True) if a <= x <= c and b <= y <= d)]
            best.append(max(float(one @ embedding) for one in some))
        scores[path.name] = sum(best) / 2
    return scores


def names(results: object) -> list[str]:
    return [one.path.name for one in results]  # type: ignore[attr-defined]


def test_two_objects_are_found_by_their_halves(tmp_path: Path, photos: Path, library: LocalLibrary) -> None:
    with LocalLibrary.open(library.path) as opened:
        model = opened.encoder.package
        query = Query((Example(sketch=TWO),), parts=True)
        found = opened.search_query(query, k=COUNT)
        assert found[0].parts.keys() == {"parts", "examples"}
        by_parts = sorted(found, key=lambda one: -one.parts["parts"])
        expected = expected_scores(photos, model)
        scores = [expected[name] for name in names(by_parts)]
        assert max(scores) - min(scores) > 0.005
        assert np.diff(scores).max() < 0.001  # but for rounding, in order
        page = opened.search_query(query, k=2, offset=1)
        assert [one.id for one in page] == [one.id for one in found[1:3]]
        inside = Filter(folder=photos / "03.png")
        assert names(opened.search_query(query, filter=inside)) == ["03.png"]
        assert opened.count_query(query) == COUNT
        assert opened.search_query(query, filter=Filter(folder=tmp_path / "nowhere")) == []


def test_nothing_changes_for_one_object(library: LocalLibrary) -> None:
    with LocalLibrary.open(library.path) as opened:
        plain = opened.search(ONE, k=COUNT)
        asked = opened.search_query(Query((Example(sketch=ONE),), parts=True), k=COUNT)
        assert [(one.id, one.score) for one in asked] == [(one.id, one.score) for one in plain]
        several = (Example(sketch=TWO), Example(sketch=ONE))
        with_parts = opened.search_query(Query(several, parts=True), k=COUNT)
        assert names(with_parts) == names(opened.search_query(Query(several), k=COUNT))


def test_without_regions_the_mean_of_the_objects_is_searched(
    tmp_path: Path, photos: Path, tiny_model: ModelPackage
) -> None:
    with LocalLibrary.create(tmp_path / "plain", tiny_model.path) as opened:
        opened.add([photos])
        assert not RegionStore.exists(opened.path)
        found = opened.search_query(Query((Example(sketch=TWO),), parts=True), k=COUNT)
        embeddings = opened.encoder.encode_sketches([part.sketch for part in sketch_parts(TWO)])
        mean, _ = mean_of_examples(embeddings, [1, 1], [False, False], distance="cosine")
        by_parts = sorted(found, key=lambda one: -one.parts["parts"])
        assert names(by_parts) == names(opened.search_embedding(mean, k=COUNT))


def test_regions_follow_the_photos(photos: Path, library: LocalLibrary, tiny_model: ModelPackage) -> None:
    path = library.path
    assert stored(path, tiny_model) == COUNT
    seen: list[IndexProgress] = []
    with LocalLibrary.open(path) as opened:
        (photos / "00.png").unlink()
        picture(77).save(photos / "new.png")
        (photos / "copy.png").write_bytes((photos / "01.png").read_bytes())
        opened.sync(seen.append)  # the choice is kept
        assert [(one.done, one.total) for one in seen if one.stage == "regions"] == [(1, 1)]
        assert stored(path, tiny_model) == COUNT
        assert opened.verify().problems == []
        opened.add([photos], regions=False)
        assert not RegionStore.exists(path)
        opened.sync()
        assert not RegionStore.exists(path)


def test_damaged_lost_and_outdated_regions(tmp_path: Path, library: LocalLibrary, tiny_model: ModelPackage) -> None:
    path = library.path
    query = Query((Example(sketch=TWO),), parts=True)
    with LocalLibrary.open(path) as opened:
        whole = names(opened.search_query(query, k=COUNT))
        with closing(sqlite3.connect(path / RegionStore.FILE)) as connection, connection:
            connection.execute("UPDATE derived SET data = zeroblob(length(data))")
        assert len(opened.search_query(query, k=COUNT)) == COUNT  # damaged halves do not count
        assert any("regions" in problem for problem in opened.verify().problems)
        opened.sync()
        assert opened.verify().problems == []
        assert names(opened.search_query(query, k=COUNT)) == whole
        (path / RegionStore.FILE).write_bytes(b"no database" * 1000)
        assert len(opened.search_query(query, k=COUNT)) == COUNT
        opened.sync()
        assert names(opened.search_query(query, k=COUNT)) == whole
        other = write_tiny_package(tmp_path / "other", seed=5)
        opened.re_embed(other.path)
        assert stored(path, other) == COUNT
        assert opened.verify().problems == []


def test_an_interrupt_keeps_what_was_committed(
    tmp_path: Path, photos: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sketchseek.search.derived_index.COMMIT_EVERY", 0.0)
    monkeypatch.setattr("sketchseek.search.derived_index.BLOCK", 1)
    monkeypatch.setattr("sketchseek.search.derived_index.available_cores", lambda: 1)

    def stop(progress: IndexProgress) -> None:
        if progress.stage == "regions" and progress.done >= 4:
            raise KeyboardInterrupt

    with LocalLibrary.create(tmp_path / "library", tiny_model.path) as opened:
        with pytest.raises(KeyboardInterrupt):
            opened.add([photos], stop, regions=True)
        assert 4 <= stored(opened.path, tiny_model) < COUNT
        opened.sync()
        assert stored(opened.path, tiny_model) == COUNT


def test_halves_are_halves() -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, 20:] = 200
    left, right, top, bottom = halves_of(pixels, 10)
    assert (left.max(), right.min()) == (0, 200)
    assert {*np.unique(top)} == {*np.unique(bottom)} >= {0, 200}


def test_layout_scores_of_both_distances() -> None:
    random = np.random.default_rng(0)
    parts, photos = random.standard_normal((2, 6)), random.standard_normal((5, 6))
    regions = random.standard_normal((5, 4, 6))
    middles = [(0.2, 0.3), (0.8, 0.3)]
    for distance in ("cosine", "euclidean"):
        found = layout_scores(parts, middles, photos, regions, distance)  # type: ignore[arg-type]
        for row in range(5):

            def score(a: np.ndarray, b: np.ndarray, kind: str = distance) -> float:
                return float(a @ b) if kind == "cosine" else -float(np.linalg.norm(a - b))

            left = max(score(one, parts[0]) for one in (photos[row], regions[row, 0], regions[row, 2]))
            right = max(score(one, parts[1]) for one in (photos[row], regions[row, 1], regions[row, 2]))
            assert found[row] == pytest.approx((left + right) / 2, rel=1e-5)


def test_a_store_of_another_model_or_version_is_cleared(tmp_path: Path) -> None:
    some = [(b"a", np.ones((4, 3), np.float16))]
    store = RegionStore(tmp_path, "one", 3, write=True)
    store.add(some)
    assert store.damaged() == 0
    store.close()
    store = RegionStore(tmp_path, "two", 3)
    assert store.read([b"a"]) == {}
    store.close()
    store = RegionStore(tmp_path, "two", 3, write=True)
    assert store.digests() == set()
    store.close()
