from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchseek.errors import EmptySketchError, ImageError
from sketchseek.sketches import rasterize_sketch
from sketchseek.training.pseudo_sketches import SIDE, find_lines, line_sketch


def scene(color: str = "white") -> Image.Image:
    picture = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(picture).ellipse((80, 60, 220, 240), fill=color)
    return picture


def test_an_outline_is_found_and_nothing_else(tmp_path: Path) -> None:
    scene("darkgreen").save(tmp_path / "egg.png")
    lines = np.asarray(line_sketch(tmp_path / "egg.png")) == 0
    assert lines.shape == (SIDE, SIDE)
    y, x = np.nonzero(lines)
    scale = SIDE / 300
    off = np.abs(np.hypot((x / scale - 150) / 70, (y / scale - 150) / 90) - 1)
    assert off.max() < 0.1  # every line pixel lies on the ellipse
    turns = np.histogram(np.arctan2(y / scale - 150, x / scale - 150), bins=24, range=(-np.pi, np.pi))[0]
    assert (turns > 0).all()  # and it goes all the way round


def test_isoluminant_colors_have_an_edge_too() -> None:
    picture = np.full((SIDE, SIDE, 3), (200, 60, 60), dtype=np.uint8)
    picture[60:160, 60:160] = (43, 140, 60)
    assert np.abs(np.asarray(Image.fromarray(picture).convert("L"), int)[[0, 100], [0, 100]] - 102).max() < 5
    assert find_lines(picture)[50:170, 50:170].sum() > 300


def test_short_pieces_and_pieces_at_the_border_are_left_out() -> None:
    picture = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)
    picture[100:106, 100:106] = 0  # a speck
    picture[0:40, 180:] = 0  # a corner of something that is not in the picture
    picture[60:90, 30:90] = 0
    lines = find_lines(picture)
    assert lines[50:100, 20:100].any()
    assert not lines[98:108, 98:108].any()
    assert not lines[:45, 170:].any()


def test_a_photo_without_lines_is_an_error_that_names_it(tmp_path: Path) -> None:
    scene().save(tmp_path / "fog.png")
    with pytest.raises(EmptySketchError, match=r"fog\.png"):
        line_sketch(tmp_path / "fog.png")
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ImageError, match=r"torn\.jpg"):
        line_sketch(tmp_path / "torn.jpg")


def test_lines_go_through_the_raster_of_all_sketches(tmp_path: Path) -> None:
    scene("navy").save(tmp_path / "egg.png")
    raster = rasterize_sketch(line_sketch(tmp_path / "egg.png"), 64)
    assert 0.03 < (raster < 128).mean() < 0.3
