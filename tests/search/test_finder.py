from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sketchseek.artefact import Artefact
from sketchseek.errors import InputError
from sketchseek.search.catalog import Catalog, Row
from sketchseek.search.finder import Finder, Wanted
from sketchseek.search.identity import facts_of

COUNT = 20


def wanted(k: int = 5, offset: int = 0, folder: str | None = None) -> Wanted:
    return Wanted.of(k, folder, None, None, offset)


@pytest.fixture
def vectors() -> np.ndarray:
    """Vectors of unit length, (20, 16), ever farther from the first axis."""
    angles = np.linspace(0.1, 1.5, COUNT)
    vectors = np.zeros((COUNT, 16))
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    return vectors


@pytest.fixture
def finder(tmp_path: Path, tiny_artefact: Artefact, vectors: np.ndarray) -> Iterator[Finder]:
    """A finder of 20 photos, photo i + 1 being the one with vector i."""
    with closing(Catalog(tmp_path, create=facts_of(tiny_artefact))) as catalog:
        with catalog.transaction():
            for i, vector in enumerate(vectors.astype(np.float16)):
                catalog.add(
                    Row(f"/{'even' if i % 2 else 'odd'}/{i}".encode(), 1, 1, bytes([i]), 1, 1, vector.tobytes())
                )
        yield Finder(tmp_path, catalog, threading.RLock(), tiny_artefact)


AXIS = np.eye(16)[0]


def test_pages_join(finder: Finder) -> None:
    pages = [finder.by_vector(AXIS, wanted(7, offset)) for offset in (0, 7, 14, 21)]
    assert [len(page) for page in pages] == [7, 7, 6, 0]
    assert [result.id for page in pages for result in page] == list(range(1, COUNT + 1))
    assert [result.rank for page in pages for result in page] == list(range(1, COUNT + 1))


def test_what_is_left_out_makes_no_page_shorter(finder: Finder, vectors: np.ndarray) -> None:
    refined = finder.refined(None, AXIS, None, [], [1, 3], wanted(5))
    assert [result.id for result in refined] == [2, 4, 5, 6, 7]
    alike = finder.by_photo(3, wanted(COUNT))
    assert len(alike) == COUNT - 1
    np.testing.assert_allclose([r.score for r in alike], [vectors[2] @ vectors[r.id - 1] for r in alike], atol=2e-3)


def test_a_folder_s_pages_are_full_too(finder: Finder) -> None:
    assert [result.id for result in finder.by_vector(AXIS, wanted(4, 1, "/even"))] == [4, 6, 8, 10]


def test_wishes_that_contradict_themselves() -> None:
    with pytest.raises(InputError, match="k is 0"):
        wanted(0)
    with pytest.raises(InputError, match="offset is -1"):
        wanted(1, -1)
    day = datetime(2024, 5, 1, tzinfo=UTC)
    with pytest.raises(InputError, match="no time is after"):
        Wanted.of(1, None, day, day, 0)


def test_one_query_at_a_time(finder: Finder) -> None:
    for queries in ({}, {"drawing": [[[0, 1], [0, 1]]], "photo": 1}):
        query = {"drawing": None, "vector": None, "photo": None} | queries
        with pytest.raises(InputError, match="one of drawing, vector and photo"):
            finder.refined(**query, right=[], wrong=[], wanted=wanted())
