"""A small library of photos that are easy to tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.painted import Paint
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library


@pytest.fixture
def paint(tmp_path: Path) -> Paint:
    """Write a small JPEG whose pattern is its seed's, below ``photos``."""

    def paint(name: str, seed: int) -> Path:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3))
        Image.fromarray(cells.astype(np.uint8)).resize((40, 32), Image.Resampling.NEAREST).save(path)
        return path

    return paint


@pytest.fixture
def library(tmp_path: Path, tiny_model: ModelPackage, paint: Paint) -> Iterator[Library]:
    """A library of six photos in two folders."""
    for seed in range(6):
        paint(f"{'even' if seed % 2 == 0 else 'odd'}/{seed}.jpg", seed)
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as library:
        library.add([tmp_path / "photos"])
        yield library
