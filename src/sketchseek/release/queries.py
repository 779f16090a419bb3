"""Measure what combined queries gain: several drawings, words beside a sketch, and colors beside a sketch.

Nothing is tuned here: the weights are the defaults of ``sketchseek.search``.

- **Several drawings**: test photos of The Sketchy Database with at least three drawings, each by another person. Every
  subset of one, two and three drawings of a photo is a query; a photo counts once, as the mean over its subsets.
- **Words**: Caltech-101, 30 photos of each category drawn at random, as a library of real folder names, of which half
  are hidden: each photo keeps its folder or gets a name such as ``unsorted/IMG_0042.jpg``, at random. A query is a
  Quick, Draw! test sketch, its word, or both. All photos of the category are relevant, named or not.
- **Colors**: the test sketches of The Sketchy Database with a palette that imitates what a person remembers: the three
  main colors of the middle of the photo (k-means in RGB on its full size), each of them changed at random.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from sketchseek.atomic_write import atomic_write
from sketchseek.datasets.image_folders import load_photo_folders
from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_split, quickdraw_words
from sketchseek.datasets.records import Photo, Sketch, SketchDataset
from sketchseek.datasets.splits import checksum
from sketchseek.encoder import Encoder
from sketchseek.evaluation.intervals import bootstrap_interval
from sketchseek.evaluation.protocols import (
    Evaluation,
    Setting,
    evaluate_category_level,
    evaluate_sketchy,
    matching_words,
)
from sketchseek.images import open_image
from sketchseek.models.package import ModelPackage
from sketchseek.photo_metadata import PhotoMetadata
from sketchseek.search.catalog import Catalog, Description, Row
from sketchseek.search.catalog_query import CatalogQueryEngine
from sketchseek.search.colors import PaletteColor, signature_of
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.feedback import mean_of_examples
from sketchseek.search.library_model import metadata_of
from sketchseek.search.params import SearchParams

SEED = 0
PHOTOS = 30
"""Photos of each category of Caltech-101; the smallest category has 31."""

HIDDEN = 0.5
"""Fraction of photos whose folder is hidden."""

MEMORY_ERRORS = (0, 20, 40)
"""Standard deviations of the change to a remembered color, for each of red, green and blue (0 to 255)."""

Values = npt.NDArray[np.float64]
Metrics = dict[str, dict[str, list[float]]]
"""By arm and metric: value, and lower and upper end of its 95 % interval."""

say = Console(stderr=True).print


def measure_queries(package: ModelPackage, data: Path, docs: Path) -> dict[str, Any]:
    """Measure a model and store the results in ``docs/measured/queries-<model>.json``.

    Args:
        package: The model.
        data: Folder as ``link_data`` makes it.
        docs: See above.
    """
    encoder = Encoder(package)
    sketchy = evaluate_sketchy(data / "sketchy", encoder)
    values: dict[str, Any] = {"model": package.manifest.name, "fingerprint": package.manifest.fingerprint}
    values["drawings"] = several_drawings(sketchy)
    say(f"{package.manifest.name}: drawings {values['drawings']}")
    values["colors"] = colors_beside_sketches(package, sketchy)
    say(f"{package.manifest.name}: colors {values['colors']}")
    values["words"] = words_beside_sketches(package, caltech(data, encoder))
    say(f"{package.manifest.name}: words {values['words']}")
    file = docs / "measured" / f"queries-{package.manifest.name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, json.dumps(values, indent=1) + "\n")
    return values


# --- several drawings ----------


def several_drawings(evaluation: Evaluation, most: int = 3) -> dict[str, Any]:
    """Recall of the mean embedding of one, two and three drawings of a photo, over the same photos."""
    gallery = evaluation.gallery.embeddings
    own = evaluation.labels[evaluation.queries.read]
    photos = [photo for photo in np.unique(own[own >= 0]) if (own == photo).sum() >= most]
    table: dict[str, Values] = {}
    for count in range(1, most + 1):
        ranks = [
            [
                _rank(_mean(evaluation, evaluation.queries.embeddings[list(some)]), gallery, int(photo), evaluation)
                for some in combinations(np.flatnonzero(own == photo).tolist(), count)
            ]
            for photo in photos
        ]
        for k in (1, 5, 10):
            table[f"{count} recall@{k}"] = np.array([np.mean([rank <= k for rank in each]) for each in ranks])
    arms = {str(count): {f"recall@{k}": table[f"{count} recall@{k}"] for k in (1, 5, 10)} for count in (1, 2, 3)}
    return {"photos": len(photos), "arms": _metrics(arms), "gains": _gains(arms, "1")}


def _mean(evaluation: Evaluation, embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    count = len(embeddings)
    return mean_of_examples(embeddings, [1.0] * count, [False] * count, distance=evaluation.distance)[0]


def _rank(query: npt.NDArray[np.float32], gallery: npt.NDArray[np.float32], photo: int, evaluation: Evaluation) -> int:
    cosine = evaluation.distance == "cosine"
    scores = gallery @ query if cosine else -np.linalg.norm(gallery - query, axis=1)
    return int((scores > scores[photo]).sum()) + 1


# --- words ----------


def caltech(data: Path, encoder: Encoder) -> Evaluation:
    """Encode the Quick, Draw! test sketches of Caltech-101's categories, and ``PHOTOS`` photos of each category."""
    shelf = load_photo_folders(data / "caltech101")
    words = matching_words(quickdraw_words(data / "quickdraw"), shelf.categories)
    drawn = load_quickdraw(data / "quickdraw", words=words)
    tested = set(quickdraw_split(drawn).test_sketch_keys)
    sketches = tuple(
        Sketch(words[sketch.category], sketch.key, strokes=sketch.strokes)
        for sketch in drawn.sketches
        if sketch.key in tested
    )
    random = np.random.default_rng(SEED)
    photos: list[Photo] = []
    for category in shelf.categories:
        own = [photo for photo in shelf.photos if photo.category == category]
        photos += [own[i] for i in sorted(random.permutation(len(own))[:PHOTOS])]
    test = SketchDataset("words", tuple(photos), sketches, shelf.source)
    keys = [*(photo.key for photo in photos), *(sketch.key for sketch in sketches)]
    return evaluate_category_level(
        test, encoder, Setting("words", f"{PHOTOS} a category", checksum((), keys), details={"words": words})
    )


