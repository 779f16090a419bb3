"""Measure a model by every protocol, and store the metrics that the documents and cards are made of."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from sketchseek.atomic_write import atomic_write
from sketchseek.datasets.sketchy import invalid_sketches
from sketchseek.encoder import Encoder
from sketchseek.evaluation.corruptions import CORRUPTIONS, CorruptedSketches
from sketchseek.evaluation.protocols import Evaluation, evaluate_qmul, evaluate_sketchy, evaluate_words
from sketchseek.evaluation.summary import instance_recall
from sketchseek.models.package import ModelPackage, bundled_models
from sketchseek.release.cost import cost
from sketchseek.release.failures import picture_failures

PREFIXES = (128, 64)
"""Lengths to which embeddings are cut, to see what that costs."""

say = Console(stderr=True).print


def measure(package: ModelPackage, data: Path, docs: Path) -> None:
    """Measure one model and replace what is stored for it.

    Args:
        package: The model.
        data: Folder as ``link_data`` makes it.
        docs: Results go to ``measured`` below it, pictures of failures of bundled models beside that.
    """
    stored = docs / "measured"
    name = package.manifest.name
    encoder = Encoder(package)
    _store(stored / f"cost-{name}.json", cost(encoder, data))
    sketchy = evaluate_sketchy(data / "sketchy", encoder)
    _store(stored / f"storage-{name}.json", storage(sketchy))
    invalid = {key for keys in invalid_sketches(data / "sketchy").values() for key in keys}
    _store(stored / f"photos-{name}.json", photo_to_photo(sketchy) | valid_sketches(sketchy, invalid))
    evaluations = {
        "sketchy": sketchy,
        "chairv2": evaluate_qmul(data / "chairv2", "chairv2", encoder),
        "caltech": evaluate_words(data / "quickdraw", data / "caltech101", encoder),
        "gallery": evaluate_words(data / "quickdraw", data / "emoji", encoder),
    }
    for protocol, evaluation in evaluations.items():
        evaluation.report.write(stored / f"{protocol}-{name}.json")
    if name in bundled_models():
        picture_failures(encoder, evaluations["gallery"], docs / f"failures-{name}.png")
    say(f"{name}: sketchy recall@1 {sketchy.report.metrics['recall@1']:.4f}")
    _store(stored / f"robust-{name}.json", robustness(package, data, evaluations["chairv2"]))


def photo_to_photo(evaluation: Evaluation) -> dict[str, float]:
    """``photo_category_P@1``: how often the nearest other photo of the gallery shows the same category.

    It says what the photo branch alone knows: a sketch cannot be more certain than the space that it is mapped into.
    """
    embeddings = evaluation.gallery.embeddings
    scores = embeddings @ embeddings.T
    np.fill_diagonal(scores, -np.inf)
    category = np.array([photo.category for photo in evaluation.photos])
    return {"photo_category_P@1": float((category[scores.argmax(axis=1)] == category).mean())}


def valid_sketches(evaluation: Evaluation, invalid: Collection[str]) -> dict[str, float]:
    """Recall without the queries that the release's lists call invalid, as its published scorer computes it.

    Args:
        evaluation: Of the Sketchy test list.
        invalid: Names of sketches, with or without their category.
    """
    names = {name.rpartition("/")[2] for name in invalid}
    queries = evaluation.queries
    own = evaluation.labels[queries.read]
    listed = [evaluation.sketches[int(i)].key.rpartition("/")[2] in names for i in queries.read]
    kept = (own >= 0) & ~np.array(listed, dtype=np.bool_)
    found = instance_recall(queries.embeddings[kept], evaluation.gallery.embeddings, own[kept])
    return {"valid_queries": int(kept.sum())} | {f"valid_{k}": found[k] for k in ("recall@1", "recall@10")}


def robustness(package: ModelPackage, data: Path, plain: Evaluation) -> dict[str, Any]:
    """Recall of ChairV2's test sketches, whose strokes are known, with every corruption."""
    table = {"original": _recall(plain)}
    for how in CORRUPTIONS:
        table[how] = _recall(evaluate_qmul(data / "chairv2", "chairv2", CorruptedSketches(package, how)))
        say(f"{package.manifest.name}: {how} {table[how]}")
    return table


def storage(evaluation: Evaluation) -> dict[str, Any]:
    """Recall at 1 and 10 with embeddings stored otherwise: in half precision, in INT8, and cut short."""
    sketches, photos = evaluation.queries.embeddings, evaluation.gallery.embeddings
    own = evaluation.labels[evaluation.queries.read]
    kept = own >= 0
    sketches, own = sketches[kept], own[kept]
    scale = np.abs(photos).max(axis=1, keepdims=True) / 127
    stored = {
        "fp32": (sketches, photos),
        "fp16": (sketches, photos.astype(np.float16).astype(np.float32)),
        "int8": (sketches, np.round(photos / scale) * scale),
        **{f"first {length}": (sketches[:, :length], photos[:, :length]) for length in PREFIXES},
    }
    return {
        name: {k: instance_recall(_unit(a), _unit(b), own)[k] for k in ("recall@1", "recall@10")}
        for name, (a, b) in stored.items()
    }


def _recall(evaluation: Evaluation) -> dict[str, float]:
    return {k: evaluation.report.metrics[k] for k in ("recall@1", "recall@10")}


def _unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _store(file: Path, values: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, json.dumps(values, indent=1) + "\n")
