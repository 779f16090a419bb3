"""A library of four photos, for the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four photos in two folders, and a file that is no picture."""
    folder = tmp_path / "photos"
    for seed in range(4):
        path = folder / ("a" if seed < 2 else "b") / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(cells).resize((32, 32), Image.Resampling.NEAREST).save(path)
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def library(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> Path:
    """A library of them."""
    path = tmp_path / "library"
    with Library.create(path, tiny_model.path) as library:
        library.add([photos])
    return path
