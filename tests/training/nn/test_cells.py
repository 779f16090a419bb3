from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sketchseek.training.nn.cells import field_cells, linear_cells, normalized_cells, on_grid
from sketchseek.training.nn.heads import EmbeddingHead, HeadNorm


@pytest.fixture
def features() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(3, 5, 4, 7)


def test_cells_of_a_linear_layer_are_those_of_a_slow_loop(features: Tensor) -> None:
    weight, bias = torch.randn(6, 5), torch.randn(6)
    cells = linear_cells(features, weight, bias)
    for b in range(3):
        for y in range(4):
            for x in range(7):
                torch.testing.assert_close(cells[b, y, x], (weight @ features[b, :, y, x] + bias) / 28)
    torch.testing.assert_close(cells.sum((1, 2)), F.linear(features.mean((2, 3)), weight, bias))


@pytest.mark.parametrize("embedding", [6, None])
@pytest.mark.parametrize("norm", ["none", "l2", "batch", "both"])
def test_cells_of_every_head_sum_to_its_embedding(features: Tensor, embedding: int | None, norm: HeadNorm) -> None:
    head = EmbeddingHead(5, embedding, norm)
    for _ in range(3):
        head.train()(torch.randn(8, 5, 4, 7))
    head.eval()
    if norm in ("batch", "both"):
        with torch.no_grad():
            batch: Any = head.batch
            batch.weight.uniform_(0.5, 2)
            batch.bias.normal_()
    for one in (head, head.folded()):
        torch.testing.assert_close(one.cells(features).sum((1, 2)), head(features))
        torch.testing.assert_close(one(features), head(features))


def test_cells_of_fields_sum_to_the_linear_layer_s_output(features: Tensor) -> None:
    down = torch.tensor([[0.4, 0.5, 0.1, 0.0], [0.0, 0.0, 0.3, 0.7]])
    across = torch.tensor(
        [[0.5, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0], [0, 0, 0.1, 0.3, 0.6, 0, 0], [0, 0, 0, 0, 0, 0.5, 0.5]]
    )
    weight = torch.randn(6, 2 * 3 * 5)
    cells = field_cells(features, down, across, weight)
    fields = torch.einsum("bchw,ih,jw->bijc", features, down, across).flatten(1)
    torch.testing.assert_close(cells.sum((1, 2)), fields @ weight.T)
    only = torch.zeros_like(features)
    only[:, :, 2, 4] = features[:, :, 2, 4]
    alone = torch.einsum("bchw,ih,jw->bijc", only, down, across).flatten(1) @ weight.T
    torch.testing.assert_close(cells[:, 2, 4], alone)


def test_another_grid_keeps_the_sum(features: Tensor) -> None:
    cells = features.permute(0, 2, 3, 1)
    for rows, columns in ((4, 7), (2, 3), (9, 14)):
        moved = on_grid(cells, rows, columns)
        assert moved.shape == (3, rows, columns, 5)
        torch.testing.assert_close(moved.sum((1, 2)), cells.sum((1, 2)))
    torch.testing.assert_close(on_grid(cells, 4, 7), cells)
    torch.testing.assert_close(on_grid(cells, 2, 7), cells.unflatten(1, (2, 2)).sum(2))


def test_normalized_cells_sum_to_the_normalized_embedding(features: Tensor) -> None:
    cells = linear_cells(features, torch.randn(6, 5))
    embedding = cells.sum((1, 2))
    torch.testing.assert_close(normalized_cells(cells, embedding).sum((1, 2)), F.normalize(embedding, dim=1))
