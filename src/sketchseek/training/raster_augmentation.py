"""Augmentation of sketch rasters, for a whole batch at once."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from sketchseek.sketches import LINE
from sketchseek.training.config import AugmentConfig


def augment_sketches(pixels: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Rotate, scale, shift, deform, thicken, thin and partly erase sketches, at random.

    Args:
        pixels: (batch, size, size) uint8, 255 paper, on the device that is to do the work.
        config: Which augmentations to apply, and their strength.
        generator: Source of randomness, on the CPU, so that every device draws the same numbers.

    Returns:
        Pixels, like ``pixels``; the same tensor if every setting is off.
    """
    if config.rotate or config.scale or config.shift or config.deform:
        pixels = _warp(pixels, config, generator)
    if config.thickness:
        pixels = _change_width(pixels, config.thickness, generator)
    if config.erase:
        pixels = _erase(pixels, config.erase, generator)
    return pixels


def _warp(pixels: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    batch = len(pixels)

    def draw(limit: float) -> Tensor:
        return ((torch.rand(batch, generator=generator) * 2 - 1) * limit).to(pixels.device)

    angle = draw(math.radians(config.rotate))
    scale_x, scale_y = draw(config.scale).exp(), draw(config.scale).exp()
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack([cos * scale_x, -sin * scale_y, draw(2 * config.shift)], dim=1),
        torch.stack([sin * scale_x, cos * scale_y, draw(2 * config.shift)], dim=1),
    ]
    ink = 255.0 - pixels.unsqueeze(1).float()  # zero, which grid_sample pads with, is paper
    grid = F.affine_grid(torch.stack(rows, dim=1), list(ink.shape), align_corners=False)
    if config.deform:
        grid = grid + _wobble(batch, pixels.shape[1], 2 * config.deform, generator, pixels.device)
    moved = F.grid_sample(ink, grid, align_corners=False)
    return (255.0 - moved.squeeze(1)).round().clamp(0, 255).to(torch.uint8)


def _wobble(
    batch: int, size: int, limit: float, generator: torch.Generator, device: torch.device, waves: int = 3
) -> Tensor:
    """Smooth displacements (batch, size, size, 2) of at most ``limit``: sums of low-frequency waves."""
    cycles = torch.rand(batch, 2, waves, 2, generator=generator) * 3 - 1.5  # over the square, along x and y
    phase = torch.rand(batch, 2, waves, 1, generator=generator)
    height = torch.rand(batch, 2, waves, 1, generator=generator) * limit / waves
    cycles, phase, height = cycles.to(device), phase.to(device), height.to(device)
    place = torch.linspace(0, 1, size, device=device)
    along = cycles[..., :1] * place, cycles[..., 1:] * place + phase  # (batch, 2, waves, size) each
    turns = 2 * math.pi * (along[0].unsqueeze(-2) + along[1].unsqueeze(-1))  # (…, y, x)
    return (height.unsqueeze(-1) * turns.sin()).sum(dim=2).permute(0, 2, 3, 1)


def _change_width(pixels: Tensor, limit: float, generator: torch.Generator) -> Tensor:
    """Grayscale dilation or erosion by a 2 × 2 window, repeated; the last repetition is weighted by the remainder."""
    strength = torch.rand(len(pixels), generator=generator) * 2 - 1
    change = (strength * limit).clamp(min=-0.5) * LINE * pixels.shape[1]  # in pixels
    turns = math.ceil(float(change.abs().max()))
    change = change.to(pixels.device)
    ink = 255.0 - pixels.unsqueeze(1).float()
    for turn in range(turns):
        before = turn % 2  # alternate the window's anchor, so that lines do not move
        padded = F.pad(ink, (before, 1 - before, before, 1 - before))
        grows = change.view(-1, 1, 1, 1) > 0
        for axis in (2, 3):
            first, second = padded.narrow(axis, 0, pixels.shape[1]), padded.narrow(axis, 1, pixels.shape[1])
            padded = torch.where(grows, torch.maximum(first, second), torch.minimum(first, second))
        ink = torch.lerp(ink, padded, (change.abs() - turn).clamp(0, 1).view(-1, 1, 1, 1))
    return (255.0 - ink.squeeze(1)).round().clamp(0, 255).to(torch.uint8)


def _erase(pixels: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    batch, size, _ = pixels.shape
    chosen = torch.rand(batch, generator=generator) < probability
    sides = (0.1 + 0.25 * torch.rand(batch, 2, generator=generator)) * size
    low = torch.rand(batch, 2, generator=generator) * (size - sides)
    chosen, sides, low = (each.to(pixels.device) for each in (chosen, sides, low))
    place = torch.arange(size, device=pixels.device)
    inside = (place >= low[..., None]) & (place < (low + sides)[..., None])  # (batch, 2, size)
    wiped = inside[:, 0, :, None] & inside[:, 1, None, :] & chosen[:, None, None]
    return pixels.masked_fill(wiped, 255)
