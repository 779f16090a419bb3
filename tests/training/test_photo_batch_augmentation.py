from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from sketchseek.training.config import AugmentConfig
from sketchseek.training.photo_batch_augmentation import (
    augment_photo_batch,
    blur,
    brighten,
    change_contrast,
    crop,
    crop_boxes,
    saturate,
    turn_hue,
)
from sketchseek.training.torchvision_guard import import_timm


def photos(count: int = 6, size: int = 40) -> Tensor:
    """Colored gradients with a fine grid, a different color each."""
    random = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 1, size)
    color = torch.rand((count, 1, 1, 3), generator=random)
    picture = color * (ramp[None, :, None, None] + ramp[None, None, :, None]) / 2 * 200 + 20
    picture[:, ::2, ::2] += 30
    return picture.to(torch.uint8)


def augmented(pixels: Tensor, seed: int = 0, **settings: Any) -> Tensor:
    return augment_photo_batch(pixels, AugmentConfig(**settings), torch.Generator().manual_seed(seed))


def test_without_settings_photos_stay_as_they_are() -> None:
    pixels = photos()
    assert augmented(pixels, flip=0.5, rotate=10) is pixels


@pytest.mark.parametrize("settings", [{"crop": 0.5}, {"color": 0.5}, {"gray": 0.5}, {"blur": 0.5}])
def test_the_generator_alone_decides(settings: dict[str, Any]) -> None:
    pixels = photos(12)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = augmented(pixels, **settings)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(augmented(pixels, **settings), first)
    assert not torch.equal(augmented(pixels, seed=1, **settings), first)
    assert first.shape == pixels.shape
    assert first.dtype == torch.uint8
    assert torch.equal(pixels, photos(12))


@pytest.mark.parametrize("settings", [{"crop": 0.5}, {"color": 0.5}])
def test_every_photo_changes_by_itself(settings: dict[str, Any]) -> None:
    out = augmented(photos(1).expand(4, -1, -1, -1), **settings)
    assert len({tuple(each.flatten().tolist()) for each in out}) == 4


def test_gray_photos_have_equal_channels() -> None:
    out = augmented(photos(), gray=1.0)
    assert torch.equal(out[..., :1].expand_as(out), out)
    some = augmented(photos(40), gray=0.5)
    gray = (some[..., :1].expand_as(some) == some).flatten(1).all(dim=1)
    assert 8 < int(gray.sum()) < 32


def test_a_blur_removes_the_fine_grid() -> None:
    def roughness(pixels: Tensor) -> float:
        return float((pixels[:, :, 1:].float() - pixels[:, :, :-1].float()).abs().mean())

    assert roughness(augmented(photos(), blur=1.0)) < 0.9 * roughness(photos())


def test_a_crop_shows_a_part_that_fills_the_square() -> None:
    """A photo of two halves: of the crop, never less than the rest of its area allows."""
    pixels = torch.zeros((30, 40, 40, 3), dtype=torch.uint8)
    pixels[:, :, 20:] = 255
    bright = (augmented(pixels, crop=0.3).float().mean(dim=(1, 2, 3)) / 255).tolist()
    assert min(bright) < 0.48
    assert max(bright) > 0.52
    assert min(bright) > 0.25


def test_colors_change_within_their_limit() -> None:
    flat = torch.full((30, 8, 8, 3), 100, dtype=torch.uint8)
    brightness = augmented(flat, color=0.2).float().mean(dim=(1, 2, 3))
    assert brightness.min() >= 79
    assert brightness.max() <= 121
    assert brightness.max() - brightness.min() > 10


def noise(count: int = 8, size: int = 40) -> Tensor:
    return torch.randint(0, 256, (count, 3, size, size), generator=torch.Generator().manual_seed(3)).float()


def transforms() -> Any:
    import_timm()  # makes torchvision importable
    from torchvision.transforms import v2

    return v2


@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high"),
    [
        (brighten, "adjust_brightness", 0.5, 1.5),
        (change_contrast, "adjust_contrast", 0.5, 1.5),
        (saturate, "adjust_saturation", 0.5, 1.5),
        (turn_hue, "adjust_hue", -0.5, 0.5),
    ],
)
def test_a_batch_changes_colors_as_torchvision_does_one_by_one(ours: Any, theirs: str, low: float, high: float) -> None:
    images, factors = noise(), torch.linspace(low, high, 8)
    change = getattr(transforms().functional, theirs)
    expected = torch.stack([change(each / 255, float(f)) for each, f in zip(images, factors, strict=True)]) * 255
    torch.testing.assert_close(ours(images, factors), expected, atol=0.05, rtol=0)


