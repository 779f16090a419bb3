"""How well a model stands how people draw: every query is drawn anew, thicker, smaller, unfinished, or photographed.

``CorruptedSketches`` is an encoder whose sketches are changed before they are read, so that any protocol can be run with it and
the whole way from the sketch's file or strokes to the embedding is measured.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from sketchseek.encoder import Encoder
from sketchseek.errors import ConfigError
from sketchseek.images import open_image
from sketchseek.models.package import ModelPackage
from sketchseek.sketches import SketchSource, Strokes

SHEET = 512
"""Side of the sheet that strokes are drawn on, in pixels."""

_MARGIN = 40
_PEN = 6

Random = np.random.Generator


class CorruptedSketches(Encoder):
    """A package's encoders whose sketches are changed before they are read.

    Args:
        package: The model.
        how: One of ``CORRUPTIONS``. Those in ``STROKE_MANNERS`` need sketches that are strokes.
        threads: As for ``Encoder``.

    Raises:
        ConfigError: There is no such manner.
    """

    def __init__(self, package: ModelPackage, how: str, *, threads: int = 0) -> None:
        if how not in CORRUPTIONS:
            raise ConfigError(f"{how!r}: sketches cannot be drawn so.", remedy=f"One of {', '.join(CORRUPTIONS)}.")
        super().__init__(package, threads=threads)
        self.how = how

    def read_sketch(self, source: SketchSource) -> npt.NDArray[np.uint8]:
        """The raster of the changed sketch; the same sketch is always changed alike.

        Raises:
            ConfigError: The manner needs strokes, and this is a picture.
        """
        return super().read_sketch(corrupt_sketch(source, self.how))


def corrupt_sketch(source: SketchSource, how: str) -> SketchSource:
    """Change a sketch in one of ``CORRUPTIONS``; how is settled by the sketch itself, not by chance."""
    if isinstance(source, (str, bytes, Image.Image)) or hasattr(source, "__fspath__"):
        if how in STROKE_MANNERS:
            raise ConfigError(f"{how}: only strokes can be drawn so.", remedy="Use ChairV2 or Quick, Draw! sketches.")
        sheet = _ink(open_image(source, keep_alpha=False))
        return CORRUPTIONS[how](sheet, np.random.default_rng(zlib.crc32(sheet.tobytes())))
    random = np.random.default_rng(zlib.crc32(repr(source).encode()))
    if how in STROKE_MANNERS:
        return STROKE_MANNERS[how](source, random)
    return CORRUPTIONS[how](draw(source), random)


def draw(strokes: Strokes, pen: int = _PEN) -> Image.Image:
    """Draw strokes on a sheet: grayscale, black on white, SHEET pixels a side."""
    sheet = Image.new("L", (SHEET, SHEET), 255)
    brush = ImageDraw.Draw(sheet)
    points = np.concatenate([np.asarray(stroke[:2], dtype=np.float64).T for stroke in strokes])
    low, extent = points.min(axis=0), max(float(np.ptp(points, axis=0).max()), 1e-9)
    for stroke in strokes:
        line = (np.asarray(stroke[:2], dtype=np.float64).T - low) / extent * (SHEET - 2 * _MARGIN) + _MARGIN
        brush.line([(x, y) for x, y in line.tolist()], fill=0, width=pen, joint="curve")
    return sheet


def first_strokes(strokes: Strokes, share: float) -> Strokes:
    """The first strokes of a sketch, up to a share of the length of all its lines; the last one is cut short."""
    kept: list[list[list[float]]] = []
    lengths = [_lengths(stroke) for stroke in strokes]
    left = share * max(sum(float(length.sum()) for length in lengths), 1e-9)
    for stroke, length in zip(strokes, lengths, strict=True):
        there = 1 + int(np.searchsorted(np.cumsum(length), left, side="right"))
        kept.append([list(values[: max(there, 2)]) for values in stroke[:2]])
        left -= float(length.sum())
        if left <= 0:
            break
    return kept


def wobble(strokes: Strokes, random: Random, size: float = 0.012) -> Strokes:
    """Polylines drawn with a shaky finger: each point off by ``size`` of the sketch, neighbors alike."""
    points = np.concatenate([np.asarray(stroke[:2], dtype=np.float64).T for stroke in strokes])
    extent = max(float(np.ptp(points, axis=0).max()), 1e-9)
    shaken = []
    for stroke in strokes:
        line = _dense(np.asarray(stroke[:2], dtype=np.float64).T, extent / 25)
        noise = random.standard_normal((len(line) + 2, 2))
        smooth = (noise[:-2] + noise[1:-1] + noise[2:]) / np.sqrt(3)
        shaken.append((line + smooth * size * extent).T.tolist())
    return shaken


def _lengths(stroke: Any) -> npt.NDArray[np.float64]:
    line = np.asarray(stroke[:2], dtype=np.float64).T
    return np.asarray(np.linalg.norm(np.diff(line, axis=0), axis=1), dtype=np.float64)


def _dense(line: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Points at most ``step`` apart, so that straight lines can wobble, too."""
    if len(line) < 2:
        return line
    pieces = [line[:1]]
    for start, end in itertools.pairwise(line):
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / step)))
        pieces.append(start + (end - start) * np.linspace(0, 1, count + 1)[1:, None])
    return np.concatenate(pieces)


