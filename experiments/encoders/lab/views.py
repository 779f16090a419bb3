"""Augmentation on the device: views of photos, and small changes of sketches on top of the bank's variants."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

VIEWS_FLIPPED = 2
"""View v of a photo is mirrored where v % 2 is 1; views 0 and 1 are otherwise unchanged."""


def photo_view(pixels: Tensor, number: int, generator: torch.Generator, least_area: float = 0.65) -> Tensor:
    """One view of each photo.

    Args:
        pixels: (batch, 3, size, size) float from 0 to 255.
        number: Number of the view; it says whether it is mirrored.
        generator: Source of randomness, on the pixels' device.
        least_area: Smallest fraction of a photo that a view shows.
    """
    if number >= VIEWS_FLIPPED:
        pixels = _color(_crop(pixels, generator, least_area), generator)
    return pixels.flip(3) if number % 2 else pixels


def sketch_change(ink: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Turn, scale, shift, bend, erase, thicken and blur sketches slightly.

    Args:
        ink: (batch, 1, size, size), 0 paper to 1 ink.
        generator: Source of randomness, on the device of ``ink``.
        strength: Factor on how far; 0 for no change.
    """
    if strength == 0:
        return ink
    n, device = len(ink), ink.device
    rand = partial(torch.rand, generator=generator, device=device)
    angle = (rand(n) - 0.5) * 0.2 * strength
    scale = 1 + (rand(n, 2) - 0.4) * 0.12 * strength
    shift = (rand(n, 2) - 0.5) * 0.08 * strength
    theta = torch.zeros(n, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 0, 1] = angle.cos() * scale[:, 0], -angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = angle.sin(), angle.cos() * scale[:, 1]
    theta[:, :, 2] = shift
    bend = torch.randn(n, 2, 5, 5, generator=generator, device=device) * rand(n, 1, 1, 1) * 0.035 * strength
    field = F.interpolate(bend, size=ink.shape[2:], mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    grid = F.affine_grid(theta, list(ink.shape), align_corners=False) + field
    out = F.grid_sample(ink, grid, align_corners=False)
    out = torch.where((rand(n) < 0.25 * strength).view(-1, 1, 1, 1), _erased(out, rand), out)
    thick = F.max_pool2d(out, 3, stride=1, padding=1)
    choice = rand(n).view(-1, 1, 1, 1)
    out = torch.where(choice < 0.12 * strength, 0.5 * (thick + out), out)
    soft = F.avg_pool2d(out, 3, stride=1, padding=1)
    return torch.where(choice > 1 - 0.12 * strength, 0.5 * (soft + out), out)


def _erased(ink: Tensor, rand) -> Tensor:  # type: ignore[no-untyped-def]
    n, side = len(ink), ink.shape[-1]
    size = 0.1 + 0.3 * rand(n, 2)
    start = rand(n, 2) * (1 - size)
    at = (torch.arange(side, device=ink.device) + 0.5) / side
    inside = (at > start[..., None]) & (at < (start + size)[..., None])
    return ink * ~(inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]


def _crop(pixels: Tensor, generator: torch.Generator, least_area: float) -> Tensor:
    n, device = len(pixels), pixels.device
    rand = partial(torch.rand, generator=generator, device=device)
    area = least_area + (1 - least_area) * rand(n)
    aspect = torch.exp((rand(n) - 0.5) * 0.4)
    wide, high = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    theta = torch.zeros(n, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 1, 1] = wide, high
    theta[:, 0, 2] = (rand(n) * 2 - 1) * (1 - wide)
    theta[:, 1, 2] = (rand(n) * 2 - 1) * (1 - high)
    grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, align_corners=False, padding_mode="reflection")


def _color(pixels: Tensor, generator: torch.Generator) -> Tensor:
    n, device = len(pixels), pixels.device

    def rand(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator, device=device)

    gray = (pixels * torch.tensor([0.299, 0.587, 0.114], device=device).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    kept = torch.where(rand(0, 1) < 0.15, torch.zeros_like(gray[:, :, :1, :1]), rand(0.6, 1.4))
    x = gray + (pixels - gray) * kept
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = ((x - mean) * rand(0.7, 1.3) + mean * rand(0.75, 1.25)).clamp(0, 255)
    soft = F.avg_pool2d(F.avg_pool2d(x, 3, 1, 1), 3, 1, 1)
    return torch.where(rand(0, 1) < 0.15, soft, x)
