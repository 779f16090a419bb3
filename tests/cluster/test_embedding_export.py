from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cli_runs import run_process
from object_store import need_cluster
from served import picture
from sketchseek.errors import LibraryNotFoundError
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library

need_cluster()

import pyarrow.parquet as pq

from sketchseek.cluster import embedding_export
from sketchseek.cluster.copying import copy_library
from sketchseek.cluster.embedding_export import METADATA, export_embeddings

COUNT = 7


@pytest.fixture
def library(tmp_path: Path, tiny_model: ModelPackage) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(COUNT):
        picture(number).save(tmp_path / "photos" / f"ä {number}.png")
    with Library.create(tmp_path / "library", tiny_model.path) as made:
        made.add([tmp_path / "photos"])
    return tmp_path / "library"


@pytest.mark.parametrize("kind", ["folder", "Lance"])
def test_every_photo_has_its_embedding(
    library: Path, tmp_path: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(embedding_export, "PART", 3)
    address = str(library)
    if kind == "Lance":
        address = f"file://{tmp_path}/lance"
        copy_library(library, address)
    file = tmp_path / "deep" / "photos.parquet"
    assert export_embeddings(address, file) == COUNT
    table = pq.read_table(file)
    with Library.open(library) as opened:
        for row in table.to_pylist():
            photo = opened.photo(row["id"])
            assert photo is not None
            assert str(photo.path) == row["path"]
            np.testing.assert_array_equal(np.array(row["embedding"], np.float32), opened.embedding(row["id"]))
    assert len(set(table["id"].to_pylist())) == COUNT
    about = json.loads(table.schema.metadata[METADATA])
    assert about["fingerprint"] == tiny_model.manifest.fingerprint
    assert about["dimensions"] == tiny_model.manifest.dimensions == table.schema.field("embedding").type.list_size


def test_an_interrupted_export_leaves_no_file(library: Path, tmp_path: Path) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_embeddings(library, tmp_path / "out" / "photos.parquet", stop)
    assert list((tmp_path / "out").iterdir()) == []


def test_there_must_be_a_library(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFoundError):
        export_embeddings(tmp_path / "none", tmp_path / "photos.parquet")


@pytest.mark.slow
def test_the_command_line_writes_it(library: Path, tmp_path: Path) -> None:
    file = tmp_path / "photos.parquet"
    done = run_process("embeddings", file, "--library", library, "--json")
    assert json.loads(done.stdout) == {"written": COUNT, "path": str(file)}
    assert pq.read_metadata(file).num_rows == COUNT
