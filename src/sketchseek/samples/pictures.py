"""Twelve simple pictures, and a sketch of one of them as a picture and as strokes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = (256, 192)

Draw = ImageDraw.ImageDraw

CAT: list[list[list[float]]] = [
    [[60, 66, 62, 92, 128, 164, 194, 190, 196], [110, 76, 28, 58, 52, 58, 28, 76, 110]],
    [[196, 186, 160, 128, 96, 70, 60], [110, 142, 162, 168, 162, 142, 110]],
    [[96, 102, 108, 102, 96], [98, 92, 98, 104, 98]],
    [[148, 154, 160, 154, 148], [98, 92, 98, 104, 98]],
    [[120, 136, 128, 120], [122, 122, 132, 122]],
    [[128, 128, 114], [132, 142, 148]],
    [[128, 142], [142, 148]],
    [[108, 52], [128, 120]],
    [[108, 54], [134, 140]],
    [[148, 204], [128, 120]],
    [[148, 202], [134, 140]],
]
"""Strokes of a cat's face: for each, the x and then the y coordinates."""


def write_pictures(folder: Path) -> list[Path]:
    """Write ``photos/*.webp``, ``cat.png`` and ``cat.json`` into a folder. Existing files are kept.

    Returns:
        The files that were written.
    """
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    written = []
    for name, (background, paint) in PICTURES.items():
        picture = Image.new("RGB", SIZE, background)
        paint(ImageDraw.Draw(picture))
        if not (path := folder / "photos" / f"{name}.webp").exists():
            picture.save(path, quality=90)
            written.append(path)
    if not (path := folder / "cat.png").exists():
        sketch = Image.new("L", (256, 200), 255)
        brush = ImageDraw.Draw(sketch)
        for xs, ys in CAT:
            brush.line(list(zip(xs, ys, strict=True)), fill=0, width=4, joint="curve")
        sketch.save(path)
        written.append(path)
    if not (path := folder / "cat.json").exists():
        path.write_text(json.dumps(CAT) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _disc(draw: Draw, x: float, y: float, radius: float, fill: str, *, high: float | None = None) -> None:
    draw.ellipse((x - radius, y - (high or radius), x + radius, y + (high or radius)), fill=fill)


def _cat(draw: Draw) -> None:
    for side in (-1, 1):
        draw.polygon([(128 + side * 66, 28), (128 + side * 20, 56), (128 + side * 62, 100)], fill="#c9802f")
        draw.polygon([(128 + side * 60, 42), (128 + side * 32, 60), (128 + side * 58, 86)], fill="#e8b9a0")
    _disc(draw, 128, 110, 68, "#d99a45", high=58)
    for side in (-1, 1):
        _disc(draw, 128 + side * 26, 98, 11, "#f2f5c8", high=9)
        _disc(draw, 128 + side * 26, 98, 4, "#202020", high=9)
        for slope in (-8, 6):
            draw.line((128 + side * 20, 131, 128 + side * 76, 131 + slope), fill="#f6efe6", width=2)
    draw.polygon([(120, 122), (136, 122), (128, 132)], fill="#b5555f")
    draw.line([(114, 146), (128, 140), (142, 146)], fill="#5a3310", width=3)


def _dog(draw: Draw) -> None:
    _disc(draw, 128, 100, 60, "#b98a5e", high=66)
    for side in (-1, 1):
        _disc(draw, 128 + side * 62, 92, 20, "#6e4a2c", high=52)
        _disc(draw, 128 + side * 24, 84, 8, "#202020")
    _disc(draw, 128, 128, 34, "#e6d3bd", high=30)
    _disc(draw, 128, 112, 13, "#262222", high=9)
    draw.line([(128, 120), (128, 136)], fill="#262222", width=3)
    draw.chord((110, 126, 146, 158), 10, 170, fill="#c4606a")


def _house(draw: Draw) -> None:
    draw.rectangle((0, 150, 256, 192), fill="#7fae5c")
    draw.rectangle((68, 84, 188, 160), fill="#d9c7a3")
    draw.polygon([(54, 88), (128, 30), (202, 88)], fill="#9c4134")
    draw.rectangle((114, 112, 142, 160), fill="#6a4428")
    for x in (80, 154):
        draw.rectangle((x, 100, x + 22, 122), fill="#8fc3e0", outline="#ffffff", width=3)


def _tree(draw: Draw) -> None:
    draw.rectangle((0, 160, 256, 192), fill="#7fae5c")
    draw.rectangle((117, 110, 139, 170), fill="#75502f")
    for x, y in ((128, 60), (98, 88), (158, 88), (128, 96)):
        _disc(draw, x, y, 36, "#3f8045")


def _fish(draw: Draw) -> None:
    draw.polygon([(176, 96), (226, 58), (214, 96), (226, 134)], fill="#e0722e")
    _disc(draw, 118, 96, 74, "#f08a3c", high=42)
    draw.polygon([(100, 58), (142, 30), (146, 62)], fill="#e0722e")
    _disc(draw, 72, 86, 9, "#ffffff")
    _disc(draw, 70, 86, 4, "#202020")
    draw.arc((88, 66, 124, 126), 290, 70, fill="#ad4f18", width=3)


def _car(draw: Draw) -> None:
    draw.rectangle((0, 142, 256, 192), fill="#8b8d90")
    draw.polygon([(76, 92), (102, 56), (164, 56), (192, 92)], fill="#a6cfe6", outline="#b02f2c", width=6)
    draw.rounded_rectangle((34, 90, 222, 134), 14, fill="#c93a36")
    for x in (80, 178):
        _disc(draw, x, 136, 22, "#25262a")
        _disc(draw, x, 136, 10, "#c9ccd0")


def _cup(draw: Draw) -> None:
    draw.rectangle((0, 150, 256, 192), fill="#a9825b")
    draw.arc((150, 76, 206, 130), 270, 90, fill="#3d6fa8", width=12)
    draw.polygon([(74, 62), (172, 62), (160, 156), (86, 156)], fill="#4f86c6")
    draw.ellipse((74, 52, 172, 74), fill="#5a3c28", outline="#3d6fa8", width=4)


def _flower(draw: Draw) -> None:
    draw.line((128, 90, 128, 186), fill="#3f8045", width=7)
    draw.ellipse((128, 138, 172, 158), fill="#57a05d")
    for turn in range(8):
        angle = turn * math.pi / 4
        _disc(draw, 128 + 34 * math.cos(angle), 74 + 34 * math.sin(angle), 19, "#d45c8f")
    _disc(draw, 128, 74, 20, "#f3c23c")


def _star(draw: Draw) -> None:
    radii = [72, 30] * 5
    turns = [n * math.pi / 5 for n in range(10)]
    corners = [(128 + r * math.sin(turn), 98 - r * math.cos(turn)) for r, turn in zip(radii, turns, strict=True)]
    draw.polygon(corners, fill="#f4d34a")


def _boat(draw: Draw) -> None:
    draw.rectangle((0, 132, 256, 192), fill="#3a78a8")
    draw.line((124, 22, 124, 120), fill="#5a3c28", width=5)
    draw.polygon([(130, 26), (130, 108), (192, 108)], fill="#f3f0e6")
    draw.polygon([(118, 44), (118, 108), (74, 108)], fill="#e3ded0")
    draw.polygon([(48, 120), (208, 120), (182, 152), (74, 152)], fill="#8d4a2b")


def _ball(draw: Draw) -> None:
    _disc(draw, 128, 96, 70, "#d8453e")
    draw.pieslice((58, 26, 198, 166), 30, 90, fill="#f6f2ea")
    draw.pieslice((58, 26, 198, 166), 210, 270, fill="#f6f2ea")
    _disc(draw, 128, 96, 10, "#f3c23c")


def _clock(draw: Draw) -> None:
    _disc(draw, 128, 96, 76, "#5d4632")
    _disc(draw, 128, 96, 64, "#f7f4ec")
    for hour in range(12):
        angle = hour * math.pi / 6
        _disc(draw, 128 + 54 * math.sin(angle), 96 - 54 * math.cos(angle), 4, "#333333")
    draw.line((128, 96, 128, 52), fill="#222222", width=5)
    draw.line((128, 96, 158, 112), fill="#222222", width=6)


PICTURES: dict[str, tuple[str, Callable[[Draw], None]]] = {
    "ball": ("#e4ecd8", _ball),
    "boat": ("#bfe0f2", _boat),
    "car": ("#dfe6ea", _car),
    "cat-face": ("#dfe9f2", _cat),
    "clock": ("#cfc4b4", _clock),
    "cup": ("#efe4d2", _cup),
    "dog-face": ("#e3efe0", _dog),
    "fish": ("#a8d8e8", _fish),
    "flower": ("#e8f1dc", _flower),
    "house": ("#bfe0f2", _house),
    "star": ("#27315a", _star),
    "tree": ("#d6ebf5", _tree),
}
"""Each picture's background and how it is painted, by name."""
