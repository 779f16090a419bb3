"""A picture that shows why a photo matches: the sketch, and beside it the photo with what matched in color."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from sketchseek.images import ImageSource, open_image
from sketchseek.search.combined_query import Query
from sketchseek.search.explain import Explanation, Shares, SketchShares
from sketchseek.sketches import SketchSource, rasterize_sketch, sketch_lines

HEIGHT = 480
"""Height of the picture, and width and height of a sketch, in pixels."""

_GAP = 12
_PALE, _STRONG = np.array([196.0, 200.0, 208.0]), np.array([214.0, 64.0, 0.0])
_GLOW = np.array([255.0, 122.0, 0.0])


def explanation_picture(explanation: Explanation, query: Query, file: ImageSource) -> Image.Image:
    """Draw an explanation.

    Args:
        explanation: From ``Library.explain``.
        query: Its query.
        file: The photo's file.

    Returns:
        RGB, ``HEIGHT`` pixels high: the query's sketches, each stroke the stronger in color the more it contributes,
        and the photo, colored where it matches and gray elsewhere.
    """
    photo = open_image(file, at_least=HEIGHT)
    width = max(1, round(photo.width * HEIGHT / photo.height))
    panels = [
        sketch_panel(example.sketch, shares)
        for example, shares in zip(query.examples, explanation.sketches, strict=True)
        if example.sketch is not None and shares is not None
    ]
    panels.append(photo_overlay(photo.resize((width, HEIGHT)), explanation.photo_split.shares))
    total = sum(panel.width for panel in panels) + _GAP * (len(panels) - 1)
    canvas = Image.new("RGB", (total, HEIGHT), "white")
    left = 0
    for panel in panels:
        canvas.paste(panel, (left, 0))
        left += panel.width + _GAP
    return canvas


def photo_overlay(photo: Image.Image, shares: Shares) -> Image.Image:
    """Return a photo, colored where its shares are high and gray where they are low."""
    strength = _smooth(shares, photo.size)[..., None]
    pixels = np.asarray(photo.convert("RGB"), np.float64)
    gray = np.asarray(photo.convert("L"), np.float64)[..., None] * 0.55 + 90
    mixed = gray * (1 - strength) + (0.72 * pixels + 0.28 * _GLOW) * strength
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


def sketch_panel(sketch: SketchSource, shares: SketchShares) -> Image.Image:
    """Return a sketch on white: strokes in the color of their shares; of a picture, its ink by its cells' shares."""
    lines = sketch_lines(sketch)
    if lines is None or not shares.strokes:
        strength = _smooth(shares.split.shares, (HEIGHT, HEIGHT))[..., None]
        ink = (255 - rasterize_sketch(sketch, HEIGHT).astype(np.float64))[..., None] / 255
        color = _PALE + (_STRONG - _PALE) * strength
        return Image.fromarray((255 * (1 - ink) + color * ink).astype(np.uint8))
    # A long stroke has a greater share because it is long: the color shows the share by length.
    lengths = np.array([1e-3 + float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()) for line in lines])
    density = np.array(shares.strokes) / lengths
    strengths = np.clip(density / max(float(density.max()), 1e-12), 0, 1)
    canvas = Image.new("RGB", (2 * HEIGHT, 2 * HEIGHT), "white")
    draw = ImageDraw.Draw(canvas)
    for index in np.argsort(strengths):
        r, g, b = (round(float(value)) for value in _PALE + (_STRONG - _PALE) * strengths[index])
        points = [(float(x) * 2 * HEIGHT, float(y) * 2 * HEIGHT) for x, y in lines[index]]
        draw.line(points, fill=(r, g, b), width=14, joint="curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - 7, y - 7, x + 7, y + 7), fill=(r, g, b))
    return canvas.reduce(2)


def _smooth(shares: Shares, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Scale shares to a picture of (width, height) pixels, from 0 for the lowest, or for none, to 1 for the highest."""
    low, high = max(0.0, float(shares.min())), float(shares.max())
    values = np.clip((shares - low) / max(high - low, 1e-12), 0, 1).astype(np.float32)
    return np.clip(np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BICUBIC), np.float64), 0, 1)
