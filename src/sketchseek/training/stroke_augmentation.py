"""Augmentation of strokes: dropped strokes and partial sketches, rasterized again like a user's sketch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sketchseek.datasets.records import StrokeTuple
from sketchseek.sketches.strokes import Polylines, check_strokes, draw_polylines
from sketchseek.training.config import AugmentConfig

LEAST = 0.3
"""The least fraction of the ink that a partial sketch has."""


def corrupt_sketch(
    pixels: Tensor,
    strokes: Sequence[StrokeTuple | None],
    mirrored: Tensor,
    config: AugmentConfig,
    generator: torch.Generator,
) -> Tensor:
    """Drop strokes and cut sketches short, at random.

    Args:
        pixels: (batch, size, size) uint8, 255 paper.
        strokes: (batch) strokes of each sketch, in the order they were drawn; None for pictures, which do not change.
        mirrored: (batch,) which sketches are mirrored, in ``pixels`` and in the result.
        config: ``drop`` and ``partial``.
        generator: Source of randomness. Every sketch uses the same amount of it.

    Returns:
        Pixels, like ``pixels``.
    """
    seeds = torch.randint(2**62, (len(pixels),), generator=generator).tolist()
    changed = pixels.clone()
    for i, sketch in enumerate(strokes):
        if sketch is None:
            continue
        random = np.random.default_rng(seeds[i])
        lines = check_strokes(sketch)
        kept = lines
        if random.random() < config.partial:
            kept = partial_strokes(kept, random.uniform(LEAST, 1.0))
        kept = drop_lines(kept, config.drop, random)
        if kept is not lines:
            raster = torch.from_numpy(draw_polylines(kept, pixels.shape[1]).copy())
            changed[i] = raster.flip(1) if mirrored[i] else raster
    return changed


def partial_strokes(lines: Polylines, fraction: float) -> Polylines:
    """The first lines, up to a fraction of the ink's length; the last line may be cut short."""
    lengths = [_lengths(line) for line in lines]
    left = fraction * sum(float(length.sum()) for length in lengths)
    kept: Polylines = []
    for line, length in zip(lines, lengths, strict=True):
        whole = float(length.sum())
        if whole >= left:
            return [*kept, _cut(line, length, left)]
        kept.append(line)
        left -= whole
    return kept


def drop_lines(lines: Polylines, probability: float, random: np.random.Generator) -> Polylines:
    """A random selection of at least one line; the same list if all lines stay."""
    stays = random.random(len(lines)) >= probability
    if stays.all():
        return lines
    if not stays.any():
        stays[random.integers(len(lines))] = True
    return [line for line, stay in zip(lines, stays, strict=True) if stay]


def _lengths(line: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    steps = np.diff(line, axis=0)
    lengths: npt.NDArray[np.float64] = np.sqrt((steps * steps).sum(axis=1))
    return lengths


def _cut(line: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64], length: float) -> npt.NDArray[np.float64]:
    """The beginning of a line, of this length."""
    ends = np.append(0.0, np.cumsum(lengths))
    whole = line[ends <= length]
    if len(whole) == len(line):
        return line
    after = len(whole)
    part = (length - ends[after - 1]) / lengths[after - 1]
    return np.vstack([whole, line[after - 1] + part * (line[after] - line[after - 1])])
