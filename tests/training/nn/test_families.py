"""One network of each family that timm has: its features, pooling, stages, gradients and weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sketchseek.errors import ConfigError
from sketchseek.training.nn.backbones import create_backbone
from sketchseek.training.nn.model import BranchConfig, BranchEncoder, DualEncoder
from sketchseek.training.torchvision_guard import import_timm

pytestmark = pytest.mark.slow

# name, size, stages with the head, channels, rows of the map, prefix tokens, whether places have shares
FAMILIES = [
    ("shufflenet_v2_x0_5", 64, 6, 1024, 2, 0, True),
    ("resnet18", 64, 6, 512, 2, 0, True),
    ("tf_efficientnet_lite0", 64, 10, 1280, 2, 0, True),
    ("mobilenetv3_small_050", 64, 9, 1024, 2, 0, False),  # its head has a convolution
    ("convnext_atto", 64, 7, 320, 2, 0, False),  # its head has a norm
    ("swin_tiny_patch4_window7_224", 64, 7, 768, 2, 0, True),  # (batch, rows, columns, channels)
    ("vit_tiny_patch16_224", 64, 15, 192, 4, 1, False),
    ("vit_small_patch14_dinov2", 56, 15, 384, 4, 1, False),
    ("vit_xsmall_patch16_clip_224", 64, 13, 256, 4, 1, False),
    ("test_vit3", 64, 13, 96, 4, 1, False),  # pools by attention, as SigLIP does
    ("test_vit2", 64, 11, 64, 4, 1, False),  # has a norm behind the mean
    ("vit_small_patch16_dinov3", 64, 2, 384, 4, 5, True),  # its blocks share rotary embeddings
]


@pytest.mark.parametrize(("name", "size", "stages", "channels", "rows", "prefix", "cells"), FAMILIES)
def test_every_family_embeds_pictures_and_learns(
    name: str, size: int, stages: int, channels: int, rows: int, prefix: int, cells: bool
) -> None:
    torch.manual_seed(0)
    encoder = BranchEncoder(BranchConfig(name, size), 7, "batch").train()
    assert len(encoder.stages) == stages
    assert encoder.backbone.channels == channels
    assert encoder.has_cells == cells
    pixels = torch.randint(0, 256, (3, size, size, 3), dtype=torch.uint8)
    embeddings = encoder(pixels)
    assert embeddings.shape == (3, 7)
    (embeddings * torch.randn(3, 7)).sum().backward()
    without = [n for n, p in encoder.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    encoder.eval()
    with torch.no_grad():
        x = encoder.normalize(pixels)
        features = create_backbone(name, size=size, pool="mean").eval().features(x)
        assert features.map.shape[2:] == (rows, rows)
        assert features.prefix.shape == (3, prefix, features.map.shape[1])
        if cells:
            summed = encoder.head.cells(encoder.feature_map(pixels)).sum(dim=(1, 2))
            torch.testing.assert_close(summed, encoder(pixels), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "size"), [row[:2] for row in FAMILIES if row[0] != "shufflenet_v2_x0_5"])
def test_pooled_features_are_timm_s_own(name: str, size: int) -> None:
    torch.manual_seed(0)
    made = BranchEncoder(BranchConfig(name, size), None, "none").eval()
    torch.manual_seed(0)
    timm = import_timm()
    try:
        theirs = timm.create_model(name, num_classes=0, img_size=size).eval()
    except TypeError:
        theirs = timm.create_model(name, num_classes=0).eval()
    pixels = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(made(pixels), theirs(made.normalize(pixels)), rtol=1e-4, atol=1e-5)
    assert made.backbone.normalization.mean == tuple(theirs.pretrained_cfg["mean"])


def _frozen(frozen: int, name: str = "test_vit", size: int = 32, **settings: Any) -> BranchEncoder:
    torch.manual_seed(0)
    return BranchEncoder(BranchConfig(name, size, frozen=frozen, **settings), 8, "batch")


@pytest.mark.parametrize("name", ["test_vit", "test_vit3", "test_convnext", "resnet18"])
@pytest.mark.parametrize("left", [0, 1, 2])
def test_frozen_stages_and_the_rest_make_the_whole(name: str, left: int) -> None:
    stages = len(_frozen(0, name).stages)
    encoder = _frozen(stages - left, name).eval()
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    frozen = encoder.frozen_features(pixels)
    torch.testing.assert_close(encoder.from_frozen_features(frozen), encoder(pixels), rtol=1e-4, atol=1e-5)
    assert frozen.ndim == 2 or left > 1
    assert any(p.requires_grad for p in encoder.parameters()) == (left > 0)


def test_blocks_of_a_transformer_are_stages() -> None:
    encoder = _frozen(4).train()  # the patches, and three of six blocks
    encoder(torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)).sum().backward()
    trained = {name for name, p in encoder.named_parameters() if p.grad is not None}
    assert trained
    assert not any(name.startswith(tuple(f"backbone.stages.{i}." for i in range(4))) for name in trained)
    assert any(name.startswith("backbone.stages.4.attn.qkv") for name in trained)


@pytest.mark.parametrize("pool", ["class", "mean", "attention"])
def test_tokens_pool_as_asked(pool: str) -> None:
    encoder = _frozen(0, pool=pool).eval()
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        tokens = encoder.feature_map(pixels)
        pooled = encoder.head.pooling(tokens)
    assert tokens.shape == (2, 5, 64)
    if pool == "class":
        torch.testing.assert_close(pooled, tokens[:, 0])
    elif pool == "mean":
        torch.testing.assert_close(pooled, tokens[:, 1:].mean(dim=1))
    else:
        assert pooled.shape == (2, 64)
        assert all(p.requires_grad for p in encoder.head.pooling.parameters())


def test_attention_pools_a_feature_map_too() -> None:
    encoder = BranchEncoder(BranchConfig("shufflenet_v2_x0_5", 64, pool="attention"), 8, "batch")
    assert encoder(torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)).shape == (2, 8)
    assert not encoder.has_cells


def test_a_new_attention_pooling_is_trained_on_a_frozen_backbone() -> None:
    encoder = _frozen(8, pool="attention").train()
    features = encoder.frozen_features(torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8))
    encoder.from_frozen_features(features).sum().backward()
    assert features.shape == (2, 5, 64)
    assert all(p.grad is not None for p in encoder.head.pooling.parameters())


@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "shufflenet_v2_x0_5"])
def test_gradient_checkpointing_changes_nothing(name: str) -> None:
    plain, saving = (_frozen(1, name, gradient_checkpointing=saving).train() for saving in (False, True))
    pixels = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    for encoder in (plain, saving):
        encoder(pixels).square().mean().backward()
    for (key, one), other in zip(plain.named_parameters(), saving.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), key
        if one.grad is not None and other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad)
    floats = [{k: v for k, v in encoder.state_dict().items() if v.is_floating_point()} for encoder in (plain, saving)]
    torch.testing.assert_close(*floats)  # also the batch statistics


def test_gradient_checkpointing_keeps_less() -> None:
    """Between forward and backward pass, autograd keeps the stages' inputs only."""
    kept = []
    for saving in (False, True):
        sizes: list[int] = []

        def pack(x: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(x.numel())
            return x

        encoder = _frozen(0, size=64, gradient_checkpointing=saving).train()
        pixels = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            encoder(pixels)
        kept.append(sum(sizes))
    assert kept[1] < kept[0] / 3


def test_dynamic_sizes_let_branches_of_two_sizes_share_weights() -> None:
    sides = [BranchConfig("test_vit", size, dynamic_img_size=True) for size in (32, 64)]
    model = DualEncoder(*sides, embedding=8, shared_weights=True).eval()
    with torch.no_grad():
        assert model.sketch(torch.zeros((1, 32, 32), dtype=torch.uint8)).shape == (1, 8)
        assert model.photo(torch.zeros((1, 64, 64, 3), dtype=torch.uint8)).shape == (1, 8)
    sides = [BranchConfig("vit_tiny_patch16_224", size) for size in (32, 64)]
    with pytest.raises(ConfigError, match="does not take two sizes") as caught:
        DualEncoder(*sides, embedding=8, shared_weights=True)
    assert "dynamic_img_size" in caught.value.remedy


@pytest.mark.parametrize(
    ("call", "message", "remedy"),
    [
        (lambda: create_backbone("vit_small_patch14_dinov2", size=128), "multiple of its patch size 14", "126 or 140"),
        (lambda: create_backbone("resnet18", dynamic_img_size=True), "no such option", "false"),
        (lambda: create_backbone("resnet18", pool="class"), "no class token", "mean"),
        (lambda: create_backbone("tf_efficientnet_lite0", pool="class"), "no class token", "mean"),
        (lambda: create_backbone("test_convnext", size=2), "cannot take pictures of 2 px", "another size"),
        (lambda: create_backbone("test_convnext").features(torch.zeros(1, 3, 160, 160)), "pools its", "pool to mean"),
    ],
)
def test_what_a_backbone_cannot_do_is_named(call: Callable[[], Any], message: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        call()
    assert remedy in caught.value.remedy


def test_pretrained_positions_are_interpolated(tmp_path: Path) -> None:
    """A file of timm's weights, with a classifier, fits a network for pictures of another size."""
    timm = import_timm()
    theirs = timm.create_model("test_vit", img_size=64)
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    ours = create_backbone("test_vit", str(tmp_path / "weights.safetensors"), size=32)
    stem: nn.Module = ours.stages[0]
    assert stem.net.pos_embed.shape == (1, 5, 64)  # type: ignore[union-attr]
    torch.testing.assert_close(ours.stages[1].attn.qkv.weight, theirs.blocks[0].attn.qkv.weight)  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="of another backbone"):
        create_backbone("test_vit3", str(tmp_path / "weights.safetensors"), size=32)


def test_timm_s_weights_are_downloaded_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the hub's client returns a local file."""
    timm = import_timm()
    from timm.models import _hub

    theirs = timm.create_model("test_vit")
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    asked: list[str] = []

    def download(repo_id: str, filename: str, **_: Any) -> str:
        asked.append(repo_id)
        return str(tmp_path / "model.safetensors")

    monkeypatch.setattr(_hub, "hf_hub_download", download)
    ours: Any = create_backbone("test_vit.r160_in1k", "download", size=32)
    assert asked == ["timm/test_vit.r160_in1k"]
    torch.testing.assert_close(ours.stages[1].attn.qkv.weight, theirs.blocks[0].attn.qkv.weight)

    def offline(repo_id: str, filename: str, **_: Any) -> str:
        raise OSError("no connection")

    monkeypatch.setattr(_hub, "hf_hub_download", offline)
    with pytest.raises(ConfigError, match=r"test_vit\.r160_in1k: .*no connection"):
        create_backbone("test_vit.r160_in1k", "download", size=32)


def test_torchvision_s_weights_are_downloaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import_timm()
    from torchvision.models import _api, shufflenetv2

    theirs = shufflenetv2.shufflenet_v2_x0_5(weights=None)
    asked: list[str] = []

    def download(url: str, *_: Any, **options: Any) -> dict[str, Tensor]:
        asked.append(url)
        assert options["weights_only"]
        assert options["check_hash"]
        return dict(theirs.state_dict())

    monkeypatch.setattr(_api, "load_state_dict_from_url", download)
    ours: Any = create_backbone("shufflenet_v2_x0_5", "download")
    assert "shufflenetv2_x0.5" in asked[0]
    torch.testing.assert_close(ours.stages[4][0].weight, theirs.conv5[0].weight)


def test_the_moving_average_s_copy_is_a_copy() -> None:
    """Parts of one network share nothing with the parts of its copy."""
    encoder = _frozen(0).eval()
    other = copy.deepcopy(encoder)
    pixels = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8)
    before = other(pixels)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(1)
    torch.testing.assert_close(other(pixels), before)
