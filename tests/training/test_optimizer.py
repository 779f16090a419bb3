from __future__ import annotations

from typing import Any

import pytest

from sketchseek.training.config import parse_config
from sketchseek.training.optimizer import create_optimizer, create_schedule
from sketchseek.training.run_folder import build_model

SIDE = {"backbone": "test_vit", "size": 32}
SETTINGS = {
    "name": "m",
    "sketch": SIDE,
    "photo": SIDE,
    "embedding": 8,
    "sources": [],
    "learning_rate": 1.0,
    "learning_rate_multiplier": 0.5,
}


def _groups(change: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Learning rate and weight decay of each parameter of the sketch branch."""
    config = parse_config(SETTINGS | change)
    model = build_model(config)
    optimizer = create_optimizer(model, config)
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert len(found) == len(set(found)) == sum(p.requires_grad for p in model.parameters())
    return {
        names[p].removeprefix("sketch."): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
        if names[p].startswith("sketch.")
    }


def test_learning_rates_decay_towards_the_input() -> None:
    """The head has the full rate, the last stage behind it one factor of the decay, the patches eight."""
    groups = _groups({"layer_decay": 0.5})
    assert groups["head.linear.weight"][0] == 1
    assert groups["backbone.stages.7.0.weight"][0] == 0.5 * 0.5  # the norm
    assert groups["backbone.stages.1.attn.qkv.weight"][0] == 0.5 * 0.5**7
    assert groups["backbone.stages.0.net.patch_embed.proj.weight"][0] == 0.5 * 0.5**8
    assert {rate for rate, _ in _groups({}).values()} == {1, 0.5}


@pytest.mark.slow
def test_a_network_of_one_stage_decays_by_timm_s_layers() -> None:
    side = {"backbone": "vit_small_patch16_dinov3", "size": 32}
    groups = _groups({"sketch": side, "photo": side, "layer_decay": 0.5})
    rates = [groups[f"backbone.stages.0.net.blocks.{i}.attn.qkv.weight"][0] for i in range(12)]
    assert rates == sorted(rates)
    assert rates[1] == 2 * rates[0]


def test_vectors_and_positions_have_no_weight_decay() -> None:
    groups = _groups({"weight_decay": 0.1})
    assert groups["backbone.stages.0.net.pos_embed"][1] == 0
    assert groups["backbone.stages.0.net.cls_token"][1] == 0
    assert groups["backbone.stages.1.norm1.weight"][1] == 0
    assert groups["backbone.stages.1.attn.qkv.weight"][1] == 0.1


def test_frozen_and_shared_weights_are_counted_once() -> None:
    side = SIDE | {"frozen": 3}
    groups = _groups({"sketch": side, "photo": side, "shared_weights": True})
    assert not any(name.startswith("backbone.stages.2.") for name in groups)
    assert any(name.startswith("backbone.stages.3.") for name in groups)


@pytest.mark.parametrize("step", [0, 3, 7])
def test_a_schedule_continues_where_it_was(step: int) -> None:
    config = parse_config(SETTINGS | {"steps": 10, "warmup": 4})
    model = build_model(config)
    optimizers = [create_optimizer(model, config) for _ in range(2)]
    whole, resumed = create_schedule(optimizers[0], config), create_schedule(optimizers[1], config, step)
    for _ in range(step):
        optimizers[0].step()
        whole.step()
    assert whole.get_last_lr() == pytest.approx(resumed.get_last_lr())
