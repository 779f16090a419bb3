from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from served import picture
from sketchseek.errors import InputError
from sketchseek.models.package import ModelPackage
from sketchseek.search.feedback import WEIGHTS, rocchio
from sketchseek.search.library import Library

LINES = [[[10, 200, 200], [10, 10, 90]]]


@pytest.fixture
def library(tmp_path: Path, tiny_model: ModelPackage) -> Iterator[Library]:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(30):
        picture(number).save(photos / f"{number:02}.png")
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as library:
        library.add([photos])
        yield library


@pytest.mark.parametrize(("right", "wrong"), [(0, 0), (1, 0), (0, 1), (3, 2)])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_rocchio_is_the_book_s_formula(right: int, wrong: int, distance: str) -> None:
    random = np.random.default_rng(right * 10 + wrong)
    query, good, bad = (random.standard_normal(shape).astype(np.float32) for shape in ((8,), (right, 8), (wrong, 8)))
    start = query / np.linalg.norm(query) if distance == "cosine" else query
    expected = []
    for axis in range(8):  # slowly, from the formula
        value = 1.0 * float(start[axis])
        if right:
            value += 0.75 * sum(float(one[axis]) for one in good) / right
        if wrong:
            value -= 0.15 * sum(float(one[axis]) for one in bad) / wrong
        expected.append(value)
    total = 1.0 + (0.75 if right else 0) - (0.15 if wrong else 0)
    length = float(np.linalg.norm(expected)) if distance == "cosine" else total
    moved = rocchio(query, good, bad, distance=distance)  # type: ignore[arg-type]
    assert moved == pytest.approx(np.array(expected) / length, abs=1e-5)
    assert moved.dtype == np.float32
    if distance == "cosine":
        assert np.linalg.norm(moved) == pytest.approx(1, abs=1e-5)


def test_the_weights_are_the_book_s() -> None:
    assert (WEIGHTS.alpha, WEIGHTS.beta, WEIGHTS.gamma) == (1.0, 0.75, 0.15)


def test_what_cancels_out_is_refused() -> None:
    axis = np.eye(4, dtype=np.float32)
    with pytest.raises(InputError, match="cancel"):
        rocchio(axis[0] * 3, axis[:1] / -WEIGHTS.beta, axis[:0], distance="cosine")


def test_feedback_brings_what_is_like_the_right_ones_to_the_front(library: Library) -> None:
    before = [one.id for one in library.search(LINES, k=30)]
    liked = before[-1]  # the worst
    after = library.refine(LINES, positive=[liked], k=30)
    assert [one.id for one in after].index(liked) < before.index(liked)
    wrong = before[:3]
    left = [one.id for one in library.refine(LINES, positive=[liked], negative=wrong, k=30)]
    assert sorted(left) == sorted(set(before) - set(wrong))


def test_every_kind_of_query_can_be_refined(library: Library) -> None:
    embedding = library.encoder.encode_sketch(LINES)
    photo = library.search(LINES, k=1)[0].id
    marks: dict[str, Any] = {"positive": [3, 4], "negative": [5]}
    drawn = library.refine(LINES, k=9, **marks)
    assert [one.id for one in library.refine(embedding=embedding * 7, k=9, **marks)] == [one.id for one in drawn]
    assert photo not in [one.id for one in library.refine(photo=photo, k=30)]
    like = library.search_photo(photo, k=9)
    assert [one.id for one in library.refine(photo=photo, k=9)] == [one.id for one in like]
    picture_of_it = library.photo_bytes(library.search(LINES, k=1)[0].id)
    assert library.refine(photo=picture_of_it, k=3)[0].id == photo
    assert [one.rank for one in library.refine(LINES, k=3, offset=4)] == [5, 6, 7]


def test_without_feedback_it_is_the_search(library: Library) -> None:
    refined, plain = library.refine(LINES, k=30), library.search(LINES, k=30)
    assert [one.id for one in refined] == [one.id for one in plain]
    assert [one.score for one in refined] == pytest.approx([one.score for one in plain], abs=1e-6)


def test_feedback_that_makes_no_sense_is_refused(library: Library) -> None:
    with pytest.raises(InputError, match="both positive and negative"):
        library.refine(LINES, positive=[1, 2], negative=[2])
    with pytest.raises(InputError, match="no photo with id 999"):
        library.refine(LINES, positive=[999])
    with pytest.raises(InputError, match="one of sketch, embedding and photo"):
        library.refine()
    with pytest.raises(InputError, match="one of sketch, embedding and photo"):
        library.refine(LINES, photo=1)
