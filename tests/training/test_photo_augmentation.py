from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from sketchseek.training.config import AugmentConfig
from sketchseek.training.photo_augmentation import augment_photos


def photos(count: int = 6, size: int = 40) -> Tensor:
    """Colored gradients with a fine grid, a different color each."""
    random = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 1, size)
    color = torch.rand((count, 1, 1, 3), generator=random)
    picture = color * (ramp[None, :, None, None] + ramp[None, None, :, None]) / 2 * 200 + 20
    picture[:, ::2, ::2] += 30
    return picture.to(torch.uint8)


def augmented(pixels: Tensor, seed: int = 0, **settings: Any) -> Tensor:
    return augment_photos(pixels, AugmentConfig(**settings), torch.Generator().manual_seed(seed))


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


def test_on_another_device_the_whole_batch_changes_there_and_nothing_waits_for_it() -> None:
    """A meta tensor has no values, so whatever asks the device for one fails."""
    pixels = torch.empty((6, 40, 40, 3), dtype=torch.uint8, device="meta")
    out = augmented(pixels, crop=0.3, color=0.3, gray=0.2, blur=0.9)
    assert (out.device.type, out.shape, out.dtype) == ("meta", pixels.shape, torch.uint8)