def words_beside_sketches(package: ModelPackage, evaluation: Evaluation) -> dict[str, Any]:
    """Average precision of sketches, words and both in a library with half of its folder names hidden."""
    random = np.random.default_rng(SEED)
    hidden = random.random(len(evaluation.photos)) < HIDDEN
    names = [
        f"/gallery/unsorted/IMG_{number:04}.jpg" if hide else f"/gallery/{Path(photo.path).parent.name}/{number:04}.jpg"
        for number, (photo, hide) in enumerate(zip(evaluation.photos, hidden, strict=True), start=1)
    ]
    category_words = {category: word for word, category in evaluation.report.details["words"].items()}
    embeddings = evaluation.gallery.embeddings
    arms: dict[str, dict[str, list[float]]] = {
        arm: {"mAP": [], "R-precision": [], "P@10": []} for arm in ("sketch", "words", "both", "both, words required")
    }
    labels = evaluation.photo_labels
    with _engine(package, names, embeddings) as engine:
        for query, index in zip(evaluation.queries.embeddings, evaluation.queries.read, strict=True):
            example = (Example(embedding=query),)
            word = category_words[evaluation.sketches[index].category]
            queries = {
                "sketch": Query(example),
                "words": Query(text=word),
                "both": Query(example, text=word),
                "both, words required": Query(example, text=word, text_mode="require"),
            }
            relevant = labels == evaluation.labels[index]
            for arm, asked in queries.items():
                found = engine.search_query(asked, SearchParams(len(names)))
                hits = relevant[[result.id - 1 for result in found]]
                for name, value in _precisions(hits, int(relevant.sum())).items():
                    arms[arm][name].append(value)
    values = {arm: {name: np.array(each) for name, each in metrics.items()} for arm, metrics in arms.items()}
    return {
        "queries": len(evaluation.queries.read),
        "gallery": len(names),
        "hidden": int(hidden.sum()),
        "arms": _metrics(values),
        "gains": {"sketch": _gains(values, "sketch"), "words": _gains(values, "words")},
    }


def _precisions(hits: npt.NDArray[np.bool_], relevant: int) -> dict[str, float]:
    """Average precision, R-precision and P@10 of a ranking that may end before it has every relevant photo."""
    places = np.flatnonzero(hits) + 1
    return {
        "mAP": float((np.arange(1, len(places) + 1) / places).sum() / relevant),
        "R-precision": float(hits[:relevant].sum() / relevant),
        "P@10": float(hits[:10].sum() / 10),
    }


def _engine(
    package: ModelPackage,
    names: Sequence[str],
    embeddings: npt.NDArray[np.float32],
    signatures: Sequence[bytes] | None = None,
) -> _OpenEngine:
    return _OpenEngine(package, names, embeddings, signatures)


class _OpenEngine:
    """A query engine over a temporary catalog whose photo n, from 1, has the n-th name and embedding."""

    def __init__(
        self,
        package: ModelPackage,
        names: Sequence[str],
        embeddings: npt.NDArray[np.float32],
        signatures: Sequence[bytes] | None,
    ) -> None:
        self._package = package
        self._rows = (names, embeddings, signatures)
        self._folder = tempfile.TemporaryDirectory(prefix="sketchseek-queries-")

    def __enter__(self) -> CatalogQueryEngine:
        folder = Path(self._folder.name)
        names, embeddings, signatures = self._rows
        with closing(Catalog(folder, create=metadata_of(self._package))) as catalog, catalog.transaction():
            catalog.set_roots([b"/gallery"], [])
            for number, (name, embedding) in enumerate(zip(names, embeddings.astype(np.float16), strict=True)):
                colors = b"" if signatures is None else signatures[number]
                description = Description(PhotoMetadata(), colors)
                digest = number.to_bytes(4, "big")
                catalog.add(Row(name.encode(), 1, 1, digest, 1, 1, embedding.tobytes(), description))
        self._catalog = Catalog(folder)
        return CatalogQueryEngine(folder, self._catalog, threading.RLock(), self._package)

    def __exit__(self, *_: object) -> None:
        self._catalog.close()
        self._folder.cleanup()


