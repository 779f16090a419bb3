"""Augmentation of drawings, on a whole batch at once."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from sketchseek.training.config import AugmentConfig


def augment_sketches(pixels: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Turn, scale, shift and partly wipe drawings, each at random.

    Args:
        pixels: (batch, size, size) uint8, 255 paper.
        config: What is done, and how much of it.
        generator: Source of randomness.

    Returns:
        As ``pixels``; the same tensor where every switch is off.
    """
    if config.rotate or config.scale or config.shift:
        pixels = _affine(pixels, config, generator)
    if config.erase:
        pixels = _erase(pixels, config.erase, generator)
    return pixels


def _affine(pixels: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    batch = len(pixels)

    def draw(limit: float) -> Tensor:
        return (torch.rand(batch, generator=generator) * 2 - 1) * limit

    angle = draw(math.radians(config.rotate))
    scale_x, scale_y = draw(config.scale).exp(), draw(config.scale).exp()
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack([cos * scale_x, -sin * scale_y, draw(2 * config.shift)], dim=1),
        torch.stack([sin * scale_x, cos * scale_y, draw(2 * config.shift)], dim=1),
    ]
    ink = 255.0 - pixels.unsqueeze(1).float()  # what comes in from outside is zero: paper
    grid = F.affine_grid(torch.stack(rows, dim=1), list(ink.shape), align_corners=False)
    moved = F.grid_sample(ink, grid, align_corners=False)
    return (255.0 - moved.squeeze(1)).round().clamp(0, 255).to(torch.uint8)


def _erase(pixels: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    batch, size, _ = pixels.shape
    chosen = torch.rand(batch, generator=generator) < probability
    sides = (0.1 + 0.25 * torch.rand(batch, 2, generator=generator)) * size
    low = torch.rand(batch, 2, generator=generator) * (size - sides)
    place = torch.arange(size)
    inside = (place >= low[..., None]) & (place < (low + sides)[..., None])  # (batch, 2, size)
    wiped = inside[:, 0, :, None] & inside[:, 1, None, :] & chosen[:, None, None]
    return pixels.masked_fill(wiped, 255)
