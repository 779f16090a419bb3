"""The experiments of the paper for two steps: small networks of the same families, random weights, tiny data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from shapes_dataset import write_shapes
from sketchseek.ablations.config import load_ablation
from sketchseek.cli import cli
from sketchseek.training.config import TrainConfig, load_config
from sketchseek.training.data import load_sources
from sketchseek.training.dry_run import dry_run_config
from sketchseek.training.loop import train

pytestmark = pytest.mark.slow

PAPER = Path(__file__).parents[2] / "experiments/paper"
ABLATIONS = [PAPER / "3-batchnorm-vs-l2.yaml", PAPER / "4-capacity.yaml", *sorted(PAPER.glob("foundation/*.yaml"))]
EXPERIMENTS = sorted(set(PAPER.glob("*.yaml")) - set(ABLATIONS))
CONFIGURATIONS = [(file, name) for file in ABLATIONS for name in load_ablation(file).configurations]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_shapes(root / "sketchy")
    return root


def test_all_steps_are_here() -> None:
    assert [file.stem for file in EXPERIMENTS] == [
        "1-triplet",
        "2-rtl",
        "5-teacher",
        "6-shufflenetv2-student",
        "7-large-student",
    ]
    assert [file.stem for file in ABLATIONS[2:]] == ["clip", "convnext", "dinov2", "siglip2"]


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_the_command_runs_dry_and_prints_the_published_result(file: Path, data: Path) -> None:
    call = ["train", str(file), "--data", str(data), "--dry-run"]
    if file.stem != "2-rtl":
        call.append("--json")
    result = CliRunner().invoke(cli, call, catch_exceptions=False)
    assert "mean nothing" in result.stderr
    if file.stem == "2-rtl":
        assert "recall@1" in result.stdout
        assert "published: 62.38" in result.stdout
        assert "arXiv 2305.18988: the best recall@1 of its abstract" in result.stdout
        return
    found = json.loads(result.stdout)
    assert found["steps"] == 2
    assert 0 <= found["evaluation"]["metrics"]["recall@1"] <= 1
    assert found["evaluation"]["published"] == {"recall@1": 62.38}
    assert found["evaluation"]["queries"] == 16


@pytest.mark.parametrize(
    ("file", "name"), CONFIGURATIONS, ids=lambda each: each if isinstance(each, str) else each.stem
)
def test_every_configuration_runs_dry(file: Path, name: str, data: Path, tmp_path: Path) -> None:
    config = dry_run_config(load_ablation(file).experiment(name, seed=0))
    splits = load_sources(config.sources, data, config.validation, config.validation_seed)
    assert train(config, splits, tmp_path / "run", None).step == 2


@pytest.mark.parametrize("file", [*EXPERIMENTS, *ABLATIONS], ids=lambda file: file.stem)
def test_files_say_what_a_run_costs_and_load_weights_by_name(file: Path) -> None:
    text = file.read_text()
    assert "weights: download" in text
    assert "estimated" in text
    configs: list[TrainConfig] = []
    if file in EXPERIMENTS:
        configs.append(load_config(file))
    else:
        ablation = load_ablation(file)
        configs += [ablation.experiment(name, seed=0) for name in ablation.configurations]
    for config in configs:
        for branch in (config.sketch, config.photo):
            assert branch.weights == "download"


def test_a_dry_run_is_small_and_downloads_nothing() -> None:
    whole = load_config(PAPER / "7-large-student.yaml")
    dry = dry_run_config(whole)
    assert (dry.sketch.backbone, dry.sketch.weights, dry.sketch.size) == ("test_convnext", "none", 32)
    assert (dry.losses, dry.precision, dry.layer_decay, dry.ema) == (
        whole.losses,
        whole.precision,
        whole.layer_decay,
        whole.ema,
    )
    assert dry.steps == 2
