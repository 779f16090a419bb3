"""Variants of sketches as rasters, made once by all CPU cores: how other hands might have drawn each of them.

The first variant is the product's own raster. The others are changed at stroke level (shaken, bent, stretched, strokes
moved, dropped or not yet drawn) and drawn by the product's raster again, so that box, centering and line width are
always as at inference.
"""

from __future__ import annotations

import argparse
import multiprocessing
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from lab.pack import read_pack
from lab.pseudo import SOURCE
from lab.vectorize import raster_of_skeleton_lines
from sketchseek.sketches.strokes import draw_polylines
from sketchseek.training.polylines import Polylines, join_polylines

Random = np.random.Generator


@dataclass(frozen=True)
class BankConfig:
    """How many variants, and how far they go.

    Attributes:
        size: Side of the rasters.
        variants: Rasters of each sketch, the unchanged one included.
        wobble: Probability that a line is shaken, and ``wobble_size`` the most, as a fraction of the sketch's extent.
        partial: Probability that only the first part of the ink is there; at least ``least`` of it.
        drop: Probability that single strokes may be missing.
        bend: Greatest smooth displacement as a fraction of the extent.
        rotate: Greatest rotation in degrees; ``stretch`` greatest change of the aspect ratio.
    """

    size: int = 128
    variants: int = 16
    wobble: float = 0.4
    wobble_size: float = 0.016
    partial: float = 0.25
    least: float = 0.3
    drop: float = 0.25
    bend: float = 0.035
    rotate: float = 10.0
    stretch: float = 0.15


def for_pseudo_sketches(config: BankConfig) -> BankConfig:
    """Stronger changes: traced edges are truer to the photo, and more of them, than what a hand draws."""
    return replace(config, wobble=0.7, wobble_size=0.02, partial=0.3, least=0.5, drop=0.4, bend=0.05, stretch=0.25)


def as_strokes(joined: Polylines, random: Random) -> Polylines:
    """A skeleton's joined polylines as a hand would draw them: simplified, large ones first."""
    tolerance = random.uniform(0.6, 2.2)
    strokes = [
        cv2.approxPolyDP(line.astype(np.float32).reshape(-1, 1, 2), tolerance, False).reshape(-1, 2).astype(np.float64)
        for line in joined
        if len(line) > 3 or len(joined) < 4
    ] or joined
    # Nobody knows the order; long strokes tend to come first, and neighbors follow each other.
    order = np.argsort([-len(line) * random.uniform(0.3, 1.7) for line in strokes])
    return [strokes[i] for i in order]


def vary(lines: Polylines, config: BankConfig, random: Random) -> Polylines:
    """One variant of a sketch's strokes."""
    points = np.concatenate(lines)
    extent = max(float(np.ptp(points, axis=0).max()), 1.0)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    if random.random() < config.partial:
        lines = first_part(lines, random.uniform(config.least, 1.0))
    if random.random() < config.drop and len(lines) > 2:
        stays = random.random(len(lines)) > random.uniform(0.05, 0.35)
        lines = [line for line, stay in zip(lines, stays, strict=True) if stay] or lines
    matrix = _affine(config, random)
    bend = _bend_field(config.bend * random.random(), random)
    shaken = random.random() < config.wobble
    strength, step = config.wobble_size * random.random(), random.uniform(0.02, 0.08)
    out: Polylines = []
    for line in lines:
        unit = (_dense(line, extent * step) - middle) / extent
        if shaken:
            unit = unit + _smooth_noise(len(unit), random) * strength
        size = 1 + random.normal(0, 0.03)
        center = unit.mean(axis=0)
        unit = (unit - center) * size + center + random.normal(0, 0.008, 2)
        unit = unit + bend(unit)
        out.append(unit @ matrix.T)
    return out


def first_part(lines: Polylines, fraction: float) -> Polylines:
    """The strokes drawn first, up to a fraction of the ink's length."""
    lengths = [float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()) for line in lines]
    left = fraction * sum(lengths)
    kept: Polylines = []
    for line, length in zip(lines, lengths, strict=True):
        if length >= left:
            count = max(2, int(np.ceil(len(line) * left / max(length, 1e-9))))
            kept.append(line[:count])
            break
        kept.append(line)
        left -= length
    return kept or lines


