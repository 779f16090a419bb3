"""Would crops of photos help a sketch of two separate objects?

    python experiments/regions/measure.py --data DATA [--model small] [--out report.json]

**Protocol, fixed before the first run.** No data set at hand has photos of two objects with a sketch of both. So photos
are composed of two official test photos of The Sketchy Database of different categories, drawn at random: side by side
or one above the other (``even``), or the second one over a corner of the first one, half as wide and high (``corner``).
Photos occur in several compositions, so that one right object is not enough. Ordinary test photos are in the gallery,
too. The sheet composes a sketch of each photo in the same places; its parts are known, not found, which favors parts.

Each photo has five embeddings: of the whole, and of its left, right, upper and lower half, five times the cost of
indexing. Ways to search:

- ``sheet``: the sheet as one sketch, the whole photo. What search does.
- ``drawings``: the mean embedding of the two parts, the whole photo. What search does with two drawings.
- ``regions``: for each part the best score of the five; the mean over the parts.
- ``layout``: the same, but only the whole and the halves that the middle of the part lies in.

**Rule.** Regions pay if the gain in recall@10 of ``layout`` over the better one of ``sheet`` and ``drawings`` has a
lower bound of 10 points in ``even``, where the halves are the objects, and of 5 points in ``corner``; and if at most
5 % of Quick, Draw!'s training drawings, which show one thing, would be taken for two: two groups of strokes, a tenth of
the sheet or more apart, each with a sixth of the ink.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console

from sketchseek.atomic_write import atomic_write
from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_split
from sketchseek.datasets.sketchy import load_sketchy, sketchy_split
from sketchseek.encoder import Encoder
from sketchseek.evaluation.intervals import bootstrap_interval
from sketchseek.models.package import load_model_package

SIDE = 256
WAYS = ("sheet", "drawings", "regions", "layout")
REGIONS = ((0, 0, 1, 1), (0, 0, 0.5, 1), (0.5, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1))
"""Left, top, right and bottom of the whole and the halves."""

Floats = npt.NDArray[np.float32]
Lines = Sequence[Sequence[Sequence[float]]]
say = Console(stderr=True).print


@dataclass(frozen=True)
class Composition:
    """How two pictures lie on one.

    Attributes:
        first, second: Which pictures.
        size: Width and height of the whole.
        places: Left, top and side of each.
    """

    first: int
    second: int
    size: tuple[int, int]
    places: tuple[tuple[int, int, int], tuple[int, int, int]]

    def compose(self, pictures: Sequence[Image.Image], which: Sequence[int] = (0, 1)) -> Image.Image:
        """Return the pictures, or only one of them, on white."""
        whole = Image.new("RGB", self.size, "white")
        for part in which:
            left, top, side = self.places[part]
            whole.paste(pictures[part].resize((side, side)), (left, top))
        return whole

    def middle(self, part: int) -> tuple[float, float]:
        """Return where the middle of a part lies, from 0 to 1."""
        left, top, side = self.places[part]
        return (left + side / 2) / self.size[0], (top + side / 2) / self.size[1]


def even(first: int, second: int, random: np.random.Generator) -> Composition:
    if random.random() < 0.5:
        return Composition(first, second, (2 * SIDE, SIDE), ((0, 0, SIDE), (SIDE, 0, SIDE)))
    return Composition(first, second, (SIDE, 2 * SIDE), ((0, 0, SIDE), (0, SIDE, SIDE)))


def corner(first: int, second: int, random: np.random.Generator) -> Composition:
    left, top = (int(random.integers(2)) * SIDE // 2 for _ in range(2))
    return Composition(first, second, (SIDE, SIDE), ((0, 0, SIDE), (left, top, SIDE // 2)))


def crops(image: Image.Image) -> list[Image.Image]:
    width, height = image.size
    return [
        image.crop((round(a * width), round(b * height), round(c * width), round(d * height))) for a, b, c, d in REGIONS
    ]


def allowed(middle: tuple[float, float]) -> list[int]:
    """Return the regions that a part may match by its place; one in the middle of a side matches both halves."""
    x, y = middle
    return [row for row, (a, b, c, d) in enumerate(REGIONS) if a <= x <= c and b <= y <= d]


def score(way: str, sheet: Floats, parts: Floats, gallery: Floats, middles: Sequence[tuple[float, float]]) -> Floats:
    """Return the score of each photo.

    Args:
        way: One of ``WAYS``.
        sheet: Embedding of the sheet, (d,).
        parts: Embeddings of its parts, (2, d).
        gallery: Embeddings of each photo's regions, (n, 5, d).
        middles: Where the middle of each part lies.
    """
    if way == "sheet":
        return np.asarray(gallery[:, 0] @ sheet)
    if way == "drawings":
        return np.asarray(gallery[:, 0] @ parts.mean(axis=0))
    scores = gallery @ parts.T
    if way == "regions":
        return np.asarray(scores.max(axis=1).mean(axis=1))
    best = [scores[:, allowed(middle), part].max(axis=1) for part, middle in enumerate(middles)]
    return np.asarray(np.mean(best, axis=0))


def summary(ranks: dict[str, list[int]], photos: Sequence[int]) -> dict[str, Any]:
    """Return recall with intervals, and the gain of ``layout`` over the better way without regions."""
    hits = {way: {k: np.array(ranks[way]) <= k for k in (1, 10)} for way in WAYS}
    found: dict[str, Any] = {
        way: {f"recall@{k}": _interval(each, photos) for k, each in values.items()} for way, values in hits.items()
    }
    plain = max(("sheet", "drawings"), key=lambda way: hits[way][10].mean())
    gain = hits["layout"][10].astype(float) - hits[plain][10]
    return found | {"gain": {"over": plain, "recall@10": _interval(gain, photos)}}


def _interval(values: npt.ArrayLike, clusters: Sequence[int]) -> list[float]:
    each = np.asarray(values, np.float64)
    return [round(100 * float(one), 1) for one in (each.mean(), *bootstrap_interval(each, clusters=clusters))]


def measure(
    pairs: Sequence[tuple[Path, Path]], categories: Sequence[str], others: Sequence[Path], encoder: Encoder, count: int
) -> dict[str, Any]:
    """Measure with photos and sketches.

    Args:
        pairs: Photos and a sketch of each.
        categories: Their categories.
        others: Ordinary photos for the gallery.
        encoder: The model.
        count: Number of compositions of each kind.
    """
    random = np.random.default_rng(0)
    photos, sketches = ([Image.open(path).convert("RGB") for path in some] for some in zip(*pairs, strict=True))

    def regions(image: Image.Image) -> Floats:
        return encoder.encode_photo_pixels(np.stack([encoder.read_photo(crop) for crop in crops(image)]))

    ordinary = np.stack([regions(Image.open(path).convert("RGB")) for path in others])
    report: dict[str, Any] = {"compositions": count, "other photos": len(others)}
    for name, make in (("even", even), ("corner", corner)):
        made: list[Composition] = []
        while len(made) < count:
            first, second = (int(one) for one in random.choice(len(pairs), 2, replace=False))
            if categories[first] != categories[second]:
                made.append(make(first, second, random))
        own = np.stack([regions(one.compose((photos[one.first], photos[one.second]))) for one in made])
        gallery = np.concatenate([own, ordinary])
        ranks: dict[str, list[int]] = {way: [] for way in WAYS}
        for row, one in enumerate(made):
            drawn = (sketches[one.first], sketches[one.second])
            sheets = [one.compose(drawn), one.compose(drawn, [0]), one.compose(drawn, [1])]
            sheet, *parts = encoder.encode_sketch_pixels(np.stack([encoder.read_sketch(each) for each in sheets]))
            for way in WAYS:
                scores = score(way, sheet, np.stack(parts), gallery, [one.middle(0), one.middle(1)])
                ranks[way].append(1 + int((scores > scores[row]).sum()))
        report[name] = summary(ranks, [one.first for one in made])
    return report


def looks_like_two(lines: Lines) -> bool:
    """Return whether a drawing would be taken for two things; see the rule."""
    boxes = [(min(x), min(y), max(x), max(y)) for x, y, *_ in lines]
    ink = [float(np.hypot(np.diff(x), np.diff(y)).sum()) + 1 for x, y, *_ in lines]
    side = max(max(box[2] for box in boxes) - min(box[0] for box in boxes), 1)
    side = max(max(box[3] for box in boxes) - min(box[1] for box in boxes), side)
    group = list(range(len(boxes)))
    for i, a in enumerate(boxes):
        for j, b in enumerate(boxes[:i]):
            gap = max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3])
            if gap < side / 10 and group[i] != group[j]:
                old = group[i]
                group = [group[j] if one == old else one for one in group]
    amounts = [sum(some for some, one in zip(ink, group, strict=True) if one == name) for name in set(group)]
    return len(amounts) == 2 and min(amounts) >= sum(ink) / 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="small")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--others", type=int, default=300)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    everything = load_sketchy(given.data / "sketchy", allow_missing=True)
    test = everything.subset(photos=sketchy_split(everything, given.data / "sketchy").test_photo_keys)
    pairs = {photo.key: (photo, sketch) for sketch, photo in test.pairs()}
    photos = [pairs[key][0] for key in sorted(pairs)]
    sketches = [pairs[key][1].path for key in sorted(pairs)]
    two = [(photo.path, path) for photo, path in zip(photos, sketches, strict=True) if path is not None]
    others = [photo.path for photo in test.photos if photo.key not in pairs][: given.others]
    encoder = Encoder(load_model_package(given.model))
    report = measure(two, [photo.category for photo in photos], others, encoder, given.count)
    drawn = load_quickdraw(given.data / "quickdraw", limit=40)
    training = set(quickdraw_split(drawn).train_sketch_keys)
    parted = [looks_like_two(one.strokes) for one in drawn.sketches if one.key in training and one.strokes]
    report["drawings of one thing"] = {"drawings": len(parted), "taken for two": round(100 * float(np.mean(parted)), 1)}
    text = json.dumps(report, indent=1)
    if given.out:
        atomic_write(given.out, f"{text}\n".encode())
    say(text)


if __name__ == "__main__":
    main()
