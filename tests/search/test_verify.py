from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

from search.test_crash import draw_photos
from sketchseek.cli import cli
from sketchseek.errors import ModelPackageError
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog import Catalog
from sketchseek.search.library import Library


@pytest.fixture
def library(tmp_path: Path, tiny_model: ModelPackage) -> Path:
    draw_photos(tmp_path / "photos", 12)
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        library.add([tmp_path / "photos"])
    return tmp_path / "library"


def give_other_embeddings(library: Path) -> None:
    """Store for each photo the embedding of another one, as a damaged photo branch would have."""
    catalog = Catalog(library, write=True)
    staged = [(photo, catalog.embedding(photo)) for photo in catalog.ids().tolist()]
    with catalog.transaction():
        metadata = catalog.metadata()
        for photo, (_, embedding) in zip(catalog.ids().tolist(), staged[1:] + staged[:1], strict=True):
            row = catalog.row(photo)
            assert row is not None
            assert embedding is not None
            catalog.stage(dataclasses.replace(row, embedding=embedding))
        catalog.apply_staged(metadata)
    catalog.close()


def test_a_sample_is_embedded_again(library: Path) -> None:
    with Library.open(library) as opened:
        found = opened.verify(sample=5)
    assert (found.ok, found.checks[-1]) == (True, "sample")


def test_wrong_embeddings_are_noticed_by_the_sample_alone(library: Path) -> None:
    give_other_embeddings(library)
    with Library.open(library) as opened:
        assert opened.verify().ok
        problems = opened.verify(sample=6).problems
    assert len(problems) == 6
    assert all("has another embedding now" in problem for problem in problems)


def test_changed_and_missing_files_are_no_problem_unless_all_are(library: Path, tmp_path: Path) -> None:
    photos = sorted((tmp_path / "photos").rglob("*.jpg"))
    photos[0].unlink()
    photos[1].write_bytes(photos[2].read_bytes())
    with Library.open(library) as opened:
        assert opened.verify(sample=100).ok
        (tmp_path / "photos").rename(tmp_path / "elsewhere")
        assert opened.verify(sample=100).problems == ["sample: none of the photos' files could be read"]


def test_the_command_takes_a_sample(library: Path) -> None:
    call = ["verify", "--library", str(library), "--sample", "3", "--json"]
    assert json.loads(CliRunner().invoke(cli, call, catch_exceptions=False).stdout)["checks"][-1] == "sample"
    give_other_embeddings(library)
    result = CliRunner().invoke(cli, call)
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["problems"]) == 3


def test_a_damaged_photo_branch_stores_nothing(library: Path, tmp_path: Path, tiny_model: ModelPackage) -> None:
    """It used to be opened if onnxruntime could, and ``verify`` was clean."""
    shutil.copytree(tiny_model.path, tmp_path / "copy")
    graph = onnx.load(str(tmp_path / "copy" / "photo.onnx"))
    weight = next(item for item in graph.graph.initializer if item.name == "weight")
    weight.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(weight)[::-1]), "weight"))
    onnx.save(graph, str(tmp_path / "copy" / "photo.onnx"))
    with Library.create(tmp_path / "other", tmp_path / "copy") as other:
        with pytest.raises(ModelPackageError, match="SHA-256 differs"):
            other.add([tmp_path / "photos"])
        assert len(other) == 0
        assert not other.verify().ok
