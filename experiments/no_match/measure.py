"""Can search know that the gallery lacks what was drawn? The ROC area of every signal that a query offers.

    python experiments/no_match/measure.py --data DATA [--model small] [--out report.json]

**Protocol, fixed before the first run.** Queries are Quick, Draw!'s training drawings (no test drawing is read) of
words that a gallery has. Each is asked twice: of the whole gallery ("present"), and of the gallery without the photos
of its word ("absent"). A second comparison, ``other words``, takes drawings of words for which the gallery has no
folder as absent; words differ there, so it also measures which words are easy. Galleries are Caltech-101 and the demo
gallery.

Signals, each oriented so that more means "nothing here matches": the best score, the mean of the five best, the gap
between first and eleventh, the best score in standard deviations above the query's mean score, how alike the ten
first photos are, how many of the ten first photos redrawn copies of the sketch find again, and how far the copies'
embeddings scatter. ``all`` is a logistic regression on all of them, fitted on other words than it is reported on (five
folds by word). Intervals are bootstrap percentiles over words.

**Rule.** A "no close match" line is worth having if the ROC area of some signal has a lower bound of at least 0.8 in
every gallery, for words that its calibration has not seen.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from sketchseek.atomic_write import atomic_write
from sketchseek.datasets.image_folders import load_photo_folders
from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_split
from sketchseek.datasets.records import Sketch
from sketchseek.demo_gallery import prepare_gallery
from sketchseek.encoder import Encoder
from sketchseek.evaluation.corruptions import first_strokes, wobble
from sketchseek.evaluation.encode_dataset import encode_photo_set
from sketchseek.evaluation.intervals import bootstrap_interval
from sketchseek.evaluation.protocols import matching_words
from sketchseek.evaluation.roc import roc_area
from sketchseek.models.package import load_model_package
from sketchseek.user_dirs import user_cache_dir

COPIES = 4
"""Redrawn copies of each sketch: three by an unsteady hand, one without its last strokes."""

OTHERS = 6
"""Maximum number of drawings of each word that the gallery lacks; there are many such words."""

FIRST = 10
FOLDS = 5
SIGNALS = ("best", "best five", "gap", "deviations", "coherence", "agreement", "scatter")

Floats = npt.NDArray[np.floating]
say = Console(stderr=True).print


def signals(copies: Floats, photos: Floats, allowed: npt.NDArray[np.bool_]) -> list[float]:
    """Values of ``SIGNALS`` for one query, each larger if nothing matches.

    Args:
        copies: (1 + COPIES, d) unit embeddings; the first is the sketch's own.
        photos: (m, d) unit embeddings.
        allowed: (m,) the photos that are in the gallery.
    """
    gallery = photos[allowed]
    scores = copies @ gallery.T
    first = [np.argsort(-row, kind="stable")[: FIRST + 1] for row in scores]
    own = scores[0]
    best = own[first[0]]
    top = gallery[first[0][:FIRST]]
    again = [len({*first[0][:FIRST].tolist()} & {*other[:FIRST].tolist()}) / FIRST for other in first[1:]]
    return [
        -float(best[0]),
        -float(best[:5].mean()),
        -float(best[0] - best[FIRST]),
        -float((best[0] - own.mean()) / own.std()),
        -float((top @ top.T)[np.triu_indices(FIRST, 1)].mean()),
        -float(np.mean(again)),
        -float((copies[1:] @ copies[0]).mean()),
    ]


def combined(features: Floats, absent: npt.NDArray[np.bool_], words: npt.NDArray[np.int64]) -> Floats:
    """Log-odds of "absent" by logistic regression, each from a fit without the words of its fold."""
    out = np.zeros(len(features))
    order = np.random.default_rng(0).permutation(np.unique(words))
    for fold in range(FOLDS):
        tested = np.isin(words, order[fold::FOLDS])
        mean, scale = features[~tested].mean(axis=0), features[~tested].std(axis=0) + 1e-9
        inputs = np.c_[(features - mean) / scale, np.ones(len(features))]
        weights = np.zeros(inputs.shape[1])
        fitted, target = inputs[~tested], absent[~tested].astype(float)
        for _ in range(25):  # Newton's method, with a ridge of 1
            odds = 1 / (1 + np.exp(-fitted @ weights))
            slope = fitted.T @ (odds - target) + weights
            curve = (fitted * (odds * (1 - odds))[:, None]).T @ fitted + np.eye(len(weights))
            weights -= np.linalg.solve(curve, slope)
        out[tested] = inputs[tested] @ weights
    return out


def areas(features: Floats, absent: npt.NDArray[np.bool_], words: npt.NDArray[np.int64]) -> dict[str, list[float]]:
    """ROC area, lower and upper bound of its interval, for every signal and for all of them together."""
    table = {}
    for name, values in [*zip(SIGNALS, features.T, strict=True), ("all", combined(features, absent, words))]:

        def area(rows: npt.NDArray[np.float64], values: Floats = values) -> float:
            chosen = rows.astype(np.int64)
            return roc_area(values[chosen], absent[chosen])

        rows = np.arange(len(values))
        interval = bootstrap_interval(rows, statistic=area, clusters=words, resamples=1000)
        table[name] = [round(x, 3) for x in (area(rows.astype(float)), *interval)]
    return table


def measure(encoder: Encoder, drawn: Drawn, photos: Path) -> dict[str, Any]:
    """Areas for one gallery; ``photos`` has a folder, or a file, for each category."""
    gallery = load_photo_folders(photos)
    shelved = encode_photo_set(encoder, gallery.photos)
    say(f"{photos.name}: {len(shelved.read):,} photos are encoded")
    embeddings = _unit(shelved.embeddings)
    category = np.array([gallery.photos[i].category for i in shelved.read])
    named = matching_words(drawn.words, gallery.categories)
    everything = np.ones(len(category), dtype=bool)
    rows: dict[str, list[list[float]]] = {"present": [], "absent": [], "other": []}
    words: dict[str, list[int]] = {"present": [], "absent": [], "other": []}
    found: list[bool] = []
    of_word: Counter[int] = Counter()
    for number, copies in drawn.sketches:
        word = drawn.words[number]
        cases = {"other": everything} if of_word[number] < OTHERS else {}
        if word in named:
            own = category == named[word]
            cases = {"present": everything, "absent": ~own}
            found.append(bool(own[np.argsort(-(embeddings @ copies[0]))[:5]].any()))
        of_word[number] += 1
        for case, allowed in cases.items():
            rows[case].append(signals(copies, embeddings, allowed))
            words[case].append(number)
    in_five = np.array(found)
    say(f"{photos.name}: {len(in_five):,} drawings of {len(named)} words are searched")
    return {
        "photos": len(category),
        "words": len(named),
        "drawings": len(in_five),
        "found among five": round(float(in_five.mean()), 3),
        "word removed": _compare(rows, words, "absent", np.ones(len(in_five), dtype=bool)),
        "word removed, against found": _compare(rows, words, "absent", in_five),
        "other words": _compare(rows, words, "other", np.ones(len(in_five), dtype=bool)),
    }


@dataclass(frozen=True)
class Drawn:
    """Words, and for each drawing the number of its word and the embeddings (1 + COPIES, d) of it and its copies."""

    words: list[str]
    sketches: list[tuple[int, Floats]]


def encode_drawings(encoder: Encoder, quickdraw: Path, limit: int | None) -> Drawn:
    """Encode Quick, Draw!'s training drawings and their copies; at most ``limit`` of each word."""
    dataset = load_quickdraw(quickdraw, limit=limit)
    training = set(quickdraw_split(dataset).train_sketch_keys)
    sketches = [sketch for sketch in dataset.sketches if sketch.key in training]
    words = sorted({sketch.category for sketch in sketches})
    number = {word: i for i, word in enumerate(words)}
    drawn = []
    for done, sketch in enumerate(sketches, start=1):
        copies = np.stack([encoder.encode_sketch(strokes) for strokes in _copies(sketch)])
        drawn.append((number[sketch.category], _unit(copies)))
        if done % 500 == 0:
            say(f"{done:,} of {len(sketches):,} drawings are encoded")
    return Drawn(words, drawn)