def test_a_batch_is_blurred_as_torchvision_does_one_by_one() -> None:
    images, sigma = noise(), torch.linspace(0.5, 2.0, 8)
    functional = transforms().functional
    expected = torch.stack(
        [functional.gaussian_blur(each, [5, 5], [float(s)] * 2) for each, s in zip(images, sigma, strict=True)]
    )
    torch.testing.assert_close(blur(images, sigma), expected, atol=0.01, rtol=1e-5)


def test_a_batch_is_cropped_as_torchvision_does_one_by_one() -> None:
    smooth = blur(noise(size=80), torch.full((8,), 2.0))
    boxes = torch.tensor([[4.0, 6.0, 70.0, 66.0]]).expand(8, 4)
    functional = transforms().functional
    expected = functional.resized_crop(smooth, top=6, left=4, height=66, width=70, size=[80, 80], antialias=True)
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))  # at the edge, theirs sees less
    torch.testing.assert_close(crop(smooth, boxes)[inner], expected[inner], atol=0.01, rtol=1e-4)
    assert torch.equal(crop(smooth, torch.tensor([[0.0, 0.0, 80.0, 80.0]]).expand(8, 4)).round(), smooth.round())


def test_boxes_have_the_distribution_of_torchvision() -> None:
    boxes = crop_boxes(4000, 100, 0.3, torch.Generator().manual_seed(0))
    draw = transforms().RandomResizedCrop((100, 100), scale=(0.7, 1.0), ratio=(0.8, 1.25)).make_params
    torch.manual_seed(0)
    picture = torch.zeros(3, 100, 100)
    drawn = [draw([picture]) for _ in range(4000)]
    theirs = torch.tensor([[each["left"], each["top"], each["width"], each["height"]] for each in drawn]).float()
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= 100).all()
    for place in range(4):
        ours, other = boxes[:, place], theirs[:, place]
        error = float((ours.var() / 4000 + other.var() / 4000).sqrt())
        assert abs(float(ours.mean() - other.mean())) < 4 * error
        assert float(ours.std() / other.std()) == pytest.approx(1, abs=0.1)


def test_a_batch_has_the_statistics_of_torchvision() -> None:
    """Mean, contrast and channel differences of 600 augmented copies, ours in one call, theirs one by one."""
    v2 = transforms()
    copies = photos(1, 24).expand(600, -1, -1, -1)
    theirs_of = v2.Compose(
        [
            v2.RandomResizedCrop((24, 24), scale=(0.7, 1.0), ratio=(0.8, 1.25), antialias=True),
            v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.075),
            v2.RandomGrayscale(p=0.2),
            v2.RandomApply([v2.GaussianBlur(3, sigma=(0.5, 1.0))], p=0.5),
        ]
    )
    torch.manual_seed(0)
    theirs = torch.stack([theirs_of(each) for each in copies.permute(0, 3, 1, 2)]).permute(0, 2, 3, 1).float()
    # The order of the color changes is drawn for each batch.
    settings: dict[str, Any] = {"crop": 0.3, "color": 0.3, "gray": 0.2, "blur": 0.5}
    ours = torch.cat([augmented(copies[i : i + 20], seed=i, **settings) for i in range(0, 600, 20)]).float()
    statistics: tuple[Callable[[Tensor], Tensor], ...] = (
        lambda x: x.mean(dim=(1, 2, 3)),
        lambda x: x.std(dim=(1, 2, 3)),
        lambda x: (x.amax(dim=3) - x.amin(dim=3)).mean(dim=(1, 2)),
        lambda x: (x[:, :, 1:] - x[:, :, :-1]).abs().mean(dim=(1, 2, 3)),
    )
    for statistic in statistics:
        a, b = statistic(ours), statistic(theirs)
        error = float((a.var() / len(a) + b.var() / len(b)).sqrt())
        assert abs(float(a.mean() - b.mean())) < 4 * error + 0.02 * float(b.mean())
        assert float(a.std() / b.std()) == pytest.approx(1, abs=0.15)
