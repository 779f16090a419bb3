"""Each cell's fraction of an embedding: what an exported graph gives as its second output, ``cells``.

Pooling, linear layers and folded batch normalization are linear. So an embedding is, exactly and without approximation,
the sum of what the cells of the last feature map contribute, and so is any score that is linear in it. The L2
normalization at the end divides by one number for the whole picture, which is known when the cells are split.

The contract of ``cells``, (batch, rows, columns, embedding) float32: summed over rows and columns it is the embedding,
or what of the embedding depends on a place in the picture; a network may add parts that do not.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def linear_cells(features: Tensor, weight: Tensor, constant: Tensor | None = None) -> Tensor:
    """Split a linear layer behind average pooling.

    Args:
        features: The feature map, (batch, channels, rows, columns).
        weight: Of the linear layer, (embedding, channels).
        constant: What is added to the embedding, (embedding,), such as a bias; every cell gets the same part of it.

    Returns:
        (batch, rows, columns, embedding). Summed over the cells: ``features.mean((2, 3)) @ weight.T + constant``.
    """
    batch, channels, rows, columns = features.shape
    # A linear layer on a matrix is exported as one operator that shares its weight with the embedding's.
    cells: Tensor = F.linear(features.permute(0, 2, 3, 1).reshape(-1, channels), weight, constant)
    return cells.reshape(batch, rows, columns, len(weight)) / (rows * columns)


def field_cells(features: Tensor, down: Tensor, across: Tensor, weight: Tensor) -> Tensor:
    """Split a linear layer behind weighted means over fields of the picture, such as its quarters.

    Args:
        features: The feature map, (batch, channels, rows, columns).
        down, across: Weights of rows and columns in each field, (fields down, rows) and (fields across, columns).
        weight: Of the linear layer, (embedding, fields down * fields across * channels), fields first.

    Returns:
        (batch, rows, columns, embedding). Summed over the cells it is the linear layer of
        ``torch.einsum("bchw,ih,jw->bijc", features, down, across).flatten(1)``.
    """
    batch, channels, rows, columns = features.shape
    weights = weight.reshape(len(weight), len(down), len(across), channels)
    total = torch.zeros((), dtype=features.dtype)
    by_cell = features.permute(0, 2, 3, 1)
    for i, rows_of in enumerate(down):
        for j, columns_of in enumerate(across):
            # Most cells lie in one field: the others are left out, so this costs little more than one projection.
            (high,), (wide,) = (torch.nonzero(one, as_tuple=True) for one in (rows_of, columns_of))
            top, bottom, left, right = int(high[0]), int(high[-1]) + 1, int(wide[0]), int(wide[-1]) + 1
            some = torch.matmul(by_cell[:, top:bottom, left:right], weights[:, i, j].t())
            some = some * rows_of[top:bottom, None, None] * columns_of[None, left:right, None]
            total = total + F.pad(some, (0, 0, left, columns - right, top, rows - bottom))
    cells: Tensor = total.expand(batch, rows, columns, len(weight))
    return cells


def normalized_cells(cells: Tensor, embedding: Tensor) -> Tensor:
    """Return the cells of ``F.normalize(embedding, dim=1)`` from those of the embedding."""
    normalized: Tensor = cells / embedding.norm(dim=1).clamp_min(1e-12)[:, None, None, None]
    return normalized


def on_grid(cells: Tensor, rows: int, columns: int) -> Tensor:
    """Move cells to another grid by overlapping areas; their sum stays. For networks of several feature maps."""
    down, across = (_overlaps(old, new).to(cells) for old, new in ((cells.shape[1], rows), (cells.shape[2], columns)))
    moved: Tensor = torch.einsum("bhwd,rh,cw->brcd", cells, down, across)
    return moved


def _overlaps(old: int, new: int) -> Tensor:
    """Fraction of each of the old intervals that lies in each of the new ones, (new, old); columns sum to 1."""
    begins = torch.arange(new, dtype=torch.float64)[:, None] / new
    starts = torch.arange(old, dtype=torch.float64)[None] / old
    common = torch.minimum(begins + 1 / new, starts + 1 / old) - torch.maximum(begins, starts)
    return (common.clamp_min(0) * old).float()
