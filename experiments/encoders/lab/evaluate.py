"""Test figures of an exported model, each test set read once: ``python -m lab.evaluate ARTIFACT DATA OUT.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from sketchseek.datasets.sketchy import invalid_sketches
from sketchseek.encoder import Encoder
from sketchseek.evaluation.corruptions import CORRUPTIONS, CorruptedSketches
from sketchseek.evaluation.protocols import Evaluation, evaluate_qmul, evaluate_sketchy, evaluate_words
from sketchseek.models.package import load_model_package


def evaluate(artifact: Path, data: Path) -> dict[str, Any]:
    """All figures of one model."""
    model = load_model_package(artifact)
    encoder = Encoder(model, threads=1)
    sketchy = evaluate_sketchy(data / "sketchy", encoder)
    figures: dict[str, Any] = {"sketchy": sketchy.report.metrics}
    print(figures, flush=True)
    figures["sketchy_without_invalid"] = without_invalid(sketchy, data / "sketchy")
    figures["photo_to_photo_P@1"] = photo_to_photo(sketchy)
    chairs = evaluate_qmul(data / "chairv2", "chairv2", encoder)
    figures["chairv2"] = chairs.report.metrics
    figures["robustness_chairv2_acc@1"] = {
        how: evaluate_qmul(data / "chairv2", "chairv2", CorruptedSketches(model, how, threads=1)).report.metrics[
            "acc@1"
        ]
        for how in CORRUPTIONS
    }
    print(figures, flush=True)
    figures["gallery"] = evaluate_words(data / "quickdraw", data / "emoji", encoder).report.metrics
    figures["caltech"] = evaluate_words(data / "quickdraw", data / "caltech101", encoder).report.metrics
    return figures


def without_invalid(result: Evaluation, root: Path) -> dict[str, Any]:
    """Recall with the sketches on the release's lists left out; the lists name sketches without their category."""
    listed = {key.rpartition("/")[2] for keys in invalid_sketches(root).values() for key in keys}
    kept = np.array([sketch.key.rpartition("/")[2] not in listed for sketch in result.sketches])
    scores = result.queries.embeddings @ result.gallery.embeddings.T
    wanted = result.labels[result.queries.read]
    rank = (scores > scores[np.arange(len(wanted)), wanted][:, None]).sum(axis=1) + 1
    kept = kept[result.queries.read]
    return {
        "queries": int(kept.sum()),
        "left_out": int((~kept).sum()),
        "recall@1": float((rank[kept] == 1).mean()),
        "recall@10": float((rank[kept] <= 10).mean()),
    }


def photo_to_photo(result: Evaluation) -> float:
    """How often the nearest other photo of the Sketchy gallery shows the same category."""
    scores = result.gallery.embeddings @ result.gallery.embeddings.T
    np.fill_diagonal(scores, -2)
    category = np.array([photo.category for photo in result.photos])
    return float((category[scores.argmax(axis=1)] == category).mean())


if __name__ == "__main__":
    found = evaluate(Path(sys.argv[1]), Path(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
