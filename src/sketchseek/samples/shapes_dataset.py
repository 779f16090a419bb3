"""A small data set in The Sketchy Database's official layout: colored shapes, and outlines of them as sketches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CATEGORIES = ("disc", "square", "triangle", "cross")


def write_shapes(root: Path, *, photos: int = 6, sketches: int = 2, tests: int = 2, seed: int = 0) -> Path:
    """Write ``photos`` photos a category, each with ``sketches`` sketches; the last ``tests`` are the test list."""
    random = np.random.default_rng(seed)
    grounds = np.random.default_rng([seed, 1])
    listed = []
    for category in CATEGORIES:
        photo_folder = root / "256x256/photo/tx_000000000000" / category
        sketch_folder = root / "256x256/sketch/tx_000000000000" / category
        photo_folder.mkdir(parents=True)
        sketch_folder.mkdir(parents=True)
        for i in range(photos):
            wide, high = random.uniform(0.3, 1.0, 2)
            color = tuple(int(c) for c in random.integers(0, 200, 3))
            random.integers(200, 256)
            # Each photo has its own background: without it, some photos are copies for datasets.same_pictures.
            corners = grounds.integers(150, 256, (2, 2, 3)).astype(np.uint8)
            photo = Image.fromarray(corners).resize((64, 64), Image.Resampling.BILINEAR)
            _shape(ImageDraw.Draw(photo), category, wide, high, fill=color)
            photo.save(photo_folder / f"p{i}.jpg", quality=95)
            for n in range(1, sketches + 1):
                sketch = Image.new("L", (64, 64), 255)
                jitter = random.uniform(0.95, 1.05, 2)
                _shape(ImageDraw.Draw(sketch), category, wide * jitter[0], high * jitter[1], outline=0, width=2)
                sketch.save(sketch_folder / f"p{i}-{n}.png")
            if i >= photos - tests:
                listed.append(f"{category}/p{i}.jpg")
    (root / "info").mkdir()
    (root / "info/testset.txt").write_text("\n".join(listed) + "\n")
    return root


def _shape(draw: ImageDraw.ImageDraw, category: str, wide: float, high: float, **style: object) -> None:
    x, y = 28 * min(wide, 1.0), 28 * min(high, 1.0)
    box = (32 - x, 32 - y, 32 + x, 32 + y)
    if category == "disc":
        draw.ellipse(box, **style)  # type: ignore[arg-type]
    elif category == "square":
        draw.rectangle(box, **style)  # type: ignore[arg-type]
    elif category == "triangle":
        draw.polygon([(32, 32 - y), (32 + x, 32 + y), (32 - x, 32 + y)], **style)  # type: ignore[arg-type]
    else:
        draw.rectangle((32 - x, 28, 32 + x, 36), **style)  # type: ignore[arg-type]
        draw.rectangle((28, 32 - y, 36, 32 + y), **style)  # type: ignore[arg-type]
