from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.errors import InputError
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog import Catalog, Row
from sketchseek.search.catalog_query import CatalogQueryEngine
from sketchseek.search.library_model import metadata_of
from sketchseek.search.params import Filter, SearchParams

COUNT = 20


def params(k: int = 5, offset: int = 0, folder: str | None = None) -> SearchParams:
    return SearchParams(k, offset, Filter(folder))


@pytest.fixture
def embeddings() -> np.ndarray:
    """Embeddings of unit length, (20, 16), ever farther from the first axis."""
    angles = np.linspace(0.1, 1.5, COUNT)
    embeddings = np.zeros((COUNT, 16))
    embeddings[:, 0], embeddings[:, 1] = np.cos(angles), np.sin(angles)
    return embeddings


@pytest.fixture
def engine(tmp_path: Path, tiny_model: ModelPackage, embeddings: np.ndarray) -> Iterator[CatalogQueryEngine]:
    """An engine of 20 photos, photo i + 1 being the one with embedding i."""
    with closing(Catalog(tmp_path, create=metadata_of(tiny_model))) as catalog:
        with catalog.transaction():
            for i, embedding in enumerate(embeddings.astype(np.float16)):
                catalog.add(
                    Row(f"/{'even' if i % 2 else 'odd'}/{i}".encode(), 1, 1, bytes([i]), 1, 1, embedding.tobytes())
                )
        yield CatalogQueryEngine(tmp_path, catalog, threading.RLock(), tiny_model)


AXIS = np.eye(16)[0]


def test_pages_join(engine: CatalogQueryEngine) -> None:
    pages = [engine.search_embedding(AXIS, params(7, offset)) for offset in (0, 7, 14, 21)]
    assert [len(page) for page in pages] == [7, 7, 6, 0]
    assert [result.id for page in pages for result in page] == list(range(1, COUNT + 1))
    assert [result.rank for page in pages for result in page] == list(range(1, COUNT + 1))


def test_what_is_left_out_makes_no_page_shorter(engine: CatalogQueryEngine, embeddings: np.ndarray) -> None:
    refined = engine.refine(None, AXIS, None, [], [1, 3], params(5))
    assert [result.id for result in refined] == [2, 4, 5, 6, 7]
    alike = engine.search_photo(3, params(COUNT))
    assert len(alike) == COUNT - 1
    np.testing.assert_allclose(
        [r.score for r in alike], [embeddings[2] @ embeddings[r.id - 1] for r in alike], atol=2e-3
    )


def test_a_folder_s_pages_are_full_too(engine: CatalogQueryEngine) -> None:
    assert [result.id for result in engine.search_embedding(AXIS, params(4, 1, "/even"))] == [4, 6, 8, 10]


def test_wishes_that_contradict_themselves() -> None:
    with pytest.raises(InputError, match="k is 0"):
        params(0)
    with pytest.raises(InputError, match="offset is -1"):
        params(1, -1)
    day = datetime(2024, 5, 1, tzinfo=UTC)
    with pytest.raises(InputError, match="no time is after"):
        SearchParams(1, 0, Filter(None, day, day))


def test_one_query_at_a_time(engine: CatalogQueryEngine) -> None:
    query: dict[str, Any]
    for queries in ({}, {"sketch": [[[0, 1], [0, 1]]], "photo": 1}):
        query = {"sketch": None, "embedding": None, "photo": None} | queries
        with pytest.raises(InputError, match="one of sketch, embedding and photo"):
            engine.refine(**query, positive=[], negative=[], params=params())
