from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sketchseek.errors import ConfigError
from sketchseek.training.config import TrainConfig, load_config, parse_config

SIDE = {"backbone": "shufflenet_v2_x0_5"}
MINIMAL = {"name": "m", "sketch": SIDE, "photo": SIDE, "sources": [{"kind": "pairs", "path": "p"}]}


def test_defaults_fill_what_is_not_said() -> None:
    config = parse_config(MINIMAL)
    assert config.losses[0].name == "triplet"
    assert config.norm == "batch"


def test_whole_numbers_pass_for_fractions() -> None:
    assert parse_config(MINIMAL | {"augment": {"rotate": 12}}).augment.rotate == 12.0


def test_numbers_with_an_exponent_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(json.dumps(MINIMAL)[:-1] + ", learning_rate: 3e-4}")
    assert load_config(file).learning_rate == 0.0003


def test_fingerprints_tell_settings_apart() -> None:
    prints = {parse_config(MINIMAL | change).fingerprint for change in ({}, {"seed": 1}, {"dropout": 0.1}, {"seed": 0})}
    assert len(prints) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learnin_rate": 1}, "unknown setting learnin_rate"),
        ({"sketch": {}}, "backbone is missing"),
        ({"sketch": "lite0"}, "mapping of settings"),
        ({"losses": {"name": "triplet"}}, "a list is needed"),
        ({"losses": [{"name": "triplet", "pairs": "breed"}]}, r"losses\[0\].pairs: 'breed'"),
        ({"steps": 1.5}, "int is needed"),
        ({"steps": True}, "int is needed"),
        ({"shared_weights": 1}, "bool is needed"),
        ({"steps": -1}, "negative"),
        ({"validation": 1}, "between 0 and 1"),
        ({"evaluate_every": 0}, "at least 1"),
        ({"embedding": "wide"}, "int is needed"),
    ],
)
def test_wrong_settings_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(MINIMAL | change)


@pytest.mark.parametrize("text", ["[", "- 1", "", "\x00"])
def test_files_that_are_no_experiment_are_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"e\.yaml"):
        load_config(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such experiment"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[2] / "experiments").glob("*.yaml")), ids=lambda p: p.name
)
def test_shipped_experiments_parse(file: Path) -> None:
    assert isinstance(load_config(file), TrainConfig)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": -1}, r"experiment\.learning_rate: -1 .*above 0"),
        ({"ema": 2}, r"experiment\.ema: 2 .*between 0 and 1, and below 1"),
        ({"augment": {"flip": 7}}, r"experiment\.augment\.flip: 7 .*between 0 and 1"),
        ({"batch": {"categories": 0}}, r"experiment\.batch\.categories: 0 .*at least 1"),
        ({"embedding": 0}, r"experiment\.embedding: 0 .*at least 1"),
        ({"sketch": SIDE | {"size": 0}}, r"experiment\.sketch\.size: 0 .*at least 1"),
        ({"distil": {"teachers": ["t"], "temperature": 0}}, r"experiment\.distil\.temperature: 0 .*above 0"),
        ({"losses": [{"name": "triplet", "weight": -1}]}, r"experiment\.losses\[0\]\.weight: -1 .*at least 0"),
        (
            {"sources": [{"kind": "pairs", "path": "p", "fraction": 0}]},
            r"experiment\.sources\[0\]\.fraction: 0 .*above 0 and at most 1",
        ),
        ({"gradient_clip_norm": float("nan")}, r"experiment\.gradient_clip_norm: nan .*above 0"),
        ({"dropout": True}, r"experiment\.dropout: float is needed, not True"),
        ({"seed": -3, "steps": -1}, r"(?s)steps: -1 .*seed: -3"),
        ({"layer_decay": 0}, r"experiment\.layer_decay: 0 .*above 0 and at most 1"),
        ({"sketch": SIDE | {"lora_rank": 0}}, r"experiment\.sketch\.lora_rank: 0 .*at least 1"),
        (
            {"sketch": SIDE | {"pool": "max"}},
            r"experiment\.sketch\.pool: 'max' is not one of 'auto', 'mean', 'class' or",
        ),
        ({"photo": SIDE | {"tune": "half"}}, r"experiment\.photo\.tune: 'half' is not one of 'all', 'norm' or 'lora'"),
        ({"augment": {"crop": 1}}, r"experiment\.augment\.crop: 1 .*between 0 and 1, and below 1"),
        ({"accumulate": 0}, r"experiment\.accumulate: 0 .*at least 1"),
        ({"precision": "fp8"}, r"experiment\.precision: 'fp8' is not one of 'fp32', 'bf16' or 'fp16'"),
        (
            {"evaluation": {"kind": "sketchy", "path": "p", "published": {"recall@1": "62"}}},
            r"experiment\.evaluation\.published\.recall@1: float is needed, not '62'",
        ),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump(MINIMAL | change))
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(file)
    assert str(file) in str(caught.value)


def test_an_unknown_setting_lists_the_known_ones_beside_it() -> None:
    with pytest.raises(ConfigError, match=r"experiment\.batch: unknown setting loose") as caught:
        parse_config(MINIMAL | {"batch": {"loose": 2}})
    assert "unpaired_sketches" in caught.value.remedy


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse_config(MINIMAL).steps = 3  # type: ignore[misc]
