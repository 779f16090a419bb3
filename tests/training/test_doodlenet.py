from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sketchseek.datasets.quickdraw import load_quickdraw
from sketchseek.errors import ConfigError
from sketchseek.sketches import rasterize_sketch
from sketchseek.training.doodlenet import FEATURES, DoodleNet, area_weights, google_bitmap

WORDS = ("The Eiffel Tower", "hot_air_balloon", "cat")


def write_doodlenet(folder: Path) -> list[np.ndarray]:
    """Random weights in the format of the release."""
    random = np.random.default_rng(0)
    channels = (1, 16, 16, 32, 32, 64, 64)
    shapes: list[tuple[int, ...]] = []
    for before, after in itertools.pairwise(channels):
        shapes += [(3, 3, before, after), (after,)]
    shapes += [(3 * 3 * 64, FEATURES), (FEATURES,), (FEATURES, len(WORDS)), (len(WORDS),)]
    values = [random.normal(0, 0.1, shape).astype("<f4") for shape in shapes]
    (folder / "weights.bin").write_bytes(b"".join(value.tobytes() for value in values))
    weights = [{"name": str(i), "shape": list(shape), "dtype": "float32"} for i, shape in enumerate(shapes)]
    (folder / "model.json").write_text(
        json.dumps({"weightsManifest": [{"paths": ["weights.bin"], "weights": weights}]})
    )
    (folder / "class_names.txt").write_text("\n".join(WORDS) + "\n")
    return values


@pytest.mark.parametrize("side", [64, 128, 160])
def test_logits_and_features_of_rasters_of_any_size(tmp_path: Path, side: int) -> None:
    write_doodlenet(tmp_path)
    net = DoodleNet(tmp_path)
    logits, features = net(torch.rand(5, 1, side, side))
    assert net.words == ("the eiffel tower", "hot air balloon", "cat")
    assert logits.shape == (5, 3)
    assert features.shape == (5, FEATURES)
    assert features.abs().max() <= 1
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_the_first_layer_is_a_convolution_in_the_files_order(tmp_path: Path) -> None:
    kernel = write_doodlenet(tmp_path)[0]
    net = DoodleNet(tmp_path)
    pixel = torch.zeros(1, 1, 28, 28)
    pixel[0, 0, 10, 12] = 1
    response = net.convolutions[0](pixel) - net.convolutions[0](torch.zeros_like(pixel))
    # A pixel below and to the right of the center is weighed by the kernel's last row and column.
    np.testing.assert_allclose(response[0, :, 9, 11], kernel[2, 2, 0], atol=1e-6)
    np.testing.assert_allclose(response[0, :, 11, 12], kernel[0, 1, 0], atol=1e-6)


def test_bitmaps_hold_thicker_lines_and_no_ink_at_the_border() -> None:
    ink = torch.zeros(1, 1, 128, 128)
    ink[..., 63:65, 8:120] = 1
    bitmap = google_bitmap(ink)
    assert bitmap.shape == (1, 1, 28, 28)
    assert 1.0 < bitmap[0, 0, :, 14].sum() < 2.0  # about 1.3 pixels thick, where area averaging alone leaves 0.4
    assert bitmap[..., 0].max() == bitmap[..., -1].max() == 0
    assert bitmap.min() >= 0
    assert bitmap.max() <= 1


@pytest.mark.parametrize("side", [28, 112, 119, 128])
def test_area_weights_are_interpolation_by_area(side: int) -> None:
    image = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(0))
    weights = area_weights(side, 28)
    expected = torch.nn.functional.interpolate(image, size=(28, 28), mode="area")
    torch.testing.assert_close(torch.einsum("bchw,ih,jw->bcij", image, weights, weights), expected)


def test_errors_name_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot read doodleNet in"):
        DoodleNet(tmp_path)
    write_doodlenet(tmp_path)
    (tmp_path / "class_names.txt").write_text("cat\n")
    with pytest.raises(ConfigError, match="not doodleNet's weights"):
        DoodleNet(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"\0" * 40)
    with pytest.raises(ConfigError, match="Cannot read doodleNet in"):
        DoodleNet(tmp_path)
    write_doodlenet(tmp_path)
    (tmp_path / "model.json").write_text((tmp_path / "model.json").read_text().replace("weights.bin", "../weights.bin"))
    with pytest.raises(ConfigError, match="not a plain file name"):
        DoodleNet(tmp_path)


@pytest.mark.real_data
@pytest.mark.parametrize("side", [112, 128, 160])
def test_it_recognizes_two_of_three_real_sketches(real_data: Path, side: int) -> None:
    if not (real_data / "doodlenet").is_dir():
        pytest.skip(f"no doodleNet in {real_data}")
    net = DoodleNet(real_data / "doodlenet")
    sketches = load_quickdraw(real_data / "quickdraw", limit=1).sketches
    rasters = np.stack([rasterize_sketch(sketch.source, side) for sketch in sketches])
    with torch.no_grad():
        logits, _ = net(1 - torch.from_numpy(rasters)[:, None].float() / 255)
    top = logits.argmax(dim=1).tolist()
    right = [net.words[index] == sketch.category for index, sketch in zip(top, sketches, strict=True)]
    assert len(sketches) >= 300
    assert 0.60 <= np.mean(right) <= 0.75
