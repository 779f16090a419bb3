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

Added later, when search was built: what it does with ``parts``. Parts are found in the sheet
(``sketchseek.sketches.parts``), and the ranking by them is fused with that by the sheet; a sheet that is not taken for
two things is searched as one. Weights of the parts were compared on the compositions of even numbers only.

- ``found drawings``: with the mean of the parts, the whole photo: a library without regions.
- ``found layout``: with regions.

And ordinary sketches of one thing, some of which are taken for two, with and without ``parts``.

**Rule.** Regions pay if the gain in recall@10 of ``layout`` over the better one of ``sheet`` and ``drawings`` has a
lower bound of 10 points in ``even``, where the halves are the objects, and of 5 points in ``corner``; and if at most
5 % of Quick, Draw!'s training drawings, which show one thing, would be taken for two: two groups of strokes, a tenth of
the sheet or more apart, each with a sixth of the ink.
"""

from __future__ import annotations

import argparse
import itertools
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
from sketchseek.search.fusion import Ranking, fuse, ranks_of
from sketchseek.sketches.parts import SketchPart, sketch_parts

SIDE = 256
WAYS = ("sheet", "drawings", "regions", "layout")
FOUND = {"found drawings": "drawings", "found layout": "layout"}
WEIGHTS = (1.0, 2.0, 4.0, 8.0)
PARTS_WEIGHT = 4.0
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


def searched(
    way: str,
    sheet: Floats,
    parts: Sequence[SketchPart],
    gallery: Floats,
    encoder: Encoder,
    weight: float,
    row: int,
) -> int:
    """Return the rank of a photo by sheet and parts; see ``found``."""
    embeddings = encoder.encode_sketch_pixels(np.stack([encoder.read_sketch(one.sketch) for one in parts]))
    rankings = []
    for scores, one in (
        (score("sheet", sheet, embeddings, gallery, []), 1.0),
        (score(way, sheet, embeddings, gallery, [part.middle for part in parts]), weight),
    ):
        order = np.argsort(-scores)
        rankings.append(Ranking(order, ranks_of(scores[order]), one))
    ids, _ = fuse(rankings)
    return 1 + int(np.flatnonzero(ids == row)[0])


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


def compared(
    made: Sequence[Composition], sketches: Sequence[Image.Image], gallery: Floats, encoder: Encoder
) -> dict[str, Any]:
    """Search with the sheet of each composition in every way. The gallery begins with the compositions."""
    ranks: dict[str, list[int]] = {way: [] for way in WAYS}
    found: dict[str, dict[float, list[int]]] = {way: {weight: [] for weight in WEIGHTS} for way in FOUND}
    parted = 0
    for row, one in enumerate(made):
        drawn = (sketches[one.first], sketches[one.second])
        sheets = [one.compose(drawn), one.compose(drawn, [0]), one.compose(drawn, [1])]
        sheet, *parts = encoder.encode_sketch_pixels(np.stack([encoder.read_sketch(each) for each in sheets]))
        for way in WAYS:
            scores = score(way, sheet, np.stack(parts), gallery, [one.middle(0), one.middle(1)])
            ranks[way].append(1 + int((scores > scores[row]).sum()))
        divided = sketch_parts(sheets[0])
        parted += bool(divided)
        for new, weight in itertools.product(FOUND, WEIGHTS):
            as_one = ranks["sheet"][row]
            rank = searched(FOUND[new], sheet, divided, gallery, encoder, weight, row) if divided else as_one
            found[new][weight].append(rank)
    photos = [one.first for one in made]
    report = summary(ranks, photos) | {"taken for two": round(100 * parted / len(made), 1)}
    report["sheet"]["recall@10 of odd numbers"] = _interval(np.array(ranks["sheet"][1::2]) <= 10, photos[1::2])
    for new, values in found.items():
        tuned = {str(one): _interval(np.array(some[::2]) <= 10, photos[::2]) for one, some in values.items()}
        kept = np.array(values[PARTS_WEIGHT][1::2])
        report[new] = {"recall@10 of even numbers, by weight": tuned} | {
            f"recall@{k} of odd numbers": _interval(kept <= k, photos[1::2]) for k in (1, 10)
        }
    return report


def ordinary(
    pairs: Sequence[tuple[Path, Path]], sketches: Sequence[tuple[int, Path]], encoder: Encoder
) -> dict[str, Any]:
    """Search with sketches of one thing, which search with ``parts`` may take for two.

    Args:
        pairs: Photos and a sketch of each; the photos are the gallery.
        sketches: The photo's place in the gallery, and a sketch.
        encoder: The model.
    """
    gallery = np.stack(
        [
            encoder.encode_photo_pixels(np.stack([encoder.read_photo(crop) for crop in crops(image)]))
            for image in (Image.open(path).convert("RGB") for path, _ in pairs)
        ]
    )
    plain, asked, divided = [], [], 0
    for row, path in sketches:
        sheet = encoder.encode_sketch(path)
        scores = gallery[:, 0] @ sheet
        plain.append(1 + int((scores > scores[row]).sum()))
        parts = sketch_parts(path)
        divided += bool(parts)
        asked.append(searched("layout", sheet, parts, gallery, encoder, PARTS_WEIGHT, row) if parts else plain[-1])
    photos = [row for row, _ in sketches]
    gain = (np.array(asked) <= 10).astype(float) - (np.array(plain) <= 10)
    return {
        "sketches": len(sketches),
        "photos": len(pairs),
        "taken for two": round(100 * divided / len(sketches), 1),
        "recall@10": _interval(np.array(plain) <= 10, photos),
        "recall@10 with parts": _interval(np.array(asked) <= 10, photos),
        "difference": _interval(gain, photos),
    }


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
        report[name] = compared(made, sketches, gallery, encoder)
    return report


def looks_like_two(lines: Lines) -> bool:
    """Return whether a drawing would be taken for two things; see the rule."""
    return bool(sketch_parts(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="small")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--others", type=int, default=300)
    parser.add_argument("--only-ordinary", action="store_true", help="Measure no compositions.")
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
    report: dict[str, Any] = {}
    if not given.only_ordinary:
        report = measure(two, [photo.category for photo in photos], others, encoder, given.count)
    place = {photo.key: row for row, photo in enumerate(photos)}
    single = [(place[photo.key], sketch.path) for sketch, photo in test.pairs() if sketch.path is not None]
    report["sketches of one thing"] = ordinary(two, single, encoder)
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
