from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from sketchseek.datasets.records import Sketch
from sketchseek.errors import ConfigError, EmptySketchError, MissingExtraError
from sketchseek.sketches import rasterize_sketch
from sketchseek.training import hed as module
from sketchseek.training.hed import SIDE, Hed, _layer, _quantized, convert_hed_weights, edge_maps, load_hed
from sketchseek.training.pseudo_sketches import hed_strokes, line_sketch, sketch_source


class GradientHed(Hed):
    """HED with the size of a blurred photo's gradient in place of what it learned."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        gray = pixels.mean(dim=1, keepdim=True)
        slope = gray[..., 1:-1, 2:] - gray[..., 1:-1, :-2], gray[..., 2:, 1:-1] - gray[..., :-2, 1:-1]
        size = F.pad(torch.hypot(*slope), (1, 1, 1, 1))
        return (F.avg_pool2d(F.avg_pool2d(size, 3, 1, 1), 3, 1, 1) / 100).clamp(0, 1)[:, 0]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same network with a sixteenth of its width, so that tests are quick."""
    monkeypatch.setattr(module, "_WIDTHS", (4, 8, 16, 32, 32))


def keras_arrays(net: Hed) -> dict[str, np.ndarray]:
    """A network's weights under the names and in the layout of the package's file."""
    arrays: dict[str, np.ndarray] = {}

    def put(name: str, layer: torch.nn.Conv2d) -> None:
        assert layer.bias is not None
        arrays[f"{name}/vars/0"] = layer.weight.detach().permute(2, 3, 1, 0).numpy()
        arrays[f"{name}/vars/1"] = layer.bias.detach().numpy()

    side: Any
    for number, (block, side) in enumerate(zip(net.blocks, net.sides, strict=True), 1):
        layers = [layer for layer in block.children() if isinstance(layer, torch.nn.Conv2d)]
        for index, layer in enumerate(layers):
            put(f"block{number}/layers/conv2d{f'_{index}' if index else ''}", layer)
        put(f"dsn{number}", side)
    put("fuse", net.fuse)
    arrays["optimizer/dsn1/vars/0"] = np.zeros((1, 1, 1, 1), np.float32)
    return dict(reversed(arrays.items()))


def test_converted_weights_give_nearly_the_same_edges(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    net = Hed().eval()
    monkeypatch.setattr(module, "_read_keras", lambda file: keras_arrays(net))
    convert_hed_weights(tmp_path / "weights.h5", tmp_path / "out" / "hed.safetensors")
    loaded = load_hed(tmp_path / "out" / "hed.safetensors")
    assert not loaded.training
    pixels = torch.rand(2, 3, 37, 50) * 255  # sides that no power of two divides
    edges = loaded(pixels)
    assert edges.shape == (2, 37, 50)
    torch.testing.assert_close(edges, net(pixels).detach(), atol=0.02, rtol=0)
    for name, weight in net.named_parameters():
        scale = weight.abs().amax() / 127
        assert (loaded.get_parameter(name) - weight).abs().max() <= scale, name


def test_layers_are_told_apart_by_number() -> None:
    arrays = {
        f"block1/layers/conv_{i}/vars/{j}": np.full((1,) * (4 - 3 * j), i, np.float32) for i in (10, 9) for j in (0, 1)
    }
    assert [_layer(arrays, "block1", n)[0].item() for n in (0, 1)] == [9, 10]


def test_eight_bits_are_within_half_a_step_of_each_filter() -> None:
    scaled = np.random.default_rng(0).normal(size=(3, 3, 4, 5)) * np.arange(1, 6)
    kernel = scaled.astype(np.float32)
    stored = _quantized("x", kernel, np.zeros(5, np.float32))
    restored = stored["x.quantized"].float() * stored["x.scale"].view(-1, 1, 1, 1)
    error = (restored - torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())).abs().amax(dim=(1, 2, 3))
    assert (error <= stored["x.scale"] * 0.501).all()


def test_edge_maps_are_bytes_of_one_size(small: None) -> None:
    photos = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), dtype=np.uint8)
    torch.manual_seed(0)
    net = Hed().eval()
    edges = edge_maps(net, photos, batch=2)
    assert edges.shape == (3, SIDE, SIDE)
    assert edges.dtype == np.uint8
    np.testing.assert_array_equal(edges[2], edge_maps(net, photos[2:])[0])
    assert edge_maps(net, photos[:0]).shape == (0, SIDE, SIDE)


def test_errors(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"absent\.safetensors"):
        load_hed(tmp_path / "absent.safetensors")
    save_file({"fuse.bias": torch.zeros(1)}, tmp_path / "part.safetensors")
    with pytest.raises(ConfigError, match="cannot load"):
        load_hed(tmp_path / "part.safetensors")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "h5py", None)
        with pytest.raises(MissingExtraError, match="h5py"):
            convert_hed_weights(tmp_path / "x.h5", tmp_path / "x.safetensors")
    monkeypatch.setattr(module, "_read_keras", lambda file: {})
    with pytest.raises(ConfigError, match="not the weights of HED"):
        convert_hed_weights(tmp_path / "x.h5", tmp_path / "x.safetensors")


def disk(file: Path, color: str) -> Path:
    picture = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(picture).ellipse((60, 60, 240, 240), fill=color)
    picture.save(file)
    return file


def test_strokes_of_a_disk_are_a_closed_line_round_it(small: None, tmp_path: Path) -> None:
    photo = disk(tmp_path / "disk.png", "black")
    strokes = hed_strokes(photo, GradientHed())
    assert len(strokes) == 1
    points = np.array(strokes[0]).T
    assert 8 <= len(points) < 80  # simplified
    assert np.isfinite(points).all()
    scale = SIDE / 300
    assert np.abs(np.hypot(*(points - 150 * scale).T) - 90 * scale).max() < 3
    assert np.abs(points[0] - points[-1]).max() <= 5
    pseudo = Sketch("disk", "disk/1", path=photo, pseudo=True)
    assert sketch_source(pseudo, GradientHed()) == strokes
    assert 0.02 < (rasterize_sketch(strokes, 64) < 128).mean() < 0.2
    with pytest.raises(EmptySketchError, match=r"fog\.png"):
        hed_strokes(disk(tmp_path / "fog.png", "white"), GradientHed())


def test_canny_stays_the_default(small: None, tmp_path: Path) -> None:
    photo = disk(tmp_path / "disk.png", "black")
    source = sketch_source(Sketch("disk", "disk/1", path=photo, pseudo=True))
    assert isinstance(source, Image.Image)
    assert source.tobytes() == line_sketch(photo).tobytes()
    drawn = Sketch("disk", "disk/2", strokes=(((0.0, 1.0), (0.0, 1.0)),))
    assert sketch_source(drawn, GradientHed()) == drawn.strokes
