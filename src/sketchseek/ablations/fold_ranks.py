"""The test of a run by cross-validation: its fold's photos are ranked for each of the fold's sketches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.ablations.macro import macro_mean, metric_values
from sketchseek.datasets.records import SketchDataset
from sketchseek.evaluation.metrics import similarity
from sketchseek.models.package import Distance
from sketchseek.progress import Progress
from sketchseek.training.branch_inputs import BranchInputs
from sketchseek.training.data import read_pixels
from sketchseek.training.run_folder import load_run

Embeddings = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

FOLD_METRICS = ("recall@1", "recall@5", "recall@10", "log-rank")
_OTHERS = 50  # negatives of each sketch, for the fraction of active triplets


def rank_fold(run: Path, fold: SketchDataset, cache: Path | None, progress: Progress) -> dict[str, Any]:
    """Rank a fold's photos with the last weights of a run that did not see them.

    Args:
        run: Folder of the run.
        fold: The photos and sketches that it left out. Photos without sketches are in the gallery.
        cache: Folder of decoded pixels and the output of frozen stages.
        progress: Called with the stage, the number done and the total.

    Returns:
        ``metrics``, macro-averaged over categories; ``ranks`` of all queries, by category and photo;
        ``sketches_of`` each photo and ``photos_of`` each category in this order, where a photo's renditions are one;
        and ``norms`` and ``active`` triplets, see ``_triplet_facts``.
    """
    model, config, _ = load_run(run)
    data = read_pixels(fold, config.photo.size, config.sketch.size, cache, progress)
    options: dict[str, Any] = {"mirrored": False, "cache": cache, "progress": progress}
    queries = BranchInputs(model.sketch, data.sketch_pixels, **options).embed_all(model.sketch)
    gallery = BranchInputs(model.photo, data.photo_pixels, **options).embed_all(model.photo)
    own = data.sketch_photo
    names = np.array([photo.key.split("/", 1)[1] for photo in data.photos])  # without the source, thus the rendition
    categories, photos = data.sketch_category, np.unique(names[own], return_inverse=True)[1]
    ranks = ranks_of_own(queries, gallery, own, names, config.distance)
    order = np.lexsort((np.arange(len(own)), photos, categories))
    values = {name: metric_values(ranks, len(gallery), name) for name in FOLD_METRICS}
    margin = next((term.options.get("margin") for term in config.losses if "margin" in term.options), None)
    return {
        "queries": len(queries),
        "gallery": len(gallery),
        "metrics": {name: round(macro_mean(row, categories), 6) for name, row in values.items()},
        "ranks": " ".join(map(str, ranks[order].tolist())),
        "sketches_of": " ".join(map(str, _run_lengths(photos[order]))),
        "categories": [data.categories[i] for i in dict.fromkeys(categories[order].tolist())],
        "photos_of": " ".join(map(str, _run_lengths(categories[order][_first_of_each(photos[order])]))),
    } | _triplet_facts(queries, gallery, own, names, config.distance, margin)


def ranks_of_own(
    queries: Embeddings, gallery: Embeddings, own: npt.NDArray[np.int64], names: npt.NDArray[Any], distance: Distance
) -> npt.NDArray[np.int64]:
    """The rank, from 1, of each query's own photo. A photo with the same score ranks before it.

    Args:
        queries: (q, d) embeddings.
        gallery: (g, d) embeddings.
        own: (q,) place of each query's photo in the gallery.
        names: (g,) names of the photos. Others with the own photo's name do not count.
        distance: Distance between embeddings.
    """
    scores = similarity(_compared(queries, distance), _compared(gallery, distance), distance)
    mine = scores[np.arange(len(own)), own]
    before = (scores >= mine[:, None]) & (names[None, :] != names[own][:, None])
    return np.asarray(1 + before.sum(axis=1), dtype=np.int64)


def _triplet_facts(
    queries: Embeddings,
    gallery: Embeddings,
    own: npt.NDArray[np.int64],
    names: npt.NDArray[Any],
    distance: Distance,
    margin: float | None,
) -> dict[str, Any]:
    """Mean and relative deviation of the embeddings' lengths, and the fraction of triplets that violate the margin.

    The triplets are each query, its photo, and random other photos of the fold.
    """
    facts: dict[str, Any] = {"norms": {}}
    for name, rows in (("sketch", queries), ("photo", gallery)):
        lengths = np.linalg.norm(rows, axis=1)
        facts["norms"][name] = [round(float(lengths.mean()), 4), round(float(lengths.std() / lengths.mean()), 4)]
    if margin is not None:
        distances = -similarity(_compared(queries, distance), _compared(gallery, distance), distance)
        distances = np.sqrt(np.maximum(distances, 0)) if distance == "euclidean" else 1 + distances
        others = np.random.default_rng(0).integers(0, len(gallery), (len(own), _OTHERS))
        gaps = distances[np.arange(len(own)), own][:, None] - np.take_along_axis(distances, others, axis=1)
        facts["active"] = round(float((gaps + margin > 0)[names[others] != names[own][:, None]].mean()), 4)
    return facts


def _compared(rows: Embeddings, distance: Distance) -> Embeddings:
    if distance == "cosine":
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows


def _run_lengths(values: npt.NDArray[Any]) -> list[int]:
    """Lengths of the runs of equal values."""
    starts = np.flatnonzero(_first_of_each(values))
    lengths: list[int] = np.diff([*starts.tolist(), len(values)]).tolist()
    return lengths


def _first_of_each(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    return np.concatenate([[True], values[1:] != values[:-1]])
