"""The registry: what it lists, and that one registered spec is enough to train on, evaluate and audit a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from mini_sets import write_photo, write_sketch
from sketchseek.audit.inputs import load_input
from sketchseek.audit.run import audit
from sketchseek.cli import cli
from sketchseek.datasets.records import Photo, Sketch, SketchDataset
from sketchseek.datasets.registry import (
    DatasetSpec,
    LoadedDataset,
    dataset_spec,
    dataset_specs,
    register,
    unregister,
)
from sketchseek.datasets.splits import Split
from sketchseek.encoder import Encoder
from sketchseek.errors import ConfigError
from sketchseek.evaluation.protocols import evaluate_dataset
from sketchseek.models.package import ModelPackage
from sketchseek.training.config import SourceConfig
from sketchseek.training.data import load_sources, read_pixels


def load_toy(root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
    """Photos ``<n>.jpg`` and their sketches ``<n>.png`` in one folder; even numbers are for testing."""
    files = sorted(root.glob("*.jpg"))
    photos = tuple(Photo(file, "star", f"star/{file.stem}") for file in files)
    sketches = tuple(Sketch("star", f"{p.key}-1", p.key, path=p.path.with_suffix(".png")) for p in photos)
    sides = [tuple(p.key for p in photos if int(p.path.stem) % 2 == odd) for odd in (1, 0)]
    return LoadedDataset(SketchDataset("toy", photos, sketches, root), Split("toy-own", sides[0], sides[1]))


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Path]:
    for i in range(8):
        write_photo(tmp_path / f"toy/{i}.jpg", f"toy{i}")
        write_sketch(tmp_path / f"toy/{i}.png", f"toy{i}")
    register(DatasetSpec("toy", "A toy", "Photos are <n>.jpg.", load_toy, relevance="photo", audits=True))
    yield tmp_path / "toy"
    unregister("toy")


def test_one_spec_is_enough_to_train_evaluate_and_audit(toy: Path, tiny_model: ModelPackage) -> None:
    encoder = Encoder(tiny_model, threads=1)
    parts = load_sources([SourceConfig("toy", "toy")], toy.parent, 0.25, 0)
    assert (len(parts.training.photos), len(parts.validation.photos)) == (3, 1)
    pixels = read_pixels(parts.training, 32, 32, None)
    assert (pixels.categories, len(pixels.sketches)) == (["star"], 3)
    report = evaluate_dataset("toy", toy, encoder).report
    assert (report.protocol, report.split, report.queries, report.gallery) == ("toy", "toy-own", 4, 4)
    assert 0 <= report.metrics["recall@1"] <= 1
    found = audit(load_input("toy", toy, "test"), encoder)
    assert (found.subset.split, len(found.subset.dataset.sketches), found.problems) == ("toy-own", 4, ())


def test_the_command_line_offers_it(toy: Path, tiny_model: ModelPackage, tmp_path: Path) -> None:
    common = ("toy", str(toy), "--model", str(tiny_model.path), "--threads", "1", "--json")
    for command, more in (("evaluate", ()), ("audit", ("--out", str(tmp_path / "out")))):
        result = CliRunner().invoke(cli, [command, *common, *more], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert '"toy"' in result.stdout
        assert "toy" in CliRunner().invoke(cli, [command, "--help"]).output


def test_names_are_unique_and_unknown_ones_are_errors(toy: Path) -> None:
    for name in ("toy", "sketchy"):
        with pytest.raises(ConfigError, match=f"'{name}' is already registered"):
            register(DatasetSpec(name, "", "", load_toy))
    with pytest.raises(ConfigError, match="Unknown data set 'tou'") as error:
        dataset_spec("tou")
    assert "toy" in error.value.remedy
    with pytest.raises(ConfigError, match="'photos' cannot be evaluated on its own"):
        dataset_spec("photos", "evaluate")
    with pytest.raises(ConfigError, match="'tuberlin' cannot be audited"):
        dataset_spec("tuberlin", "audit")


def test_every_data_set_is_described() -> None:
    specs = dataset_specs()
    assert [spec.name for spec in specs] == sorted(spec.name for spec in specs)
    assert {
        "categories",
        "chairv2",
        "named",
        "pairs",
        "photos",
        "quickdraw",
        "quickdraw-extended",
        "shoev2",
        "sketchy",
        "tuberlin",
    } == {spec.name for spec in specs}
    for spec in specs:
        assert spec.title
        assert spec.layout.endswith(".")
        assert spec.trains
        assert (spec.find_list is None) == (not spec.exclusion_lists)
