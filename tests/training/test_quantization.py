from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner

from shapes_dataset import write_shapes
from sketchseek.cli import cli
from sketchseek.encoder import Encoder
from sketchseek.errors import ConfigError
from sketchseek.file_digest import file_digest
from sketchseek.models.package import ModelPackage, load_model_package, write_manifest
from sketchseek.training.export import store_half
from sketchseek.training.quantization import Calibration, agreement, calibration_set, quantize_model
from tiny_model import EMBEDDING, SIZE, write_tiny_package

pytestmark = pytest.mark.slow

SETTINGS = {
    "name": "shapes",
    "sketch": {"backbone": "shufflenet_v2_x0_5", "size": SIZE},
    "photo": {"backbone": "shufflenet_v2_x0_5", "size": SIZE},
    "sources": [{"kind": "sketchy", "path": ".", "pseudo_sketches": True}],
    "validation": 0.25,
}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """A tiny package that knows what it was trained on, with weights in half precision, as export stores them."""
    made = write_tiny_package(tmp_path_factory.mktemp("source"))
    for side in ("photo", "sketch"):
        file = made.path / f"{side}.onnx"
        graph = onnx.load(str(file))
        store_half(graph, smallest=64)
        assert any(item.name.endswith(".half") for item in graph.graph.initializer)
        onnx.save(graph, str(file))
    stored = {
        side: dataclasses.replace(getattr(made.manifest, side), sha256=file_digest(made.path / f"{side}.onnx"))
        for side in ("photo", "sketch")
    }
    return write_manifest(made.path, dataclasses.replace(made.manifest, training={"settings": SETTINGS}, **stored))


def test_calibration_takes_training_pictures_only(source: ModelPackage, shapes: Path) -> None:
    photos, sketches = calibration_set(source, shapes, 200, 0)
    assert photos.shape == (12, SIZE, SIZE, 3)  # 4 categories of 6, less 2 for the test and 1 for validation each
    assert sketches.shape == (12 * 3, SIZE, SIZE)  # two sketches and one of lines


@pytest.mark.parametrize("calibration", ["minmax", "entropy", "percentile"])
def test_a_package_in_eight_bits_is_one_and_close(
    source: ModelPackage, shapes: Path, tmp_path: Path, calibration: Calibration
) -> None:
    made = quantize_model(source, calibration_set(source, shapes, 32), tmp_path / "int8", calibration)
    made.verify()
    assert sorted(file.name for file in made.path.iterdir()) == ["manifest.json", "photo.onnx", "sketch.onnx"]
    assert made.manifest.name == "tiny-int8"
    assert made.manifest.fingerprint != source.manifest.fingerprint
    assert made.manifest.training["quantized"]["from"] == source.manifest.fingerprint
    operators = {node.op_type for node in onnx.load(str(made.file("sketch"))).graph.node}
    assert "QuantizeLinear" in operators
    pictures = calibration_set(source, shapes, 200, 1)
    alike = agreement(Encoder(source), Encoder(made), pictures)
    assert 0.98 < alike["photo_cosine"] < 1.0
    assert alike["sketch_cosine"] > 0.98
    assert alike["first_ten_shared"] > 0.8
    assert Encoder(made).encode_photo_pixels(pictures[0]).shape == (12, EMBEDDING)


def test_who_is_alike_agrees(source: ModelPackage, shapes: Path) -> None:
    encoder = Encoder(source)
    alike = agreement(encoder, encoder, calibration_set(source, shapes, 20))
    assert alike == pytest.approx({"photo_cosine": 1.0, "sketch_cosine": 1.0, "first_ten_shared": 1.0})


def test_a_package_that_does_not_say_its_data_cannot_be_calibrated(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not name its training data"):
        calibration_set(write_tiny_package(tmp_path), shapes, 16)


@pytest.mark.parametrize("calibration", ["minmax", "percentile"])  # the latter's calibrator prints
def test_the_command_says_what_it_cost(source: ModelPackage, shapes: Path, tmp_path: Path, calibration: str) -> None:
    call = ["quantize", str(source.path), "--data", str(shapes), "--out", str(tmp_path / "q")]
    call += ["--calibration", calibration]
    result = json.loads(CliRunner().invoke(cli, [*call, "--json"], catch_exceptions=False).stdout)
    assert result["package"] == str(tmp_path / "q")
    assert result["bytes_before"] > 0 < result["bytes"]
    assert load_model_package(tmp_path / "q").manifest.dimensions == EMBEDDING
    assert "of the first ten photos shared" in CliRunner().invoke(cli, call, catch_exceptions=False).stdout
