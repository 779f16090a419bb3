"""Telling blank pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from picture_scene import scene
from sketchseek.images.blank_picture import is_blank


@pytest.mark.parametrize("color", ["black", "white", "#346"])
def test_one_color_is_blank(color: str) -> None:
    assert is_blank(Image.new("RGB", (300, 200), color))


def test_noise_of_a_dark_sensor_is_blank() -> None:
    noise = np.random.default_rng(0).integers(0, 8, (200, 300, 3), dtype=np.uint8)
    assert is_blank(Image.fromarray(noise))


def test_a_scene_is_not_blank() -> None:
    assert not is_blank(scene(96, 64))


def test_a_line_on_paper_is_not_blank() -> None:
    paper = Image.new("L", (300, 200), 255)
    paper.paste(0, (20, 95, 280, 105))
    assert not is_blank(paper)
