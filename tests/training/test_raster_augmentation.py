from __future__ import annotations

import dataclasses

import pytest
import torch

from sketchseek.training.config import AugmentConfig
from sketchseek.training.raster_augmentation import augment_sketches


@pytest.fixture
def sketches() -> torch.Tensor:
    pixels = torch.full((64, 48, 48), 255, dtype=torch.uint8)
    pixels[:, 10:38, 22:26] = 0
    return pixels


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_switches_nothing_changes(sketches: torch.Tensor) -> None:
    assert augment_sketches(sketches, AugmentConfig(), generator()) is sketches


@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(rotate=20),
        AugmentConfig(scale=0.2),
        AugmentConfig(shift=0.1),
        AugmentConfig(erase=1.0),
        AugmentConfig(deform=0.05),
        AugmentConfig(thickness=1.0),
    ],
)
def test_each_switch_changes_ink_and_leaves_paper_white(sketches: torch.Tensor, config: AugmentConfig) -> None:
    out = augment_sketches(sketches, config, generator())
    assert out.shape == sketches.shape
    assert out.dtype == torch.uint8
    assert not torch.equal(out, sketches)
    assert (out[:, 0] == 255).all()  # the margin stays paper
    assert torch.equal(out, augment_sketches(sketches, config, generator()))
    assert not torch.equal(out, augment_sketches(sketches, config, generator(1)))


def test_shift_moves_by_at_most_its_share(sketches: torch.Tensor) -> None:
    out = augment_sketches(sketches, AugmentConfig(shift=0.1), generator()).float()
    columns = torch.arange(48.0)
    ink = 255 - out
    center = (ink.sum(dim=1) * columns).sum(dim=1) / ink.sum(dim=(1, 2))
    assert (center - 23.5).abs().max() <= 0.1 * 48 + 0.1
    assert (center - 23.5).abs().max() > 2


def test_erase_wipes_about_its_share_of_sketches(sketches: torch.Tensor) -> None:
    many = sketches.repeat(8, 1, 1)
    out = augment_sketches(many, AugmentConfig(erase=0.5), generator())
    assert (out >= many).all()
    assert 0.1 < (out != many).flatten(1).any(dim=1).float().mean() < 0.5  # some rectangles miss the line


def test_deforming_bends_lines_smoothly_and_only_so_far(sketches: torch.Tensor) -> None:
    out = augment_sketches(sketches, AugmentConfig(deform=0.08), generator()).float()
    ink = 255 - out[:, 14:34]  # away from the line's ends
    center = (ink * torch.arange(48.0)).sum(dim=2) / ink.sum(dim=2)  # (batch, rows)
    assert (center - 23.5).abs().max() <= 0.08 * 48 + 0.5
    assert (center - 23.5).abs().max() > 0.5
    assert center.diff(dim=1).abs().max() < 1.0  # neighboring rows stay neighbors
    assert center.std(dim=1).max() > 0.3  # bent, not shifted


def test_lines_become_thicker_and_thinner_in_place() -> None:
    pixels = torch.full((256, 128, 128), 255, dtype=torch.uint8)
    pixels[:, 20:108, 63:65] = 0  # as wide as lines are: a 64th of the square
    ink = 255 - augment_sketches(pixels, AugmentConfig(thickness=1.0), generator())[:, 40:90].float()
    width = ink.mean(dim=1).sum(dim=1) / 255
    assert 0.95 <= width.min() < 1.2  # half a width is the most that is taken away
    assert 3.7 < width.max() <= 4.0
    assert 1.7 < width.median() < 2.3
    center = (ink.mean(dim=1) * torch.arange(128.0)).sum(dim=1) / ink.mean(dim=1).sum(dim=1)
    assert (center - 63.5).abs().max() <= 0.5


def test_every_switch_of_sketches_forbids_the_cache() -> None:
    names = [item.name for item in dataclasses.fields(AugmentConfig)]
    on = {name for name in names if AugmentConfig(**{name: 0.1}).changes_sketches}
    photos = {name for name in names if AugmentConfig(**{name: 0.5}).changes_photos}
    assert photos == {"crop", "color", "gray", "blur"}
    assert on == set(names) - {"flip"} - photos


@pytest.mark.parametrize("setting", ["rotate", "deform", "thickness", "erase"])
def test_all_is_computed_where_the_pixels_are(setting: str) -> None:
    """A device without memory: an operation with a tensor of the CPU would raise."""
    pixels = torch.full((3, 16, 16), 255, dtype=torch.uint8, device="meta")
    config = AugmentConfig(**{setting: 0.9})
    out = augment_sketches(pixels, config, torch.Generator().manual_seed(0))
    assert out.device.type == "meta"
    assert out.shape == pixels.shape
