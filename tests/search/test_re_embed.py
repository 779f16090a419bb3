"""A library is embedded again with another model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from search.painted import TRIANGLE, Paint, names
from sketchseek.encoder import Encoder
from sketchseek.errors import (
    LibraryError,
    ModelMismatchError,
    ModelPackageError,
)
from sketchseek.models.package import ModelPackage, write_manifest
from sketchseek.search.library import Library
from sketchseek.search.results import IndexProgress
from sketchseek.sketches import SketchSource
from tiny_model import write_tiny_package


def test_another_model_is_refused_until_photos_are_embedded_anew(
    library: Library, tmp_path: Path, tiny_model: ModelPackage
) -> None:
    other = write_tiny_package(tmp_path / "other", seed=1, name="other")
    with pytest.raises(ModelMismatchError, match="--re-embed"):
        Library.open(library.path, other.path)
    ids = {result.path: result.id for result in library.search(TRIANGLE, k=10)}
    with Library.open(library.path) as reader, Library.open(library.path, tiny_model.path) as strict:
        assert len(reader.search(TRIANGLE)) == len(strict.search(TRIANGLE)) == 6
        assert library.re_embed(other.path).indexed == 6
        # Who took the library's own model goes on with the new one; who asked for the old one is told.
        assert reader.search(TRIANGLE) == library.search(TRIANGLE)
        with pytest.raises(ModelMismatchError, match="built with model other"):
            strict.search(TRIANGLE)
    assert {result.path: result.id for result in library.search(TRIANGLE, k=10)} == ids
    best = library.search(TRIANGLE, k=1)[0]
    encoder = library.encoder
    assert encoder.manifest.name == "other"
    expected = float(encoder.encode_sketch(TRIANGLE) @ encoder.encode_photo(best.path))
    assert best.score == pytest.approx(expected, abs=2e-3)
    assert library.verify().ok


def test_a_model_of_another_length_and_metric(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiny_model.EMBEDDING", 24)
    made = write_tiny_package(tmp_path / "other", seed=1)
    other = write_manifest(made.path, dataclasses.replace(made.manifest, distance="euclidean"))
    with Library.open(library.path) as reader:
        ids = {result.id for result in reader.search(TRIANGLE)}
        library.re_embed(other.path)
        for opened in (library, reader):
            results = opened.search(TRIANGLE)
            assert {result.id for result in results} == ids
            query = opened.encoder.encode_sketch(TRIANGLE)
            for result in results:
                expected = -float(np.linalg.norm(query - opened.encoder.encode_photo(result.path)))
                assert result.score == pytest.approx(expected, abs=5e-3)
            assert [result.score for result in results] == sorted((r.score for r in results), reverse=True)
            assert len(opened.search_photo(results[0].id)) == 5
            assert opened.verify().ok


def test_embedding_anew_goes_on_where_it_was_interrupted(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_tiny_package(tmp_path / "other", seed=1)
    before = library.search(TRIANGLE, k=10)
    monkeypatch.setattr("sketchseek.search.pipeline.BATCH", 1)
    monkeypatch.setattr("sketchseek.search.re_embed.COMMIT_EVERY", 0.0)

    def stop(now: IndexProgress) -> None:
        if now.done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.re_embed(other.path, progress=stop)
    assert library.search(TRIANGLE, k=10) == before
    seen: list[int] = []
    assert library.re_embed(other.path, progress=lambda now: seen.append(now.done)).indexed == 6
    assert seen[0] > 2
    assert library.verify().ok


def test_a_query_that_was_embedded_before_and_searches_after(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_tiny_package(tmp_path / "other", seed=1)
    embed = Encoder.encode_sketch

    def slow(self: Encoder, sketch: SketchSource) -> np.ndarray:
        embedding = embed(self, sketch)
        if self.manifest.fingerprint != other.manifest.fingerprint:
            with Library.open(library.path) as writer:
                writer.re_embed(other.path)
        return embedding

    monkeypatch.setattr(Encoder, "encode_sketch", slow)
    with Library.open(library.path) as reader:
        results = reader.search(TRIANGLE)
    query = embed(Encoder(other), TRIANGLE)
    best = max(float(query @ Encoder(other).encode_photo(result.path)) for result in results)
    assert results[0].score == pytest.approx(best, abs=2e-3)


def test_embedding_anew_drops_what_cannot_be_read_any_more(library: Library, tmp_path: Path) -> None:
    aside = (tmp_path / "photos" / "odd" / "1.jpg").rename(tmp_path / "aside.jpg")
    (tmp_path / "photos" / "odd" / "3.jpg").write_bytes(b"bad")
    report = library.re_embed(write_tiny_package(tmp_path / "other", seed=1).path)
    assert (report.indexed, report.failed) == (4, 2)
    assert names(library) == ["0.jpg", "2.jpg", "4.jpg", "5.jpg"]
    aside.rename(tmp_path / "photos" / "odd" / "1.jpg")  # of the same size and time as before
    assert library.sync().indexed == 1
    (tmp_path / "photos").rename(tmp_path / "unplugged")
    with pytest.raises(LibraryError, match="not there"):
        library.re_embed(write_tiny_package(tmp_path / "third", seed=2).path)


def test_embedding_anew_takes_a_changed_file_as_it_is(library: Library, tmp_path: Path, paint: Paint) -> None:
    path = paint("odd/1.jpg", 111)
    library.re_embed(write_tiny_package(tmp_path / "other", seed=1).path)
    assert library.sync().unchanged == 6
    best = library.search_embedding(library.encoder.encode_photo(path), k=1)[0]
    assert best.path == path
    assert best.score == pytest.approx(1.0, abs=2e-3)
    paint("old.jpg", 1)  # the bytes that were there before: not to be taken for the same photo
    assert library.sync().indexed == 1
    best = library.search_embedding(library.encoder.encode_photo(tmp_path / "photos" / "old.jpg"), k=1)[0]
    assert best.path.name == "old.jpg"


def test_a_model_that_has_moved_is_named(library: Library, tmp_path: Path, tiny_model: ModelPackage) -> None:
    package = write_tiny_package(tmp_path / "mine")
    with Library.create(tmp_path / "other", package.path) as other:
        other.add([tmp_path / "photos"])
    package.path.rename(tmp_path / "elsewhere")
    with Library.open(tmp_path / "other") as other:
        assert len(other) == 6
        assert not other.verify().ok
        with pytest.raises(ModelPackageError, match="is not there any more"):
            other.search(TRIANGLE)
        other.re_embed(tmp_path / "elsewhere")  # the same model: nothing is embedded, only the path is noted
        assert len(other.search(TRIANGLE)) == 6
