from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchseek.audit.ink import measure_all, measure_ink, sheet
from sketchseek.datasets.records import Sketch

SQUARE = ((20, 20), (100, 20), (100, 100), (20, 100), (20, 20))


def drawn(path: Path, *lines: tuple[tuple[int, int], ...], size: int = 128) -> Sketch:
    image = Image.new("L", (size, size), 255)
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=0, width=3)
    image.save(path)
    return Sketch("thing", path.stem, path=path)


@pytest.mark.parametrize(
    ("lines", "length", "contacts"),
    [
        ((), 0.0, 0),
        ((((10, 64), (118, 64)),), 0.9, 0),
        ((SQUARE,), 3.5, 0),
        ((((20, 20), (64, 127)),), 1.0, 1),
        ((((0, 40), (127, 60)),), 1.0, 2),
        ((SQUARE, ((0, 64), (20, 64)), ((64, 0), (64, 20)), ((100, 64), (127, 64))), None, 3),
        ((((0, 0), (127, 127)),), None, 2),  # a corner is one place, not two
    ],
)
def test_length_and_contacts(tmp_path: Path, lines: Any, length: float | None, contacts: int) -> None:
    ink = measure_ink(drawn(tmp_path / "d.png", *lines))
    assert ink.contacts == contacts
    assert (ink.contact > 0) == (contacts > 0)
    assert ink.problem == ""
    if length is not None:
        assert ink.length == pytest.approx(length, abs=0.25)


def test_strokes_have_no_sheet_to_run_off() -> None:
    ink = measure_ink(Sketch("thing", "s", strokes=(((0.0, 255.0), (0.0, 255.0)),)))
    assert (ink.contacts, ink.contact) == (0, 0.0)
    assert ink.length > 0.8


def test_what_cannot_be_read_says_why_and_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    sketches = [Sketch("thing", "bad", path=tmp_path / "bad.png"), drawn(tmp_path / "d.png", SQUARE)]
    told: list[tuple[str, int, int]] = []
    inks = measure_all(sketches, lambda *step: told.append(step))
    assert "bad.png" in inks[0].problem
    assert inks[1].length > 3
    assert told[-1] == ("ink", 2, 2)


def test_a_sheet_is_shown_whole(tmp_path: Path) -> None:
    shown = sheet(drawn(tmp_path / "d.png", ((0, 0), (20, 20))), 64)
    assert shown.size == (64, 64)
    assert shown.getpixel((60, 60)) == 255
    assert np.asarray(shown)[4, 4] < 128
