"""Scores are split exactly; the splits are compared with slow loops over cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchseek.errors import ImageError, InputError, ModelPackageError
from sketchseek.models.package import Distance, ModelPackage
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.explain import SplitScore, stroke_shares
from sketchseek.search.library import Library
from tiny_model import CELLS, write_tiny_package

SKETCH = [[[0, 9, 5], [0, 3, 9]], [[2, 4], [8, 8]], [[9], [9]]]
OTHER = [[[0, 9, 9], [9, 9, 0]]]


@pytest.fixture(scope="module", params=["cosine", "euclidean"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    distance: Distance = request.param
    folder = tmp_path_factory.mktemp(distance)
    package = write_tiny_package(folder / "model", distance=distance)
    (folder / "photos").mkdir()
    for seed in range(5):
        picture = Image.new("RGB", (60, 40), (200, 200, 200))
        ImageDraw.Draw(picture).ellipse((5 * seed, 5, 5 * seed + 20, 30), fill=(20 * seed, 40, 90))
        picture.save(folder / "photos" / f"{seed}.png")
    with Library.create(folder / "library", package.path) as library:
        library.add([folder / "photos"])
        yield library


def test_shares_sum_to_the_score_and_are_those_of_a_slow_loop(library: Library) -> None:
    cosine = library.encoder.manifest.distance == "cosine"
    q = library.encoder.encode_sketch(SKETCH).astype(np.float64)
    for result in library.search(SKETCH):
        found = library.explain(result.id, SKETCH)
        assert found.score == pytest.approx(result.score, abs=5e-3 * max(1.0, abs(result.score)))
        split = found.photo_split
        assert split.shares.shape == (CELLS, CELLS)
        assert split.shares.sum() + split.rest == pytest.approx(found.score, rel=1e-5, abs=1e-6)
        assert split.rest == pytest.approx(0, abs=1e-4 * max(1.0, abs(found.score)))
        embeddings, cells = library.encoder.explain_photo_pixels(library.encoder.read_photo(result.path)[None])
        p = embeddings[0].astype(np.float64)
        for row in range(CELLS):
            for column in range(CELLS):
                cell = cells[0, row, column].astype(np.float64)
                if cosine:
                    share = sum(a * b for a, b in zip(q, cell, strict=True))
                else:
                    u = (q - p) / np.sqrt(((q - p) ** 2).sum())
                    share = sum(-a * (b / CELLS**2 - c) for a, b, c in zip(u, q, cell, strict=True))
                assert split.shares[row, column] == pytest.approx(share, rel=1e-4, abs=1e-5)


def test_examples_and_strokes_sum_to_their_parts(library: Library) -> None:
    query = Query(
        (
            Example(sketch=SKETCH, weight=2),
            Example(photo=2),
            Example(sketch=OTHER, negative=True),
            Example(embedding=library.embedding(1), weight=0.5),
        ),
        text="left out",
    )
    found = library.explain(4, query)
    assert sum(found.examples) == pytest.approx(found.score, rel=1e-5)
    assert [sketch is not None for sketch in found.sketches] == [True, False, True, False]
    for sketch, part, strokes in zip(found.sketches, found.examples, (3, None, 1, None), strict=True):
        if sketch is not None:
            assert sketch.split.shares.sum() + sketch.split.rest == pytest.approx(part, rel=1e-4, abs=1e-5)
            assert len(sketch.strokes) == strokes
            assert sum(sketch.strokes) == pytest.approx(sketch.split.shares.sum(), rel=1e-6)


def test_a_cell_that_matters_has_the_greatest_share(library: Library) -> None:
    """The exact split agrees with what happens when a cell of the photo is replaced."""
    encoder, result = library.encoder, library.search(SKETCH)[0]
    if encoder.manifest.distance != "cosine":
        pytest.skip("with Euclidean distance a cell's share includes its part of the constant")
    pixels = encoder.read_photo(result.path)
    q = encoder.encode_sketch(SKETCH)
    shares = library.explain(result.id, SKETCH).photo_split.shares
    embeddings, _ = encoder.explain_photo_pixels(pixels[None])
    side = encoder.manifest.photo.size // CELLS
    without = []
    for row in range(CELLS):
        for column in range(CELLS):
            changed = pixels.copy()
            changed[row * side : (row + 1) * side, column * side : (column + 1) * side] = 127
            without.append(encoder.encode_photo_pixels(changed[None])[0] @ q)
    lost = embeddings[0] @ q - np.array(without)
    assert np.corrcoef(lost, shares.ravel())[0, 1] > 0.6  # not 1: the length of the embedding changes too


def test_strokes_get_the_shares_of_the_cells_they_cross() -> None:
    left, right = [[0, 0], [0, 10]], [[10, 10], [0, 10]]
    shares = np.zeros((4, 4))
    shares[:, 3] = 1.0
    found = stroke_shares([left, right], SplitScore(shares, 0.0))
    assert sum(found) == pytest.approx(4.0)
    assert found[1] > 3.9


def test_pictures_of_sketches_have_no_strokes_but_files_of_strokes_do(library: Library, tmp_path: Path) -> None:
    picture = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(picture).line((5, 5, 50, 40), fill=0, width=4)
    (sketch,) = library.explain(1, picture).sketches
    assert sketch is not None
    assert sketch.strokes == ()
    (tmp_path / "a.json").write_text(json.dumps(SKETCH), encoding="utf-8")
    (from_file,) = library.explain(1, tmp_path / "a.json").sketches
    (from_strokes,) = library.explain(1, SKETCH).sketches
    assert from_file is not None
    assert from_strokes is not None
    assert from_file.strokes == pytest.approx(from_strokes.strokes)


def test_what_cannot_be_explained(tmp_path: Path, tiny_model: ModelPackage) -> None:
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    older = write_tiny_package(tmp_path / "older", cells=False)
    with Library.create(tmp_path / "older library", older.path) as library:
        library.add([tmp_path / "a.png"])
        with pytest.raises(ModelPackageError, match="photo encoder does not tell") as caught:
            library.explain(1, SKETCH)
        assert "export" in caught.value.remedy
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        library.add([tmp_path / "a.png"])
        with pytest.raises(InputError, match="no photo with id 7"):
            library.explain(7, SKETCH)
        with pytest.raises(InputError, match="nothing to explain"):
            library.explain(1, Query(text="a"))
        (tmp_path / "a.png").unlink()
        with pytest.raises(ImageError):
            library.explain(1, SKETCH)
