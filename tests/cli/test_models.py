from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from sketchseek.cli.models import models_command
from sketchseek.models.package import bundled_models
from tiny_model import write_tiny_package


def test_a_model_is_described_and_checked(tmp_path: Path) -> None:
    package = write_tiny_package(tmp_path / "tiny")
    result = CliRunner().invoke(models_command, [str(package.path), "--json"])
    assert result.exit_code == 0
    (model,) = json.loads(result.stdout)
    assert (model["name"], model["ok"], model["license"], model["dimensions"]) == ("tiny", True, "Apache-2.0", 16)
    assert model["bytes"] == sum(file.stat().st_size for file in package.path.iterdir())
    text = CliRunner().invoke(models_command, [str(package.path)]).stdout
    assert "as in the manifest" in text


def test_a_damaged_model_fails(tmp_path: Path) -> None:
    package = write_tiny_package(tmp_path / "tiny")
    package.file("sketch").write_bytes(b"damaged")
    result = CliRunner().invoke(models_command, [str(package.path), "--json"])
    assert result.exit_code == 1
    (model,) = json.loads(result.stdout)
    assert model["ok"] is False
    assert "sketch.onnx" in model["problem"]


def test_bundled_models_are_listed() -> None:
    result = CliRunner().invoke(models_command, ["--json"])
    assert result.exit_code == 0
    assert [Path(model["path"]).name for model in json.loads(result.stdout)] == bundled_models()
