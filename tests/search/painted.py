"""Photos that are easy to tell apart, for tests of a library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from sketchseek.search.library import Library

Paint = Callable[..., Path]
"""Writes a photo; see the fixture ``paint``."""

TRIANGLE = [[[0, 50, 100, 0], [100, 0, 100, 100]]]


def names(library: Library) -> list[str]:
    """Names of all photos that a search finds, sorted."""
    return sorted(result.path.name for result in library.search(TRIANGLE, k=1000))


def blobs(seed: int) -> Image.Image:
    """A picture with coarse and fine forms, as photos have."""
    random = np.random.default_rng(seed)
    picture = np.zeros((240, 240))
    for cells in (3, 6, 12, 24, 48):
        layer = Image.fromarray(random.normal(size=(cells, cells)).astype(np.float32))
        picture += np.asarray(layer.resize((240, 240), Image.Resampling.BICUBIC)) * 3 / cells
    gray = np.clip(128 + 60 * picture, 0, 255).astype(np.uint8)
    return Image.fromarray(gray).convert("RGB")
