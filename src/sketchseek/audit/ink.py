"""Measures how much ink a sketch has, and whether it touches the image border."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from sketchseek.datasets.records import Sketch
from sketchseek.errors import EmptySketchError, InputError
from sketchseek.images import open_image
from sketchseek.images.formats import SUFFIXES
from sketchseek.progress import Progress
from sketchseek.sketches import LINE, rasterize_sketch
from sketchseek.sketches.bitmap import find_ink

SIDE = 128
"""Side length of the raster in which the lines are measured."""


@dataclass(frozen=True)
class Ink:
    """The ink of one sketch.

    Attributes:
        length: Length of its lines, in side lengths of the raster, which the sketch fills; 0 without ink, 0.9 for one
            line.
        contacts: Number of places where ink touches the image border; 0 for strokes and SVG, which have no border.
        contact: Fraction of the border that is ink.
        problem: Why the sketch could not be read; empty if it could.
    """

    length: float
    contacts: int = 0
    contact: float = 0.0
    problem: str = ""


def measure_ink(sketch: Sketch) -> Ink:
    """Measure one sketch. An unreadable one gets a ``problem``."""
    try:
        raster = rasterize_sketch(sketch.source, SIDE)
    except EmptySketchError:
        return Ink(0.0)
    except InputError as error:
        return Ink(0.0, problem=error.message)
    length = float((255 - raster.astype(np.float64)).sum() / 255 / (LINE * SIDE * SIDE))
    if not isinstance(sketch.source, Path) or sketch.source.suffix.lower() not in SUFFIXES:
        return Ink(length)
    border = _border(find_ink(open_image(sketch.source, keep_alpha=True)))
    contacts = int(np.count_nonzero(border & ~np.roll(border, 1))) if not border.all() else 1
    return Ink(length, contacts, float(border.mean()))


def measure_all(sketches: Sequence[Sketch], progress: Progress | None = None) -> list[Ink]:
    """Measure sketches on several threads; results are in their order."""
    found: list[Ink] = []
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for ink in pool.map(measure_ink, sketches, chunksize=1):
            found.append(ink)
            if progress is not None and (len(found) % 32 == 0 or len(found) == len(sketches)):
                progress("ink", len(found), len(sketches))
    return found


def _border(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The image border, two pixels wide, as one run around it; true where either pixel has ink."""
    top, bottom = mask[0] | mask[1], (mask[-1] | mask[-2])[::-1]
    left, right = (mask[:, 0] | mask[:, 1])[::-1], mask[:, -1] | mask[:, -2]
    return np.concatenate([top, right, bottom, left])


def sheet(sketch: Sketch, side: int) -> Image.Image:
    """The sketch as an image to show: the whole image of a file, else the raster."""
    if isinstance(sketch.source, Path) and sketch.source.suffix.lower() in SUFFIXES:
        try:
            image = open_image(sketch.source, keep_alpha=True, at_least=side)
        except InputError:
            return Image.new("L", (side, side), 255)
        if image.mode in ("LA", "PA", "RGBA") or image.has_transparency_data:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        image = image.convert("L")
        image.thumbnail((side, side))
        return image
    try:
        return Image.fromarray(rasterize_sketch(sketch.source, side))
    except InputError:
        return Image.new("L", (side, side), 255)
