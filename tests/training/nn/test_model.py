from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sketchseek.errors import ConfigError
from sketchseek.training.nn.backbones import PACKAGED, SHUFFLENETS, create_backbone
from sketchseek.training.nn.heads import EmbeddingHead
from sketchseek.training.nn.model import BranchConfig, BranchEncoder, DualEncoder
from sketchseek.training.torchvision_guard import import_timm

SMALL = BranchConfig("shufflenet_v2_x0_5", size=32)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHUFFLENETS)
def test_shufflenet_is_torchvision_s(name: str, tmp_path: Path) -> None:
    import_timm()  # sets the guard, where it is needed
    from torchvision.models import shufflenetv2

    torch.manual_seed(0)
    theirs = getattr(shufflenetv2, name)(weights=None).eval()
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    ours = create_backbone(name, str(tmp_path / "weights.safetensors")).eval()
    theirs.fc = torch.nn.Identity()
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours(x).mean(dim=(2, 3)), theirs(x))


@pytest.mark.slow
def test_timm_imports_twice_over() -> None:
    assert import_timm() is import_timm()


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "mobilenetv2_100", "resnet10t"])
def test_timm_backbones_are_chains_that_end_in_a_feature_map(name: str) -> None:
    backbone = create_backbone(name).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        whole = backbone(x)
    assert whole.shape[:2] == (2, backbone.channels)
    assert whole.shape[2] < 64


@pytest.mark.parametrize("frozen", [0, 3, 9, 10])
def test_frozen_stages_and_the_rest_make_the_whole_encoder(frozen: int) -> None:
    encoder = BranchEncoder(BranchConfig("tf_efficientnet_lite0", 32, frozen=frozen), 8, "batch")
    encoder.train()
    trained = [stage for stage in encoder.stages if any(p.requires_grad for p in stage.parameters())]
    assert len(trained) == 10 - frozen
    assert [stage.training for stage in encoder.stages] == [False] * frozen + [True] * (10 - frozen)
    encoder.eval()
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    torch.testing.assert_close(encoder.from_frozen_features(encoder.frozen_features(pixels)), encoder(pixels))


def test_more_stages_than_there_are_cannot_be_frozen() -> None:
    with pytest.raises(ConfigError, match="10 stages with its head"):
        BranchEncoder(BranchConfig("tf_efficientnet_lite0", 32, frozen=11), 8, "batch")


@pytest.mark.parametrize("name", sorted(PACKAGED))
def test_packaged_weights_know_imagenet(name: str) -> None:
    package, normalization = PACKAGED[name]
    try:
        metadata.version(package.split("==")[0])
    except metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    torch.manual_seed(0)
    backbone = create_backbone(name, "packaged").eval()
    assert backbone.normalization is normalization
    fresh = create_backbone(name).eval()
    with torch.no_grad():
        x = torch.randn(1, 3, 64, 64)
        assert not torch.allclose(backbone(x), fresh(x), atol=0.1)


def test_weights_from_a_file(tmp_path: object) -> None:
    file = f"{tmp_path}/w.safetensors"
    import_timm()  # makes torchvision importable
    from torchvision.models import shufflenetv2

    net = shufflenetv2.shufflenet_v2_x0_5(weights=None).eval()
    save_file(net.state_dict() | {"fc.weight": torch.zeros(1)}, file)
    backbone = create_backbone("shufflenet_v2_x0_5", file).eval()
    net.fc = torch.nn.Identity()
    x = torch.ones(1, 3, 32, 32)
    torch.testing.assert_close(backbone(x).mean(dim=(2, 3)), net(x))


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("nonesuch", "none", "no such backbone"),
        ("shufflenet_v2_x0_5", "packaged", "no packaged weights"),
        ("shufflenet_v2_x0_5", "/none.safetensors", "no such weights file"),
    ],
)
def test_wrong_backbones_are_named(name: str, weights: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_backbone(name, weights)


@pytest.mark.parametrize("norm", ["none", "l2", "batch", "both"])
def test_heads_normalize_as_they_say(norm: str) -> None:
    torch.manual_seed(0)
    out = EmbeddingHead(8, 5, norm)(torch.randn(64, 8, 3, 3) * 7 + 3)  # type: ignore[arg-type]
    unit = torch.allclose(out.norm(dim=1), torch.ones(64), atol=1e-5)
    assert unit == (norm in ("l2", "both"))
    if norm == "batch":
        torch.testing.assert_close(out.mean(dim=0), torch.zeros(5), atol=1e-5, rtol=0)
        torch.testing.assert_close(out.std(dim=0, unbiased=False), torch.ones(5), atol=1e-3, rtol=0)


@pytest.mark.slow
def test_sides_have_statistics_of_their_own() -> None:
    model = DualEncoder(SMALL, SMALL, embedding=8, shared_weights=True)
    assert model.sketch.backbone is model.photo.backbone
    assert model.sketch.head.batch is not model.photo.head.batch


def test_a_sketch_and_a_grey_photo_are_normalized_alike() -> None:
    model = DualEncoder(SMALL, SMALL, embedding=8)
    gray = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(
        model.sketch.normalize(gray), model.photo.normalize(gray.unsqueeze(-1).expand(-1, -1, -1, 3))
    )


def test_frozen_stages_do_not_train() -> None:
    model = DualEncoder(SMALL, BranchConfig("shufflenet_v2_x0_5", 32, frozen=2), embedding=8)
    model.train()
    stages = model.photo.backbone.stages
    assert [stage.training for stage in stages] == [False, False, True, True, True]
    assert not any(p.requires_grad for stage in stages[:2] for p in stage.parameters())
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    model.eval()
    torch.testing.assert_close(
        model.photo.from_frozen_features(model.photo.frozen_features(pixels)), model.photo(pixels)
    )


def test_models_that_cannot_be_are_named() -> None:
    with pytest.raises(ConfigError, match="embeddings of"):
        DualEncoder(SMALL, BranchConfig("shufflenet_v2_x2_0"), embedding=None)
    with pytest.raises(ConfigError, match="same backbone"):
        DualEncoder(SMALL, BranchConfig("shufflenet_v2_x1_0"), shared_weights=True)
    with pytest.raises(ConfigError, match="frozen"):
        DualEncoder(BranchConfig("shufflenet_v2_x0_5", frozen=9), SMALL)
    with pytest.raises(ConfigError, match="norm"):
        EmbeddingHead(8, 5, "group")  # type: ignore[arg-type]


def test_branches_share_a_learned_scale_that_the_folded_head_keeps() -> None:
    side = BranchConfig("shufflenet_v2_x0_5", 32)
    model = DualEncoder(side, side, embedding=8, norm="scaled").eval()
    scale = model.sketch.head.log_scale
    assert scale is not None
    assert model.photo.head.log_scale is scale
    pixels = torch.randint(0, 255, (3, 32, 32), dtype=torch.uint8)
    first = model.sketch(pixels)
    torch.testing.assert_close(first.norm(dim=1), torch.full((3,), 8.0))
    first.sum().backward()
    assert scale.grad is not None
    with torch.no_grad():
        scale.add_(1.0)
        torch.testing.assert_close(model.sketch(pixels), first * torch.e)
        features = model.sketch.feature_map(pixels)
        torch.testing.assert_close(model.sketch.head.folded()(features), first * torch.e)
        torch.testing.assert_close(model.sketch.head.cells(features).sum(dim=(1, 2)), first * torch.e)
