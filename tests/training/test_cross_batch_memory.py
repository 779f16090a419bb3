from __future__ import annotations

import numpy as np
import torch

from sketchseek.training.cross_batch_memory import CrossBatchMemory


def rows(*values: int) -> torch.Tensor:
    return torch.tensor([[float(value)] * 2 for value in values])


def test_the_latest_photos_are_remembered_and_the_oldest_forgotten() -> None:
    memory = CrossBatchMemory(3, 2)
    embeddings, photos = memory.others(np.array([7]))
    assert embeddings.shape == (0, 2)
    assert len(photos) == 0
    memory.remember(rows(1, 2).requires_grad_(), np.array([1, 2]))
    memory.remember(rows(3, 4), np.array([3, 4]))
    embeddings, photos = memory.others(np.array([], dtype=np.int64))
    assert dict(zip(photos.tolist(), embeddings[:, 0].tolist(), strict=True)) == {2: 2.0, 3: 3.0, 4: 4.0}
    assert not embeddings.requires_grad


def test_a_batchs_own_photos_are_left_out() -> None:
    memory = CrossBatchMemory(4, 2)
    memory.remember(rows(1, 2, 3), np.array([1, 2, 3]))
    assert memory.others(np.array([2, 9]))[1].tolist() == [1, 3]


def test_a_batch_larger_than_the_memory_leaves_its_end() -> None:
    memory = CrossBatchMemory(2, 2)
    memory.remember(rows(1, 2, 3, 4, 5), np.array([1, 2, 3, 4, 5]))
    assert sorted(memory.others(np.array([0]))[1].tolist()) == [4, 5]


def test_its_state_is_kept_and_restored() -> None:
    memory, again = CrossBatchMemory(3, 2), CrossBatchMemory(3, 2)
    memory.remember(rows(1, 2), np.array([1, 2]))
    again.load_state_dict(memory.state_dict())
    for each in (memory, again):
        each.remember(rows(5, 6), np.array([5, 6]))
    assert torch.equal(again.others(np.array([0]))[0], memory.others(np.array([0]))[0])
    assert again.others(np.array([0]))[1].tolist() == memory.others(np.array([0]))[1].tolist() == [6, 2, 5]
