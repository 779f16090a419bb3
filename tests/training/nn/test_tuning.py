from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from sketchseek.errors import ConfigError
from sketchseek.training.nn.model import BranchConfig, BranchEncoder
from sketchseek.training.nn.tuning import Tune, merged, tune_only

PIXELS = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def _encoder(name: str = "test_vit", **settings: Any) -> BranchEncoder:
    torch.manual_seed(0)
    return BranchEncoder(BranchConfig(name, 32, **settings), 8, "batch").train()


def _tuned(encoder: BranchEncoder) -> set[str]:
    """Names of the weights that get a gradient."""
    (encoder(PIXELS) * torch.linspace(-1, 1, 8)).sum(dim=1).square().mean().backward()
    return {name for name, p in encoder.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "shufflenet_v2_x0_5"])
def test_only_norms_are_tuned(name: str) -> None:
    encoder = _encoder(name, tune="norm", frozen=1)
    norms = {
        f"{key}.{own}"
        for key, module in encoder.backbone.named_modules(prefix="backbone")
        if "Norm" in type(module).__name__ and not key.startswith("backbone.stages.0")
        for own, _ in module.named_parameters(recurse=False)
    }
    changed = _tuned(encoder)
    assert {key for key in changed if key.startswith("backbone.")} == norms
    assert "head.linear.weight" in changed


# Swin V2's attention reads the weight of a layer: an update beside the layer would be ignored.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "resnet18", "swinv2_tiny_window8_256"])
def test_low_rank_updates_start_at_zero_are_all_tuned_and_merge(name: str) -> None:
    plain, encoder = _encoder(name).eval(), _encoder(name, tune="lora", lora_rank=2).eval()
    encoder.head.load_state_dict(plain.head.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(encoder(PIXELS), plain(PIXELS))
    changed = {key for key in _tuned(encoder.train()) if key.startswith("backbone.")}
    expected = {key for key, _ in encoder.named_parameters() if key.endswith((".0.up", ".0.down"))}
    assert changed == expected
    assert len(expected) > 8
    encoder.eval()
    with torch.no_grad():
        for key, parameter in encoder.named_parameters():
            if key.endswith(".up"):
                parameter.normal_(0, 0.01)
    whole = copy.copy(encoder)
    whole._modules = dict(encoder._modules) | {"backbone": merged(encoder.backbone)}
    with torch.no_grad():
        torch.testing.assert_close(whole(PIXELS), encoder(PIXELS), rtol=1e-3, atol=1e-5)
        assert not torch.allclose(encoder(PIXELS), plain(PIXELS), rtol=1e-3, atol=1e-5)
    assert set(whole.backbone.state_dict()) == set(plain.backbone.state_dict())


def test_low_rank_updates_are_few_weights() -> None:
    counts = [
        sum(p.numel() for p in _encoder(**settings).backbone.parameters() if p.requires_grad)
        for settings in ({}, {"tune": "lora", "lora_rank": 2}, {"tune": "norm"})
    ]
    assert counts[1] < counts[0] / 10
    assert counts[2] < counts[1]


def test_nothing_to_merge_is_no_copy() -> None:
    encoder = _encoder()
    assert merged(encoder) is encoder


@pytest.mark.parametrize(("tune", "layer"), [("norm", nn.Conv2d(3, 3, 1)), ("lora", nn.LayerNorm(3))])
def test_stages_without_such_weights_are_named(tune: Tune, layer: nn.Module) -> None:
    with pytest.raises(ConfigError, match=f"tune is {tune}"):
        tune_only([layer], tune, 1)