# --- colors ----------


def colors_beside_sketches(package: ModelPackage, evaluation: Evaluation) -> dict[str, Any]:
    """Recall of sketches with the photo's main colors as a person might remember them, and of the colors alone."""
    random = np.random.default_rng(SEED)
    encoder = Encoder(package)
    signatures, palettes = [], []
    for photo in evaluation.photos:
        signatures.append(signature_of(encoder.read_photo(photo.path)))
        palettes.append(_main_colors(photo.path))
    names = [f"/gallery/{number:04}.jpg" for number in range(len(evaluation.photos))]
    hits: dict[str, list[int]] = {}
    read = evaluation.queries.read
    kept = [(row, int(evaluation.labels[index])) for row, index in enumerate(read) if evaluation.labels[index] >= 0]
    with _engine(package, names, evaluation.gallery.embeddings, signatures) as engine:

        def rank(arm: str, query: Query, own: int) -> None:
            found = [result.id - 1 for result in engine.search_query(query, SearchParams(10))]
            hits.setdefault(arm, []).append(found.index(own) + 1 if own in found else 11)

        for row, own in kept:
            example = (Example(embedding=evaluation.queries.embeddings[row]),)
            rank("sketch", Query(example), own)
            for error in MEMORY_ERRORS:
                palette = _remembered(palettes[own], error, random)
                rank(f"sketch and colors, error {error}", Query(example, colors=palette), own)
                rank(f"colors alone, error {error}", Query(colors=palette), own)
    clusters = np.array([own for _, own in kept])
    arms = {arm: {f"recall@{k}": np.array(ranks) <= k for k in (1, 10)} for arm, ranks in hits.items()}
    values = {arm: {name: each.astype(np.float64) for name, each in metrics.items()} for arm, metrics in arms.items()}
    return {
        "queries": len(kept),
        "gallery": len(names),
        "arms": _metrics(values, clusters),
        "gains": _gains(values, "sketch", clusters),
    }


def _main_colors(path: Path, count: int = 3) -> list[tuple[npt.NDArray[np.float64], float]]:
    """The main colors of the middle half of a photo, and their amounts: Lloyd's algorithm in RGB."""
    image = open_image(path, at_least=200)
    box = (image.width // 4, image.height // 4, image.width - image.width // 4, image.height - image.height // 4)
    pixels = np.asarray(image.crop(box).resize((64, 64)), np.float64).reshape(-1, 3)
    order = np.argsort(pixels.sum(axis=1))
    centers = pixels[order[np.linspace(0, len(order) - 1, 2 * count + 1).astype(int)[1::2]]]
    for _ in range(12):
        nearest = ((pixels[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
        centers = np.stack(
            [pixels[nearest == i].mean(axis=0) if (nearest == i).any() else centers[i] for i in range(count)]
        )
    amounts = np.bincount(nearest, minlength=count) / len(pixels)
    return [(center, float(amount)) for center, amount in zip(centers, amounts, strict=True) if amount > 0]


def _remembered(
    colors: list[tuple[npt.NDArray[np.float64], float]], error: float, random: np.random.Generator
) -> tuple[PaletteColor, ...]:
    changed = [np.clip(np.round(color + error * random.standard_normal(3)), 0, 255).astype(int) for color, _ in colors]
    return tuple(
        PaletteColor("#{:02x}{:02x}{:02x}".format(*color), amount)
        for color, (_, amount) in zip(changed, colors, strict=True)
    )


# --- intervals ----------


def _metrics(arms: dict[str, dict[str, Values]], clusters: npt.NDArray[np.int64] | None = None) -> Metrics:
    return _table(arms, lambda arm, name: arms[arm][name], clusters)


def _gains(arms: dict[str, dict[str, Values]], than: str, clusters: npt.NDArray[np.int64] | None = None) -> Metrics:
    """Differences to one arm, query by query."""
    others = {arm: metrics for arm, metrics in arms.items() if arm != than}
    return _table(others, lambda arm, name: arms[arm][name] - arms[than][name], clusters)


def _table(
    arms: dict[str, dict[str, Values]],
    values: Callable[[str, str], Values],
    clusters: npt.NDArray[np.int64] | None,
) -> Metrics:
    return {
        arm: {
            name: [
                round(float(value), 4)
                for value in (
                    values(arm, name).mean(),
                    *bootstrap_interval(values(arm, name), clusters=clusters, seed=SEED),
                )
            ]
            for name in metrics
        }
        for arm, metrics in arms.items()
    }
