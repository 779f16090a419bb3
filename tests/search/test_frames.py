"""Libraries with frames of videos and animated pictures."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from served import picture
from sketchseek.encoder import Encoder
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog.frame_store import FrameStore
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.frames import FrameIndex
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.params import Filter
from sketchseek.search.results import IndexProgress

SHOWN = (1, 30, 31, 32)
"""Which pictures the animation shows, half a second each."""


def animation(numbers: tuple[int, ...] = SHOWN) -> bytes:
    file = io.BytesIO()
    first, *others = [picture(number).resize((64, 64)) for number in numbers]
    first.save(file, "PNG", save_all=True, append_images=others, duration=500)
    return file.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(10):
        picture(number).save(folder / f"{number:02}.png")
    (folder / "film.png").write_bytes(animation())
    return folder


@pytest.fixture
def library(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> Path:
    with LocalLibrary.create(tmp_path / "library", tiny_model.path) as opened:
        opened.add([photos], frames=True)
    return tmp_path / "library"


def later(encoder: Encoder, number: int) -> np.ndarray:
    """The embedding of a picture that the animation shows."""
    return encoder.encode_photo(picture(number).resize((64, 64)))


def test_what_is_shown_later_is_found_with_its_time(library: Path) -> None:
    with LocalLibrary.open(library) as opened:
        best = opened.search_embedding(later(opened.encoder, 31), k=3)[0]
        assert (best.path.name, best.time) == ("film.png", 1.0)
        assert best.score == pytest.approx(1.0, abs=2e-3)
        first = opened.search_embedding(later(opened.encoder, 1), k=11)
        assert {one.path.name: one.time for one in first}["film.png"] is None  # the picture that is shown for it
        assert len(first) == len({one.id for one in first}) == 11  # each file once
        assert all(one.time is None for one in first if one.path.name != "film.png")
        scores = [one.score for one in first]
        assert scores == sorted(scores, reverse=True)
        every = opened.search_embedding(later(opened.encoder, 31), k=11)
        page = opened.search_embedding(later(opened.encoder, 31), k=3, offset=2)
        assert [one.id for one in page] == [one.id for one in every[2:5]]
        assert opened.verify().problems == []
        assert "frames" in opened.verify().checks


def test_filters_words_and_feedback_with_frames(library: Path, photos: Path) -> None:
    with LocalLibrary.open(library) as opened:
        wanted = later(opened.encoder, 31)
        film = opened.search_embedding(wanted, k=1)[0].id
        others = opened.search_embedding(wanted, k=20, filter=Filter(folder=photos / "03.png"))
        assert [one.path.name for one in others] == ["03.png"]
        both = opened.search_query(Query((Example(embedding=wanted),), text="03"), k=20)
        assert {one.path.name: one.time for one in both}["film.png"] == 1.0
        rest = opened.refine(embedding=wanted, negative=[film], k=20)
        assert "film.png" not in [one.path.name for one in rest]
        alone = opened.search_query(Query(text="film"))
        assert [(one.path.name, one.time) for one in alone] == [("film.png", None)]


def test_only_files_that_lack_frames_are_read(library: Path, photos: Path, tiny_model: ModelPackage) -> None:
    def stored() -> int:
        with closing(sqlite3.connect(library / FrameStore.FILE)) as connection:
            return int(connection.execute("SELECT count(*) FROM derived").fetchone()[0])

    seen: list[IndexProgress] = []
    with LocalLibrary.open(library) as opened:
        assert stored() == 11  # pictures that are not animated are remembered, too
        (photos / "film.png").unlink()
        (photos / "other.png").write_bytes(animation((5, 40, 41)))
        (photos / "copy.png").write_bytes(animation((5, 40, 41)))
        opened.sync(seen.append)
        assert [(one.done, one.total) for one in seen if one.stage == "frames"] == [(1, 1)]
        found = opened.search_embedding(later(opened.encoder, 41), k=2)
        assert {(one.path.name, one.time) for one in found} == {("other.png", 1.0), ("copy.png", 1.0)}
        opened.add([photos], frames=False)
        assert not FrameStore.exists(library)
        assert all(one.time is None for one in opened.search_embedding(later(opened.encoder, 41), k=2))


def test_a_second_reader_sees_new_frames(library: Path, photos: Path) -> None:
    with LocalLibrary.open(library, readonly=True) as reader, LocalLibrary.open(library) as writer:
        wanted = later(reader.encoder, 44)
        assert reader.search_embedding(wanted, k=1)[0].time is None
        (photos / "new.png").write_bytes(animation((2, 44)))
        writer.sync()
        best = reader.search_embedding(wanted, k=1)[0]
        assert (best.path.name, best.time) == ("new.png", 0.5)


def test_damaged_frames_do_not_count_and_are_made_again(library: Path) -> None:
    with closing(sqlite3.connect(library / FrameStore.FILE)) as connection, connection:
        connection.execute("UPDATE derived SET data = zeroblob(length(data)) WHERE length(data) > 0")
    with LocalLibrary.open(library) as opened:
        wanted = later(opened.encoder, 31)
        assert all(one.time is None for one in opened.search_embedding(wanted, k=11))
        assert any(problem.startswith("frames: ") for problem in opened.verify().problems)
        opened.sync()
        assert opened.verify().problems == []
        assert opened.search_embedding(wanted, k=1)[0].time == 1.0
    (library / FrameStore.FILE).write_bytes(b"damaged " * 1000)
    with LocalLibrary.open(library) as opened:
        assert len(opened.search_embedding(wanted, k=11)) == 11


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_merged_ranks_are_those_of_all_embeddings(distance: str) -> None:
    random = np.random.default_rng(0)
    own = random.standard_normal((30, 8)).astype(np.float32)
    frames = random.standard_normal((12, 8)).astype(np.float32)
    if distance == "cosine":
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        frames /= np.linalg.norm(frames, axis=1, keepdims=True)
    photos = np.sort(random.integers(0, 30, 12))
    index = FrameIndex(photos, np.arange(12.0), frames, distance)  # type: ignore[arg-type]
    allowed = np.arange(0, 30, 2)
    for seed in range(20):
        query = np.random.default_rng(seed).standard_normal(8).astype(np.float32)
        query /= np.linalg.norm(query)

        def scores(some: np.ndarray, asked: np.ndarray = query) -> np.ndarray:
            return np.asarray(some @ asked if distance == "cosine" else -np.linalg.norm(some - asked, axis=1))

        alone, of_frames = scores(own), scores(frames)
        best = np.array([max([alone[one], *of_frames[photos == one]]) for one in range(30)])
        for some in (np.arange(30), allowed):
            for k in (1, 5, 100):
                nearest = some[np.argsort(-alone[some])][:k]
                limit = None if len(some) == 30 else allowed
                ids, found = index.merged(query, (nearest, alone[nearest]), k, limit)
                expected = some[np.argsort(-best[some])][:k]
                assert ids.tolist() == expected.tolist()
                np.testing.assert_allclose(found, best[expected], rtol=1e-5)


def test_an_image_of_the_library_is_unchanged_without_the_choice(
    tmp_path: Path, photos: Path, tiny_model: ModelPackage
) -> None:
    with LocalLibrary.create(tmp_path / "plain", tiny_model.path) as opened:
        opened.add([photos])
        assert not FrameStore.exists(opened.path)
        found = opened.search_embedding(later(opened.encoder, 31), k=11)
        assert all(one.time is None for one in found)
