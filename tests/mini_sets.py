"""Small data sets in the official layouts, drawn on the spot.

A photo is a shape in color on a pale ground; its sketch is that shape's outline. The shape follows from the photo's
name alone, so that an encoder which looks at pixels can tell photos apart.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

from PIL import Image, ImageDraw

CATEGORIES = ("cat", "hot-air_balloon", "car_(sedan)")


def outline(name: str, size: int = 64) -> list[tuple[float, float]]:
    """Corners of a star-shaped polygon that the name decides."""
    digest = hashlib.sha256(name.encode()).digest()
    radii = [0.15 + 0.3 * byte / 255 for byte in digest[:9]]
    turns = [2 * math.pi * i / len(radii) for i in range(len(radii))]
    return [(size * (0.5 + r * math.cos(t)), size * (0.5 + r * math.sin(t))) for r, t in zip(radii, turns, strict=True)]


def strokes(name: str) -> list[list[list[float]]]:
    """The outline as one closed stroke in a 256-unit square."""
    corners = outline(name, 256)
    corners = [*corners, corners[0]]
    return [[[round(x, 1) for x, _ in corners], [round(y, 1) for _, y in corners]]]


def write_photo(path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (64, 64), (235, 230, 220))
    ImageDraw.Draw(image).polygon(outline(name), fill=(40, 60, 90))
    image.save(path)


def write_sketch(path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", (64, 64), 255)
    corners = outline(name)
    ImageDraw.Draw(image).line([*corners, corners[0]], fill=0, width=2)
    image.save(path)


def write_sketchy(root: Path, *, photos: int = 4, sketches: int = 2, test: int = 2) -> Path:
    """Sketchy's layout: the first ``test`` photos of each category are on the official list."""
    listed = []
    for category in CATEGORIES:
        for i in range(photos):
            name = f"n0{i}_10{i}"
            write_photo(root / f"256x256/photo/tx_000000000000/{category}/{name}.jpg", f"{category}/{name}")
            for n in range(1, sketches + 1):
                path = root / f"256x256/sketch/tx_000000000000/{category}/{name}-{n}.png"
                write_sketch(path, f"{category}/{name}")
            if i < test:
                listed.append(f"{category}/{name}.jpg")
    (root / "info").mkdir(parents=True)
    (root / "info/testset.txt").write_text("\n".join(listed) + "\n")
    return root


def write_pairs(root: Path, *, photos: int = 5, sketches: int = 2) -> Path:
    for i in range(photos):
        write_photo(root / f"photo/p{i}.jpg", f"p{i}")
        for n in range(1, sketches + 1):
            write_sketch(root / f"sketch/p{i}-{n}.png", f"p{i}")
    return root


def write_categories(root: Path, *, photos: int = 4, sketches: int = 2) -> Path:
    for category in CATEGORIES:
        for i in range(photos):
            write_photo(root / f"photo/{category}/{i}.jpg", f"{category}/{i}")
        for n in range(sketches):
            write_sketch(root / f"sketch/{category}/{n}.png", f"{category}/{n}")
    return root


def write_chairv2(root: Path, *, photos: int = 4, test: int = 2) -> Path:
    lines = []
    for i in range(photos):
        write_photo(root / f"photo/chair.{i}_v1.jpg", f"chair{i}")
        for n in (1, 2):
            split = "test" if i < test else "train"
            lines.append(
                {
                    "key": f"chair.{i}_v1_{n}",
                    "split": split,
                    "photo": f"chair.{i}_v1.jpg",
                    "drawing": strokes(f"chair{i}"),
                }
            )
    (root / "sketches.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


QMUL_LAYOUTS = {
    "parts within kinds": ("photo/{side}", "sketch/{side}"),
    "kinds within parts": ("{side}/photo", "{side}/sketch"),
    "A and B": ("{side}B", "{side}A"),
    "lists": ("ShoeV2_photo", "ShoeV2_sketch"),
}


def write_qmul(root: Path, layout: str = "lists", *, photos: int = 4, test: int = 2) -> Path:
    """ShoeV2's or ChairV2's pictures: the first ``test`` photos are the test split, each photo has two sketches."""
    photo, sketch = QMUL_LAYOUTS[layout]
    listed: dict[str, list[str]] = {"train": [], "test": []}
    for i in range(photos):
        name, side = f"{100 + i}", "test" if i < test else "train"
        listed[side].append(f"{name}.png")
        write_photo(root / photo.format(side=side) / f"{name}.png", name)
        for n in (1, 2):
            write_sketch(root / sketch.format(side=side) / f"{name}_{n}.png", name)
    if layout == "lists":
        for side, names in listed.items():
            (root / f"photo_{side}.txt").write_text("\n".join(names) + "\n")
    return root


def write_tuberlin(root: Path, *, form: str = "png", categories: tuple[str, ...] = (), each: int = 2) -> Path:
    """TU-Berlin's layout, numbered through, with its ``filelist.txt``."""
    lines = []
    for c, category in enumerate(categories or ("ant", "alarm clock", "windmill", "zebra")):
        for n in range(each):
            file = root / form / category / f"{c * each + n + 1}.{form}"
            if form == "png":
                write_sketch(file, f"{category}{n}")
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                points = " ".join(f"{x},{y}" for x, y in outline(f"{category}{n}"))
                text = f'<polygon points="{points}" fill="none" stroke="black"/>'
                file.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">{text}</svg>')
            lines.append(f"{category}/{file.name}")
    (root / form / "filelist.txt").write_text("\n".join(lines) + "\n")
    return root


def write_quickdraw(
    root: Path, *, words: tuple[str, ...] = ("cat", "hot air balloon", "The Sun"), count: int = 3
) -> Path:
    folder = root / "simplified"
    folder.mkdir(parents=True)
    for word in words:
        lines = [{"word": word, "key_id": f"{n}", "drawing": strokes(f"{word}/{n}")} for n in range(count)]
        (folder / f"{word}.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root
