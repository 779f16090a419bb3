"""A package's encoders back in their networks, tested on one that a few steps have trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sketchseek.errors import ConfigError, ModelPackageError
from sketchseek.models.package import ModelPackage, bundled_models, load_model_package
from sketchseek.training.config import parse_config
from sketchseek.training.export import export_model
from sketchseek.training.nn.from_package import load_exported, recalibrate_batch_norm
from sketchseek.training.nn.heads import HeadNorm
from sketchseek.training.nn.model import BRANCHES, BranchConfig, BranchEncoder, BranchName, DualEncoder
from sketchseek.training.quantization import quantize_model
from sketchseek.training.run_folder import build_model

pytestmark = pytest.mark.slow

SIZE = 32
Exported = tuple[DualEncoder, ModelPackage]


def settings(norm: HeadNorm) -> dict[str, Any]:
    return {
        "name": "exported",
        "sketch": {"backbone": "shufflenet_v2_x0_5", "size": SIZE},
        "photo": {"backbone": "mobilenetv3_small_050", "size": SIZE},
        "embedding": 16,
        "norm": norm,
        "distance": "cosine",
        "sources": [{"kind": "sketchy", "path": "."}],
    }


def pixels(side: BranchName, count: int = 24) -> np.ndarray:
    shape = (count, SIZE, SIZE, 3) if side == "photo" else (count, SIZE, SIZE)
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module", params=["batch", "l2"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    config = parse_config(settings(request.param))
    model = build_model(config)
    model.train()
    for side in BRANCHES:  # statistics that are not those of the start
        for module in model.branch(side).modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
                torch.nn.init.uniform_(module.weight, 0.5, 2)
                torch.nn.init.normal_(module.bias)
        for _ in range(20):
            model.branch(side)(torch.from_numpy(pixels(side)))
    return model, export_model(model, config, tmp_path_factory.mktemp("model"), half_weights=False)[0]


def fresh(model: DualEncoder, side: BranchName) -> BranchEncoder:
    torch.manual_seed(5)
    return BranchEncoder(model.branch(side).config, 16, model.branch(side).head.norm).eval()


@pytest.mark.parametrize("side", BRANCHES)
def test_a_package_s_encoder_embeds_in_torch_as_it_did(exported: Exported, side: BranchName) -> None:
    model, package = exported
    encoder, shown = fresh(model, side), torch.from_numpy(pixels(side))
    with torch.no_grad():
        before = encoder(shown)
        load_exported(encoder, package, side)
        after, theirs = encoder(shown), model.eval().branch(side)(shown)
    assert not torch.allclose(before, theirs, rtol=0.1)
    torch.testing.assert_close(after, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("side", BRANCHES)
def test_settling_changes_nothing_but_what_training_sees(exported: Exported, side: BranchName) -> None:
    model, package = exported
    encoder, shown = fresh(model, side), torch.from_numpy(pixels(side))
    load_exported(encoder, package, side)
    with torch.no_grad():
        before = encoder(shown)
        unsettled = encoder.train()(shown)
        load_exported(encoder, package, side)
        recalibrate_batch_norm(encoder.eval(), shown)
        torch.testing.assert_close(encoder(shown), before, rtol=1e-3, atol=1e-3)
        settled = encoder.train()(shown)
    assert encoder.training
    spread = float(before.std())
    assert float((settled - before).abs().mean()) < 0.02 * spread
    assert float((unsettled - before).abs().mean()) > 0.2 * spread


def test_another_network_is_named(exported: Exported) -> None:
    _, package = exported
    with pytest.raises(ConfigError, match="is shufflenet_v2_x0_5, not shufflenet_v2_x1_0"):
        load_exported(BranchEncoder(BranchConfig("shufflenet_v2_x1_0", SIZE), 16, "batch"), package, "sketch")
    for embedding, reason in [(8, "another shape"), (None, "no place in it")]:
        with pytest.raises(ConfigError, match=reason) as caught:
            load_exported(
                BranchEncoder(BranchConfig("shufflenet_v2_x0_5", SIZE), embedding, "batch"), package, "sketch"
            )
        assert "embedding: 16" in caught.value.remedy


def test_eight_bits_are_refused(exported: Exported, tmp_path: Path) -> None:
    model, package = exported
    small = quantize_model(package, (pixels("photo"), pixels("sketch")), tmp_path)
    with pytest.raises(ConfigError, match="INT8"):
        load_exported(fresh(model, "sketch"), small, "sketch")


def test_a_damaged_package_is_refused(exported: Exported, tmp_path: Path) -> None:
    model, package = exported
    with pytest.raises(ModelPackageError):
        load_exported(fresh(model, "sketch"), dataclasses.replace(package, path=tmp_path), "sketch")


@pytest.mark.parametrize("name", bundled_models())
def test_bundled_models_of_another_structure_are_refused(name: str) -> None:
    """Their embeddings have two parts."""
    package = load_model_package(name)
    side = package.manifest.photo
    encoder = BranchEncoder(BranchConfig(side.backbone, side.size), package.manifest.dimensions, "batch")
    with pytest.raises(ConfigError, match=rf"{name}: .*(has no place in it|INT8)"):
        load_exported(encoder, package, "photo")
