"""Why a photo matches: its score, split over the photo, over the sketch and over the examples of a query.

The score is linear in each of them, so the splits are exact. With the query's embedding q, the photo's p, and p = Σ p_c
over the photo's cells c:

- cosine: q · p = Σ q · p_c;
- Euclidean: -|q - p| = -u · (q - p) with u = (q - p) / |q - p|, so each of n cells has the share u · p_c - u · q / n.

The cells of a sketch, q = Σ q_c, and the examples of a query, q = Σ w_e q_e, split it in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.encoder import Encoder
from sketchseek.images import ImageSource
from sketchseek.models.package import Distance
from sketchseek.search.combined_query import Query
from sketchseek.sketches import SketchSource, sketch_lines

Embedding = npt.NDArray[np.float32]
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SplitScore:
    """A score, split over a grid that covers a picture.

    Attributes:
        shares: Each cell's fraction of the score, (rows, columns), from the top left.
        rest: What depends on no place; 0 for most models. ``shares.sum() + rest`` is the score.
    """

    shares: Shares
    rest: float


@dataclass(frozen=True, eq=False)
class SketchShares:
    """What parts of a sketch contribute to a score.

    Attributes:
        split: The split over the sketch's raster; the sketch fills ``sketchseek.sketches.FILL`` of it.
        strokes: Each stroke's share, in the order of the sketch; empty for a picture of a sketch.
            ``sum(strokes) + split.rest`` is the example's part of the score.
    """

    split: SplitScore
    strokes: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a photo matches a query.

    Attributes:
        photo: Id of the photo.
        score: Cosine similarity or negative distance of the photo and the query's examples. It is computed from the
            photo's file, so it differs from a search result's by the rounding of stored embeddings.
        photo_split: The split over the photo, which the grid covers as a whole, with its EXIF orientation applied.
        examples: Each example's part of the score; their sum is the score.
        sketches: For each example, what its parts contribute to its part of the score; None if it is no sketch.
    """

    photo: int
    score: float
    photo_split: SplitScore
    examples: tuple[float, ...]
    sketches: tuple[SketchShares | None, ...]


def score_of(query: Embedding, photo: Embedding, distance: Distance) -> float:
    """Return the score of two embeddings, each (d,)."""
    a, b = query.astype(np.float64), photo.astype(np.float64)
    return float(a @ b) if distance == "cosine" else -float(np.linalg.norm(a - b))


def split_photo(query: Embedding, photo: Embedding, cells: npt.NDArray[np.float32], distance: Distance) -> SplitScore:
    """Split a score over the photo.

    Args:
        query, photo: Embeddings, (d,).
        cells: The photo's, (rows, columns, d); see ``Encoder.explain_photo_pixels``.
        distance: The score's.
    """
    direction, other = _linear(photo, query, distance)  # the score is symmetric
    shares = cells.astype(np.float64) @ direction + other / (cells.shape[0] * cells.shape[1])
    return SplitScore(shares, score_of(query, photo, distance) - float(shares.sum()))


def split_sketch(
    sketch: Embedding,
    photo: Embedding,
    cells: npt.NDArray[np.float32],
    query: Embedding,
    weight: float,
    distance: Distance,
) -> SplitScore:
    """Split an example's part of a score over its sketch.

    Args:
        sketch, photo, query: Embeddings of the example, the photo and the whole query, (d,).
        cells: The sketch's, (rows, columns, d).
        weight: What the example's embedding is multiplied by in the query's; see ``feedback.mean_of_examples``.
        distance: The score's.
    """
    direction, other = _linear(query, photo, distance)
    count = cells.shape[0] * cells.shape[1]
    shares = weight * (cells.astype(np.float64) @ direction + other / count)
    total = weight * (float(sketch.astype(np.float64) @ direction) + other)
    return SplitScore(shares, total - float(shares.sum()))


def example_parts(
    examples: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float64],
    photo: Embedding,
    query: Embedding,
    distance: Distance,
) -> tuple[float, ...]:
    """Return each example's part of a score. The query is ``weights @ examples``.

    With Euclidean distance, the weights sum to 1.
    """
    direction, other = _linear(query, photo, distance)
    parts = weights * (examples.astype(np.float64) @ direction + other)
    return tuple(parts.tolist())


def _linear(query: Embedding, photo: Embedding, distance: Distance) -> tuple[npt.NDArray[np.float64], float]:
    """Return direction and constant so that the score is ``query · direction + constant``."""
    q, p = query.astype(np.float64), photo.astype(np.float64)
    if distance == "cosine":
        return p, 0.0
    length = float(np.linalg.norm(q - p))
    u = (q - p) / length if length > 0 else np.zeros_like(q)
    return -u, float(u @ p)


def stroke_shares(sketch: SketchSource, split: SplitScore) -> tuple[float, ...]:
    """Divide the shares of a sketch's cells among its strokes.

    A cell's share goes to the strokes near it, by how much of their line is near: what the network sees at a cell
    reaches beyond it, and paper has a share too. Returns () for a picture of a sketch, which has no strokes.
    """
    lines = sketch_lines(sketch)
    if lines is None:
        return ()
    rows, columns = split.shares.shape
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
    near = np.zeros((len(lines), rows, columns))
    spread = 1.0 / max(rows, columns)  # about one cell
    for number, line in enumerate(lines):
        points, lengths = _sampled(line, spread / 4)
        squares = (x[None] - points[:, 0, None, None]) ** 2 + (y[None] - points[:, 1, None, None]) ** 2
        near[number] = (lengths[:, None, None] * np.exp(-squares / (2 * spread**2))).sum(axis=0)
    near = np.maximum(near, 1e-300)
    shares = (near / near.sum(axis=0, keepdims=True) * split.shares[None]).sum(axis=(1, 2))
    return tuple(shares.tolist())


def _sampled(line: npt.NDArray[np.float64], step: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return points along a line, (n, 2), at most ``step`` apart on average, and the length that each stands for."""
    if len(line) == 1:
        return line, np.full(1, step)
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.append(0.0, np.cumsum(lengths))
    count = int(np.clip(along[-1] / step, 1, 500)) + 1
    at = np.linspace(0.0, along[-1], count)
    points = np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1)
    return points, np.full(count, max(float(along[-1]), step) / count)


def explain(
    encoder: Encoder,
    query: Query,
    embedded: tuple[Embedding, npt.NDArray[np.float32], npt.NDArray[np.float64]],
    photo: int,
    file: ImageSource,
) -> Explanation:
    """Explain why a photo matches the examples of a query. See ``Library.explain``.

    Args:
        encoder: The library's.
        query: The query.
        embedded: Embedding of the query, (d,), of its examples, (n, d), and their factors, (n,); see
            ``feedback.mean_of_examples``.
        photo: Id of the photo.
        file: Its file.
    """
    distance = encoder.manifest.distance
    combined, examples, factors = embedded
    embeddings, cells = encoder.explain_photo_pixels(encoder.read_photo(file)[None])
    matched = embeddings[0]
    sketches: list[SketchShares | None] = []
    for example, factor in zip(query.examples, factors.tolist(), strict=True):
        if example.sketch is None:
            sketches.append(None)
            continue
        own, own_cells = encoder.explain_sketch_pixels(encoder.read_sketch(example.sketch)[None])
        split = split_sketch(own[0], matched, own_cells[0], combined, factor, distance)
        sketches.append(SketchShares(split, stroke_shares(example.sketch, split)))
    return Explanation(
        photo,
        score_of(combined, matched, distance),
        split_photo(combined, matched, cells[0], distance),
        example_parts(examples, factors, matched, combined, distance),
        tuple(sketches),
    )