def _ink(picture: Image.Image) -> Image.Image:
    """Grayscale, dark on light, SHEET pixels a side at most."""
    sheet = picture.convert("L")
    sheet.thumbnail((SHEET, SHEET))
    return sheet


def _thick(sheet: Image.Image, random: Random) -> Image.Image:
    return sheet.filter(ImageFilter.MinFilter(2 * (max(sheet.size) // 114) + 1))


def _thin(sheet: Image.Image, random: Random) -> Image.Image:
    """Polylines worn away from both sides by two thirds of a pixel."""
    large = sheet.resize((sheet.width * 3, sheet.height * 3), Image.Resampling.BICUBIC)
    return large.filter(ImageFilter.MaxFilter(5))


def _small(sheet: Image.Image, random: Random) -> Image.Image:
    """A sketch a sixth of the sheet wide, somewhere on it."""
    return _placed(sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS), 1536, random)


def _corner(sheet: Image.Image, random: Random) -> Image.Image:
    paper = Image.new("L", (sheet.width * 2, sheet.height * 2), 255)
    paper.paste(sheet, (sheet.width * int(random.integers(2)), sheet.height * int(random.integers(2))))
    return paper


def _placed(sheet: Image.Image, side: int, random: Random) -> Image.Image:
    paper = Image.new("L", (side, side), 255)
    x, y = random.integers(0, [side - sheet.width, side - sheet.height])
    paper.paste(sheet, (int(x), int(y)))
    return paper


def _inverted(sheet: Image.Image, random: Random) -> Image.Image:
    return sheet.point(lambda value: 255 - value)


def _colored(sheet: Image.Image, random: Random) -> Image.Image:
    """Ink of a strong color on tinted paper."""
    inks = [(200, 30, 30), (20, 90, 200), (10, 130, 60), (120, 40, 150), (210, 110, 0)]
    papers = [(255, 255, 255), (253, 246, 227), (225, 238, 250)]
    colors = inks[int(random.integers(len(inks)))], papers[int(random.integers(len(papers)))]
    ink, paper = (Image.new("RGB", sheet.size, color) for color in colors)
    return Image.composite(paper, ink, sheet)


def _photographed(sheet: Image.Image, random: Random) -> Image.Image:
    """Pencil on paper, photographed: gray lines, slanted view, light from one side, blur and noise."""
    side = 900
    paper = np.asarray(sheet.resize((640, 640), Image.Resampling.BICUBIC).filter(ImageFilter.MinFilter(3)), np.float64)
    picture = Image.fromarray((150 + paper * (235 - 150) / 255).astype(np.uint8))
    canvas = Image.new("L", (side, side), 235)
    canvas.paste(picture, ((side - 640) // 2, (side - 640) // 2))
    corners = np.array([[0, 0], [0, side], [side, side], [side, 0]]) + random.uniform(0, 0.06 * side, (4, 2))
    canvas = canvas.transform(
        (side, side), Image.Transform.QUAD, corners.ravel().tolist(), Image.Resampling.BICUBIC, fillcolor=235
    ).filter(ImageFilter.GaussianBlur(1.2))
    along = np.linspace(-1, 1, side)
    slope = random.uniform(-0.25, 0.25, 2)
    light = 0.85 + slope[0] * along[None, :] + slope[1] * along[:, None]
    seen = np.asarray(canvas, np.float64) * light + random.normal(0, 5, (side, side))
    return Image.fromarray(seen.clip(0, 255).astype(np.uint8))


STROKE_MANNERS: dict[str, Callable[[Strokes, Random], Strokes]] = {
    "first-30": lambda strokes, random: first_strokes(strokes, 0.3),
    "first-50": lambda strokes, random: first_strokes(strokes, 0.5),
    "first-70": lambda strokes, random: first_strokes(strokes, 0.7),
    "wobbly": wobble,
}
"""Ways to draw that need to know the strokes."""

CORRUPTIONS: dict[str, Callable[[Any, Random], SketchSource]] = {
    "thick": _thick,
    "thin": _thin,
    "small": _small,
    "corner": _corner,
    "inverted": _inverted,
    "colored": _colored,
    "photographed": _photographed,
    **STROKE_MANNERS,
}
"""All ways to draw, by name."""
