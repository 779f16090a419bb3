from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sketchseek.encoder import Encoder, load_encoder
from sketchseek.errors import EmptySketchError, ImageError, InputError, ModelPackageError
from sketchseek.models.package import ModelPackage, bundled_models, load_model_package
from tiny_model import write_tiny_package


def rewrite_manifest(folder: Path, change: dict[str, Any]) -> None:
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    for key, value in change.items():
        manifest[key] = manifest[key] | value if isinstance(value, dict) else value
    file.write_text(json.dumps(manifest))


def test_embeddings_have_unit_length_and_the_manifest_s_size(tiny_model: ModelPackage) -> None:
    encoder = Encoder(tiny_model)
    photo = encoder.encode_photo(Image.new("RGB", (50, 70), "red"))
    sketch = encoder.encode_sketch([[[0, 10, 10], [0, 0, 5]]])
    assert photo.shape == sketch.shape == (encoder.manifest.dimensions,)
    np.testing.assert_allclose([np.linalg.norm(photo), np.linalg.norm(sketch)], 1.0, rtol=1e-5)


def test_a_batch_gives_what_single_calls_give(tiny_model: ModelPackage) -> None:
    encoder = Encoder(tiny_model)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    single = np.concatenate([encoder.encode_photo_pixels(p[None]) for p in pixels])
    np.testing.assert_allclose(encoder.encode_photo_pixels(pixels), single, atol=1e-6)


def test_sources_of_every_kind_are_encoded_in_batches(tiny_model: ModelPackage, tmp_path: Path) -> None:
    encoder = Encoder(tiny_model)
    colors = ["red", "green", "blue", "white", "black"]
    images = [Image.new("RGB", (20 + i, 30), color) for i, color in enumerate(colors)]
    for color, image in zip(colors, images, strict=True):
        image.save(tmp_path / f"{color}.png")
    paths = [tmp_path / f"{color}.png" for color in colors]
    single = np.stack([encoder.encode_photo(path) for path in paths])
    for batch in (1, 2, 5, 9):
        np.testing.assert_allclose(encoder.encode_photos(paths, batch=batch), single, atol=1e-6)
    mixed: list[Any] = [images[0], paths[1].read_bytes(), str(paths[2]), paths[3], images[4]]
    np.testing.assert_allclose(encoder.encode_photos(iter(mixed)), single, atol=1e-6)
    sketches = [[[[0, 10, 10 * i], [0, 0, 5]]] for i in range(1, 4)]
    single = np.stack([encoder.encode_sketch(sketch) for sketch in sketches])
    np.testing.assert_allclose(encoder.encode_sketches(sketches, batch=2), single, atol=1e-6)
    as_text = [json.dumps(sketch).encode() for sketch in sketches]
    np.testing.assert_allclose(encoder.encode_sketches(as_text), single, atol=1e-6)


def test_no_sources_give_no_embeddings(tiny_model: ModelPackage) -> None:
    encoder = Encoder(tiny_model)
    assert encoder.encode_photos([]).shape == encoder.encode_sketches([]).shape == (0, encoder.manifest.dimensions)


def test_a_source_that_cannot_be_read_is_named(tiny_model: ModelPackage, tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    Image.new("RGB", (9, 9)).save(good)
    with pytest.raises(ImageError) as caught:
        Encoder(tiny_model).encode_photos([good, tmp_path / "gone.png"])
    assert caught.value.subject == str(tmp_path / "gone.png")
    with pytest.raises(EmptySketchError):
        Encoder(tiny_model).encode_sketches([[[[0, 9], [0, 9]]], []])


def test_a_batch_of_no_sources_is_refused(tiny_model: ModelPackage) -> None:
    with pytest.raises(InputError, match="batch is 0"):
        Encoder(tiny_model).encode_photos([Image.new("RGB", (9, 9))], batch=0)


def test_a_damaged_graph_is_named(tmp_path: Path) -> None:
    package = write_tiny_package(tmp_path)
    (tmp_path / "photo.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelPackageError, match=r"photo\.onnx.*SHA-256"):
        load_encoder(package.path).encode_photo(Image.new("RGB", (9, 9)))


def test_another_raster_is_refused(tmp_path: Path) -> None:
    package = write_tiny_package(tmp_path)
    other = dataclasses.replace(package, manifest=dataclasses.replace(package.manifest, raster=99))
    with pytest.raises(ModelPackageError, match="raster 99"):
        Encoder(other)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"distance": "taxicab"},
        {"surprise": 1},
        {"photo": {"file": "../photo.onnx"}},
        {"photo": None},
        {"photo": {"size": "large"}},
        {"photo": {"size": 0}},
        {"photo": {"size": 100_000}},
        {"photo": {"parameters": -1}},
        {"dimensions": 10**9},
        {"name": "x" * 201},
        {"sketch": {"file": 5}},
        {"sketch": {"parameters": None}},
        {"dimensions": "many"},
        {"dimensions": True},
        {"raster": 1.5},
        {"data": "none"},
        {"scores": []},
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    write_tiny_package(tmp_path)
    rewrite_manifest(tmp_path, change)
    with pytest.raises(ModelPackageError, match=r"manifest\.json"):
        load_model_package(tmp_path)


def test_an_unknown_model_names_the_bundled_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelPackageError, match="Bundled models"):
        load_model_package(tmp_path / "none")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_no_manifest_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(text)
    with pytest.raises(ModelPackageError, match=r"manifest\.json"):
        load_model_package(tmp_path)


def test_a_manifest_of_megabytes_is_refused(tmp_path: Path) -> None:
    write_tiny_package(tmp_path)
    rewrite_manifest(tmp_path, {"license": "x" * 4_000_000})
    with pytest.raises(ModelPackageError, match="more than 4,000,000 bytes"):
        load_model_package(tmp_path)


def test_a_manifest_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(ModelPackageError, match="cannot be read"):
        load_model_package(tmp_path)


def test_fingerprints_tell_embedding_spaces_apart(tmp_path: Path) -> None:
    first, again, other = (write_tiny_package(tmp_path / str(i), seed=seed) for i, seed in enumerate((0, 0, 1)))
    assert first.manifest.fingerprint == again.manifest.fingerprint != other.manifest.fingerprint


def test_bundled_models_are_whole() -> None:
    for name in bundled_models():
        load_model_package(name).verify()


@pytest.mark.parametrize("change", [{"dimensions": 17}, {"sketch": {"size": 33}}])
def test_a_graph_that_does_not_fit_its_manifest_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    write_tiny_package(tmp_path)
    rewrite_manifest(tmp_path, change)
    with pytest.raises(ModelPackageError, match=r"sketch\.onnx"):
        load_encoder(tmp_path).encode_sketch([[[0, 10, 10], [0, 0, 5]]])


_EMBED = """
import sys
from sketchseek import load_encoder
load_encoder(sys.argv[1]).encode_sketch([[[0, 10, 10], [0, 0, 5]]])
"""


def test_nothing_is_reported_to_anybody(tmp_path: Path, tiny_model: ModelPackage) -> None:
    """onnxruntime keeps an identity and a queue of reports in the home folder, unless it is told not to report."""
    silencing = ("ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "CI", "XDG_CACHE_HOME", "PYTEST_CURRENT_TEST")
    environment = {key: value for key, value in os.environ.items() if key not in silencing}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", _EMBED, str(tiny_model.path)], env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []
