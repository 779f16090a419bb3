"""Rasterize pictures of sketches: find the ink, thin it, and redraw it in the raster's line width."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from sketchseek.errors import EmptySketchError
from sketchseek.images import open_image
from sketchseek.sketches.strokes import FILL, LINE, Raster
from sketchseek.sketches.thinning import Components, Mask, hollow, thin

WORK = 256
"""Side in pixels of the square in which pictures of sketches are thinned."""

_LARGEST = 3 * WORK  # longer side at which ink is detected
_COARSE = 64  # side at which the light on a photographed sheet is estimated
_THICKEST_LINE = 21  # pixels of WORK; thicker ink is a filled area

# Even paper: one gray level covers most of the picture and there is nearly no noise.
_EVEN_FRACTION = 0.5
_EVEN_NOISE = 1.0  # gray levels
_UNFRAMED_FRACTION = 0.85  # below this fraction of paper there may be a frame around the sheet

# Transparent pictures: ink on nothing has nearly one color.
_SOLID_FRACTION = 0.98  # more solid pixels than this: an opaque picture
_INK_SPREAD = 32.0  # gray levels, where less than half of the picture is solid
_FILLED_SPREAD = 4.0  # gray levels, elsewhere

# Colored ink.
_LIGHT_PAPER = 96  # gray level from which on paper counts as light
_COLORED = 64  # difference between channels from which on a pixel is colored
_COLORED_FRACTION = 0.002  # smaller fractions of colored pixels are noise
_SAME_COLOR = 6  # largest difference between channels of one color of paper

# Ink on even paper, as relative darkness against the paper.
_DARK_OFFSET = 8.0  # gray levels added to both, so that dark paper divides safely
_FAINTEST_INK = 0.03  # about eight of 255 gray levels
_CERTAIN_INK = 0.12

# Ink on photographed paper, in multiples of the noise and fractions of the typical ink.
_FAINTEST_PHOTOGRAPHED_INK = 0.06
_WEAK, _STRONG = (0.4, 4.0), (0.6, 5.0)  # fraction of the typical ink, multiples of the grain
_SMALLEST_DOT = 0.012  # of the longer side; grain and dust are smaller than the dots of a pen
_FEWEST_STRONG_PIXELS = 3

_Gray = npt.NDArray[np.uint8]
_Values = npt.NDArray[np.float32]


def rasterize_image(image: Image.Image, size: int) -> Raster:
    """Find the ink in a picture of a sketch and redraw it.

    Dark on light or light on dark, in any color, on paper or transparent, thick or thin; a photograph of paper is
    leveled and freed of noise first. Filled areas become their outlines. See ``rasterize_sketch``.
    """
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        image = open_image(image, keep_alpha=True)
    return _redraw(thin(hollow(_centered(find_ink(image)), _THICKEST_LINE)), size)


def find_ink(image: Image.Image) -> Mask:
    """Where a picture of a sketch has ink, as a mask whose longer side is at most 768 pixels."""
    gray = _gray(reduce_picture(image))
    paper, fraction = _main_level(gray)
    even = fraction > _EVEN_FRACTION and _noise(gray) < _EVEN_NOISE
    if not even:
        return _ink_on_photographed_paper(255 - gray if _is_light_on_dark(gray) else gray)
    if fraction < _UNFRAMED_FRACTION:
        gray, paper = _without_frame(gray, paper)
    away = np.arange(256) - paper
    counts = np.bincount(gray.reshape(-1), minlength=256)
    if (counts * np.maximum(away, 0) ** 3).sum() > (counts * np.maximum(-away, 0) ** 3).sum():
        gray, paper = 255 - gray, 255 - paper  # ink is few pixels far from the paper, whatever its sign
    return _ink_on_even_paper(gray, paper)


def reduce_picture(image: Image.Image) -> Image.Image:
    """Return a picture of a sketch at the size at which ink is detected, if it is larger."""
    longer = max(image.size)
    if longer <= _LARGEST:
        return image
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    size = (max(1, round(image.width * _LARGEST / longer)), max(1, round(image.height * _LARGEST / longer)))
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)


def _gray(image: Image.Image) -> _Gray:
    if image.mode in ("LA", "PA", "La", "RGBa") or image.has_transparency_data:
        image = image.convert("RGBA")
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if image.mode != "RGBA":
        return _gray_of_colors(np.asarray(image.convert("RGB")))
    alpha = np.asarray(image.getchannel("A")).astype(np.float32)
    solid = alpha > 0.5 * alpha.max()
    if not solid.any():
        return np.full(alpha.shape, 255, dtype=np.uint8)
    colors = np.asarray(image.convert("RGB"))
    gray = np.asarray(image.convert("RGB").convert("L")).astype(np.float32)
    fraction, spread = solid.mean(), gray[solid].std()
    if fraction < _SOLID_FRACTION and spread < (_INK_SPREAD if fraction < 0.5 else _FILLED_SPREAD):
        return (255.0 - alpha).astype(np.uint8)  # one color of ink on nothing: its alpha is the sketch
    paper = np.median(colors[solid], axis=0)
    if fraction < 0.5:
        paper = np.full(3, 255.0 if gray[solid].mean() < 128 else 0.0)
    alpha = alpha[..., None] / 255.0
    return _gray_of_colors((alpha * colors + (1.0 - alpha) * paper).astype(np.uint8))


def _gray_of_colors(colors: npt.NDArray[np.uint8]) -> _Gray:
    """Gray in which colored ink stands out: yellow on white has nearly the brightness of paper."""
    gray = np.asarray(Image.fromarray(colors).convert("L"))
    sample = colors[::3, ::3].reshape(-1, 3).astype(np.float32)
    paper = np.maximum(np.median(sample, axis=0), 1.0)
    light = paper.max() >= _LIGHT_PAPER
    balanced = sample * (255.0 / paper) if light else sample  # the color of paper and light is no ink
    if (np.ptp(balanced, axis=1) > _COLORED).mean() < _COLORED_FRACTION:
        return gray
    if (np.abs(sample - paper).max(axis=1) <= _SAME_COLOR).mean() > 0.5:  # one color of paper: the distance from it
        away = np.abs(colors.astype(np.int16) - np.median(sample, axis=0).astype(np.int16)).max(axis=2)
        return np.asarray((255 - away).astype(np.uint8))
    if not light:
        return np.asarray(colors.max(axis=2))
    lowest = np.minimum(colors * (np.float32(paper.max()) / paper.astype(np.float32)), 255.0).min(axis=2)
    return np.asarray(np.minimum(lowest, 255.0).astype(np.uint8))


def _noise(gray: _Gray) -> float:
    """Standard deviation of a picture's noise in gray levels, from second differences, which light does not touch."""
    values = gray[::2].astype(np.int16)
    if values.shape[1] < 3:
        return 0.0
    second = np.abs(values[:, :-2] - 2 * values[:, 1:-1] + values[:, 2:])
    counts = np.bincount(second.reshape(-1), minlength=2)
    # The median within its bin: whole levels are too coarse.
    below = np.cumsum(counts)
    middle = int(np.searchsorted(below, 0.5 * second.size))
    if middle == 0:
        return 0.0
    median = middle - 0.5 + (0.5 * second.size - below[middle - 1]) / counts[middle]
    return float(median * 1.4826 / math.sqrt(6.0))


def _main_level(gray: _Gray) -> tuple[int, float]:
    """The most frequent gray level, and the fraction of pixels within four levels of it."""
    counts = np.bincount(gray.reshape(-1), minlength=256)
    near = np.convolve(counts, np.ones(9, dtype=np.int64), mode="same")
    center = int(near.argmax())
    first = max(0, center - 4)
    return first + int(counts[first : center + 5].argmax()), float(near[center]) / gray.size


def _without_frame(gray: _Gray, paper: int) -> tuple[_Gray, int]:
    """Cut a frame away, or tell a filled area from the smaller rest of the paper; gives the paper's level."""
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    level = int(np.median(border))
    fraction = float((np.abs(border.astype(np.int16) - level) <= 4).mean())
    if abs(level - paper) <= 8 or fraction < 0.6:
        return gray, paper
    inner = np.abs(gray.astype(np.int16) - level) > 4
    if fraction > 0.98 and inner.mean() > 0.65:
        rows, columns = np.flatnonzero(inner.any(axis=1)), np.flatnonzero(inner.any(axis=0))
        cut = gray[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if (np.abs(cut.astype(np.int16) - paper) > 32).mean() > 0.001:
            return cut, paper
    return gray, level


def _ink_on_even_paper(gray: _Gray, paper: int) -> Mask:
    levels = 1.0 - (np.arange(256) + _DARK_OFFSET) / (paper + _DARK_OFFSET)
    counts = np.bincount(gray.reshape(-1), minlength=256)
    # Faint lines count where there is nothing stronger.
    least = min(_CERTAIN_INK, max(_FAINTEST_INK, 0.5 * float(levels[counts > 0].max())))
    above: Mask = (levels > max(_otsu(levels, counts), least))[gray]
    return above


def _otsu(values: npt.NDArray[np.floating[Any]], weights: npt.NDArray[Any]) -> float:
    """Threshold that splits a histogram with the largest variance between its halves (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=128, range=(0.0, 1.0), weights=weights)
    weight = np.cumsum(counts).astype(np.float64)
    centers = (edges[:-1] + edges[1:]) / 2
    total = np.cumsum(counts * centers)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = total / weight, (total[-1] - total) / (weight[-1] - weight)
        between = np.nan_to_num(weight * (weight[-1] - weight) * (low - high) ** 2)
    return float(edges[int(between.argmax()) + 1])


def _is_light_on_dark(gray: _Gray) -> bool:
    """Whether a photograph shows chalk rather than pencil, by what stands out from its surroundings."""
    around = np.asarray(Image.fromarray(gray).filter(ImageFilter.BoxBlur(max(2, max(gray.shape) // 40))))
    # Clipped, so that the edge between sheet and table does not decide.
    away = np.clip(gray[::2, ::2].astype(np.int32) - around[::2, ::2], -32, 32) ** 3
    lighter, darker = int(away[away > 0].sum()), -int(away[away < 0].sum())
    return lighter > darker * (4 if np.median(gray[::2, ::2]) >= 128 else 1)


def _ink_on_photographed_paper(gray: _Gray) -> Mask:
    noise = _noise(gray)
    picture = Image.fromarray(gray)
    side = max(gray.shape)
    if noise >= 1.0:
        picture = picture.filter(ImageFilter.GaussianBlur(min(2.0, max(0.7, noise / 4.0)) * max(0.5, side / _LARGEST)))
    paper, table = _light(picture)
    strength = 1.0 - (np.asarray(picture, dtype=np.float32) + _DARK_OFFSET) / (paper + _DARK_OFFSET)
    strength -= np.median(strength[::2, ::2])
    strength[table] = 0.0
    spread = 1.4826 * float(np.median(np.abs(strength[::2, ::2])))
    ink = strength[strength > max(_FAINTEST_PHOTOGRAPHED_INK, _STRONG[1] * spread)]
    if ink.size == 0:
        return np.zeros(gray.shape, dtype=np.bool_)
    typical = float(np.median(ink))
    grain = spread * np.clip(
        np.median(paper) / (paper + _DARK_OFFSET), 0.5, 4.0
    )  # the same noise is more of darker paper
    components = Components(strength > np.maximum(_WEAK[0] * typical, _WEAK[1] * grain))
    strong = components.pixels(strength > np.maximum(_STRONG[0] * typical, _STRONG[1] * grain))
    # Dots of a pen are at least as wide as its lines; grain and dust are not.
    return components.mask((strong >= _FEWEST_STRONG_PIXELS) & (components.extent >= _SMALLEST_DOT * side))


def _light(picture: Image.Image) -> tuple[_Values, Mask]:
    """Brightness of the paper around each pixel, and where there is no paper but a dark table around it."""
    small = picture.resize((min(_COARSE, picture.width), min(_COARSE, picture.height)), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.float32)
    # A gray closing, wider than any line, follows shadows but also sinks into large filled areas; a smooth surface
    # through the paper tells these, which are far darker than it, from shadows.
    surface = _surface(values)
    dark = Components(values < 0.5 * surface)
    rim = np.ones(values.shape, dtype=np.bool_)
    rim[1:-1, 1:-1] = False
    table = dark.mask((dark.pixels(rim) > 4) & (dark.area > 0.01 * values.size))
    # What is less dark is a table only if it lies all around the sheet; else it may be a shadow on it.
    less = Components(values < 256.0 * _otsu(values / 256.0, np.ones(values.shape)))
    table |= less.mask((less.pixels(rim) > 0.75 * rim.sum()) & (less.area < 0.6 * values.size))
    table = np.asarray(Image.fromarray(table.astype(np.uint8)).filter(ImageFilter.MaxFilter(3))) > 0
    levels = np.pad(np.where(table, surface, values), 12, mode="reflect", reflect_type="odd").clip(0, 255)
    closed = (
        Image.fromarray(levels.astype(np.uint8)).filter(ImageFilter.MaxFilter(13)).filter(ImageFilter.MinFilter(13))
    )
    filled = np.asarray(closed, dtype=np.float32)[12:-12, 12:-12] < 0.45 * surface
    levels[12:-12, 12:-12][filled] = surface[filled]
    closed = Image.fromarray(levels.astype(np.uint8)).filter(ImageFilter.MaxFilter(13))
    # One cell more than it takes back: where light ends sharply, the darker side counts, and the step is no ink.
    closed = closed.filter(ImageFilter.MinFilter(15)).filter(ImageFilter.GaussianBlur(1))
    closed = closed.crop((12, 12, 12 + small.width, 12 + small.height))
    paper = closed.convert("F").resize(picture.size, Image.Resampling.BILINEAR)
    around = Image.fromarray(table.astype(np.uint8) * 255).resize(picture.size, Image.Resampling.NEAREST)
    return np.asarray(paper, dtype=np.float32), np.asarray(around) > 0


def _surface(values: _Values) -> _Values:
    """A second-degree surface through the brightest consistent part of a coarse picture: the sheet of paper."""
    height, width = values.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    flat = values.reshape(-1).astype(np.float64)
    bright = float(np.percentile(flat, 90))
    use = flat > 0.6 * bright
    fit = flat
    for _ in range(4):
        fit = terms @ np.linalg.lstsq(terms[use], flat[use], rcond=None)[0]
        closer = np.abs(flat - fit) < 0.15 * np.maximum(fit, 1.0)
        if closer.sum() < 0.1 * flat.size:
            break
        use = closer
    return np.asarray(fit.reshape(values.shape).clip(max(1.0, 0.4 * bright), 255.0), dtype=np.float32)


def _centered(mask: Mask) -> Mask:
    """The ink's bounding box, scaled to ``FILL`` of the working square and centered."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise EmptySketchError("the sketch has no ink.", remedy="Draw at least one line, darker than the paper.")
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = box.shape
    factor = FILL * WORK / max(height, width)
    shape = (max(1, round(width * factor)), max(1, round(height * factor)))
    filtering = Image.Resampling.BILINEAR if factor > 1 else Image.Resampling.BOX
    scaled = np.asarray(Image.fromarray(box.astype(np.uint8) * 255).resize(shape, filtering))
    out = np.zeros((WORK, WORK), dtype=np.bool_)
    top, left = (WORK - shape[1]) // 2, (WORK - shape[0]) // 2
    # Shrunk thin lines fade: a third of a pixel of ink still counts, and less where there is no more.
    least = min(127 if factor > 1 else 80, int(scaled.max()) // 2)
    out[top : top + shape[1], left : left + shape[0]] = scaled > least
    return out


def _redraw(skeleton: Mask, size: int) -> Raster:
    """Give a skeleton the raster's line width, its own bounding box filling ``FILL`` as that of strokes does."""
    rows, columns = np.nonzero(skeleton)
    extent = max(int(np.ptp(rows)), int(np.ptp(columns)), 1)
    factor = min(FILL * WORK / extent, 1.25)  # thinning takes half a line at each end; more would tear lines
    width = max(1, math.floor(LINE * WORK))
    ink = np.zeros((WORK, WORK), dtype=np.bool_)
    corners = []
    for at in (rows, columns):
        middle = (int(at.min()) + int(at.max())) / 2
        corners.append(np.floor((at - middle) * factor + (WORK - width) / 2 + 0.5).astype(np.int64))
    for dy in range(width):
        for dx in range(width):
            ink[corners[0] + dy, corners[1] + dx] = True
    image = Image.fromarray(np.where(ink, 0, 255).astype(np.uint8))
    return np.asarray(image.resize((size, size), Image.Resampling.BOX if size <= WORK else Image.Resampling.BILINEAR))