def rasters_of(lines: Polylines, is_picture: bool, config: BankConfig, seed: int) -> npt.NDArray[np.uint8]:
    """(variants, size, size) uint8 of one sketch."""
    cv2.setNumThreads(1)
    random = np.random.default_rng(seed)
    out = np.empty((config.variants, config.size, config.size), dtype=np.uint8)
    out[0] = raster_of_skeleton_lines(lines, config.size) if is_picture else draw_polylines(lines, config.size)
    joined = join_polylines(lines) if is_picture and config.variants > 1 else lines
    for number in range(1, config.variants):
        strokes = as_strokes(joined, random) if is_picture else lines
        out[number] = draw_polylines(vary(strokes, config, random), config.size)
    return out


_TASK: tuple[Sequence[Polylines], Sequence[bool], Sequence[bool], BankConfig, npt.NDArray[np.uint8]] | None = None


def make_bank(
    sketches: Sequence[Polylines],
    is_picture: Sequence[bool],
    config: BankConfig,
    workers: int,
    file: Path | None = None,
    is_pseudo: Sequence[bool] = (),
) -> npt.NDArray[np.uint8]:
    """(sketches, variants, size, size) uint8, in ``file`` (.npy) where one is given."""
    global _TASK  # forked workers find it there and write into the mapped file
    shape = (len(sketches), config.variants, config.size, config.size)
    if file is None or workers < 2:
        out = np.empty(shape, dtype=np.uint8)
    else:
        out = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    _TASK = (sketches, is_picture, is_pseudo or [False] * len(sketches), config, out)
    if workers < 2 or file is None:
        for number in range(len(sketches)):
            _fill(number)
    else:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
            for _ in pool.map(_fill, range(len(sketches)), chunksize=32):
                pass
    _TASK = None
    return out


def _fill(number: int) -> None:
    assert _TASK is not None
    sketches, is_picture, is_pseudo, config, out = _TASK
    if is_pseudo[number]:
        config = for_pseudo_sketches(config)
    seed = zlib.crc32(np.concatenate(sketches[number]).tobytes())
    out[number] = rasters_of(sketches[number], is_picture[number], config, seed)


def _affine(config: BankConfig, random: Random) -> npt.NDArray[np.float64]:
    angle = np.radians(random.uniform(-config.rotate, config.rotate))
    stretch = np.exp(random.uniform(-config.stretch, config.stretch) / 2)
    shear = random.uniform(-0.08, 0.08)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.array([[stretch, shear], [0.0, 1.0 / stretch]]) * 255.0


def _bend_field(size: float, random: Random):  # type: ignore[no-untyped-def]
    """A smooth displacement: a sum of few slow waves."""
    waves = random.normal(0, 4.0, (3, 2))
    phases = random.uniform(0, 2 * np.pi, 3)
    directions = random.normal(0, size, (3, 2))

    def bend(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.sin(points @ waves.T + phases) @ directions

    return bend


def _smooth_noise(count: int, random: Random) -> npt.NDArray[np.float64]:
    noise = random.standard_normal((count + 2, 2))
    return (noise[:-2] + noise[1:-1] + noise[2:]) / np.sqrt(3)


def _dense(line: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Points at most ``step`` apart."""
    if len(line) < 2:
        return line
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    counts = np.maximum(1, np.ceil(lengths / max(step, 1e-6))).astype(np.int64)
    at = np.concatenate([i + np.arange(n) / n for i, n in enumerate(counts)] + [[len(line) - 1]])
    index = np.arange(len(line))
    return np.stack([np.interp(at, index, line[:, 0]), np.interp(at, index, line[:, 1])], axis=1)


def main() -> None:
    """The command: ``python -m lab.bank PACK OUT.npy``."""
    parser = argparse.ArgumentParser(description="Draw the variants of all sketches of a pack.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--variants", type=int, default=10)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--workers", type=int, default=2)
    a = parser.parse_args()
    pack = read_pack(a.pack)
    aside = a.out.with_suffix(".tmp.npy")
    config = BankConfig(variants=a.variants, size=a.size)
    is_pseudo = [key.startswith(f"{SOURCE}/") for key in pack.sketch_keys]
    bank = make_bank(pack.lines, pack.sketch_is_picture, config, a.workers, aside, is_pseudo)
    if not aside.is_file():
        np.save(aside, bank)
    aside.replace(a.out)


if __name__ == "__main__":
    main()
