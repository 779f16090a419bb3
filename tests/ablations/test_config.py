from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sketchseek.ablations.config import change_settings, load_ablation
from sketchseek.errors import ConfigError

SIDE = {"backbone": "shufflenet_v2_x0_5", "size": 32}
BASE = {"sketch": SIDE, "photo": SIDE, "sources": [{"kind": "sketchy", "path": "."}], "losses": [{"name": "triplet"}]}
ABLATION: dict[str, Any] = {
    "name": "s",
    "base": BASE,
    "vary": {"plain": {}, "wide": {"losses.0.options.margin": 0.5, "sketch": {"size": 64}}},
}
ABLATIONS = sorted((Path(__file__).parents[2] / "experiments/ablations").glob("*.yaml"))


def write(folder: Path, change: dict[str, Any]) -> Path:
    file = folder / "ablation.yaml"
    file.write_text(json.dumps(ABLATION | change))  # JSON is YAML
    return file


def test_a_configuration_changes_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    ablation = load_ablation(write(tmp_path, {}))
    plain, wide = (ablation.experiment(configuration, 7) for configuration in ablation.configurations)
    assert (plain.name, plain.seed) == ("s: plain", 7)
    assert wide.losses[0].options == {"margin": 0.5}
    assert (wide.sketch.size, wide.sketch.backbone, wide.photo) == (64, "shufflenet_v2_x0_5", plain.photo)
    assert plain.losses[0].options == {}


def test_cross_is_every_combination_in_order(tmp_path: Path) -> None:
    cross = [{"l2": {"norm": "l2"}, "batch": {"norm": "batch"}}, {"a": {"losses.0.weight": 2.0}, "b": {}}]
    ablation = load_ablation(write(tmp_path, {"vary": {}, "cross": cross}))
    assert list(ablation.configurations) == ["l2 × a", "l2 × b", "batch × a", "batch × b"]
    both = ablation.experiment("l2 × a", 0)
    assert (both.norm, both.losses[0].weight) == ("l2", 2.0)


def test_a_grid_is_every_combination_and_may_differ_by_configuration(tmp_path: Path) -> None:
    tune = {
        "grid": {"learning_rate": [0.1, 0.2], "losses.0.options.margin": [0.3]},
        "instead": {"wide": {"steps": [5, 6]}},
    }
    ablation = load_ablation(write(tmp_path, {"tune": tune}))
    assert ablation.choices("plain") == [
        {"learning_rate": 0.1, "losses.0.options.margin": 0.3},
        {"learning_rate": 0.2, "losses.0.options.margin": 0.3},
    ]
    assert ablation.choices("wide") == [{"steps": 5}, {"steps": 6}]
    tuned = ablation.experiment("plain", 0, ablation.choices("plain")[1])
    assert (tuned.learning_rate, tuned.losses[0].options["margin"]) == (0.2, 0.3)


def test_the_base_may_be_an_experiment_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(json.dumps(BASE | {"name": "other", "steps": 3}))
    assert load_ablation(write(tmp_path, {"base": "base.yaml"})).experiment("plain", 0).steps == 3


def test_changing_leaves_the_original_alone() -> None:
    settings = {"a": {"b": [1, {"c": 2}]}, "d": 3}
    assert change_settings(settings, {"a.b.1.c": 5, "a": {"e": 6}, "f.g": 7}) == {
        "a": {"b": [1, {"c": 5}], "e": 6},
        "d": 3,
        "f": {"g": 7},
    }
    assert settings == {"a": {"b": [1, {"c": 2}]}, "d": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vary": {}}, "either vary or cross"),
        ({"vary": {"a": 3}}, "mapping from names"),
        ({"vary": {"a b": {}, "a,b": {}}}, "same file name"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"base": 3}, "base"),
        ({"base": "none.yaml"}, "none.yaml"),
        ({"vary": {"a": {"losses.1.weight": 1.0}}}, r"losses.1.weight: there is no 1"),
        ({"vary": {"a": {"lossses": []}}}, "a: experiment: unknown setting lossses"),
        ({"tune": {"grid": {"steps": 3}}}, "lists of values"),
        ({"tune": {"grid": {"steps": [1]}, "instead": {"b": {}}}}, "no configuration 'b'"),
        ({"tune": {"grid": {"steps": [1]}, "instead": {"wide": {"steps": [1, 2]}}}}, "unequal budgets"),
        ({"test": {"protocol": "guess", "path": "."}}, "guess"),
        ({"hypotheses": [{"hypothesis": "c", "better": ["wide"], "than": ["none"]}]}, "no configuration none"),
        (
            {"hypotheses": [{"hypothesis": "c", "better": ["wide", "plain"], "than": ["plain"]}]},
            "as many configurations",
        ),
        ({"hypotheses": [{"hypothesis": "c", "better": ["wide"], "than": ["plain"], "metric": "mAP"}]}, "mAP"),
    ],
)
def test_wrong_ablations_are_named_before_anything_runs(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_ablation(write(tmp_path, change))


@pytest.mark.parametrize("file", ABLATIONS, ids=lambda p: p.name)
def test_shipped_ablations_are_valid(file: Path) -> None:
    assert load_ablation(file).configurations