def _compare(
    rows: dict[str, list[list[float]]], words: dict[str, list[int]], absent: str, kept: npt.NDArray[np.bool_]
) -> dict[str, list[float]]:
    present, missing = np.array(rows["present"])[kept], np.array(rows[absent])
    groups = np.r_[np.array(words["present"])[kept], np.array(words[absent])]
    return areas(np.r_[present, missing], np.arange(len(groups)) >= len(present), groups)


def _copies(sketch: Sketch) -> Sequence[Any]:
    strokes = sketch.strokes
    if strokes is None:
        raise ValueError(f"{sketch.key} has no strokes")
    shaken = [wobble(strokes, np.random.default_rng(seed), size=0.02) for seed in range(COPIES - 1)]
    return [strokes, *shaken, first_strokes(strokes, 0.8)]


def _unit(rows: npt.NDArray[Any]) -> Floats:
    numbers = np.asarray(rows, dtype=np.float32)
    return np.asarray(numbers / np.linalg.norm(numbers, axis=1, keepdims=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Folder with quickdraw and caltech101.")
    parser.add_argument("--model", default="small", help="Name or path of a model package.")
    parser.add_argument("--gallery", type=Path, help="The demo gallery; by default it is downloaded once.")
    parser.add_argument("--limit", type=int, help="Read at most this many drawings of each word.")
    parser.add_argument("--out", type=Path, help="Write the report here as JSON.")
    options = parser.parse_args()
    encoder = Encoder(load_model_package(options.model), threads=1)
    drawn = encode_drawings(encoder, options.data / "quickdraw", options.limit)
    emoji = options.gallery or prepare_gallery(user_cache_dir() / "gallery", say=say)
    galleries = {"Caltech-101": options.data / "caltech101", "demo gallery": emoji}
    report = {
        "model": encoder.manifest.name,
        "fingerprint": encoder.manifest.fingerprint,
        "galleries": {name: measure(encoder, drawn, path) for name, path in galleries.items()},
    }
    text = json.dumps(report, indent=1) + "\n"
    print(text, end="")
    if options.out:
        atomic_write(options.out, text)


if __name__ == "__main__":
    main()
