from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sketchseek.training.branch_inputs import BranchInputs
from sketchseek.training.nn.model import BranchConfig, BranchEncoder


def encoder(frozen: int, seed: int = 0) -> BranchEncoder:
    torch.manual_seed(seed)
    return BranchEncoder(BranchConfig("shufflenet_v2_x0_5", 32, frozen=frozen), 8, "batch").eval()


def pictures(color: bool) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (6, 32, 32, 3) if color else (6, 32, 32)).astype(np.uint8)


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("frozen", [0, 2, 5, 6])
def test_it_embeds_as_the_whole_encoder_does(tmp_path: Path, color: bool, frozen: int) -> None:
    model, pixels = encoder(frozen), pictures(color)
    places, mirrored = torch.tensor([5, 0, 0]), torch.tensor([False, True, False])
    params = pixels[[5, 0, 0]]
    params[1] = params[1, :, ::-1]
    for _ in range(2):  # computed, then from the cache
        side = BranchInputs(model, pixels, cache=tmp_path)
        with torch.no_grad():
            got = side.embed(model, places, mirrored)
            torch.testing.assert_close(got, model(torch.from_numpy(params)), atol=5e-3, rtol=1e-3)
            np.testing.assert_allclose(side.embed_all(model, 4), model(torch.from_numpy(pixels)), atol=5e-3)
    assert len(list(tmp_path.iterdir())) == (2 if frozen else 0)  # pictures, and their mirror images


def test_frozen_stages_run_once_for_each_picture(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []

    def progress(what: str, done: int, total: int) -> None:
        seen.append((what, done, total))

    model, pixels = encoder(2), pictures(color=False)
    for _ in range(2):
        BranchInputs(model, pixels, cache=tmp_path, mirrored=False, progress=progress)
    assert seen == [("frozen stages", 6, 6)]
    BranchInputs(model, pixels, cache=tmp_path, progress=progress)  # mirror images, too
    more = np.concatenate([255 - pixels[:2], pixels[::-1], pixels[:1]])
    side = BranchInputs(model, more, cache=tmp_path, mirrored=False, progress=progress)  # two new ones
    BranchInputs(encoder(2, seed=1), pixels, cache=tmp_path, mirrored=False, progress=progress)  # other weights
    assert [row[1:] for row in seen[1:]] == [(6, 6), (2, 2), (6, 6)]
    with torch.no_grad():
        np.testing.assert_allclose(side.embed_all(model), model(torch.from_numpy(more)), atol=5e-3)


def test_pictures_that_change_are_embedded_from_their_pixels(tmp_path: Path) -> None:
    model, pixels = encoder(2), pictures(color=False)
    side = BranchInputs(model, pixels, cache=tmp_path, fixed=False)
    places, mirrored = torch.tensor([3, 1]), torch.tensor([True, False])
    np.testing.assert_array_equal(side.pixels(places, mirrored), np.stack([pixels[3, :, ::-1], pixels[1]]))
    with torch.no_grad():
        torch.testing.assert_close(side.embed(model, places, mirrored), model(side.pixels(places, mirrored)))
    assert not list(tmp_path.iterdir())


def test_gradients_reach_what_is_not_frozen() -> None:
    model = encoder(2).train()
    side = BranchInputs(model, pictures(color=True))
    assert model.training  # it is left as it was
    side.embed(model, torch.arange(4), torch.zeros(4, dtype=torch.bool)).square().sum().backward()
    assert model.head.linear.weight.grad is not None
    assert all(p.grad is None for p in model.backbone.stages[:2].parameters())


def test_a_damaged_cache_is_computed_again(tmp_path: Path) -> None:
    model, pixels = encoder(2), pictures(color=False)
    first = BranchInputs(model, pixels, cache=tmp_path).embed_all(model, 4)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    np.testing.assert_array_equal(BranchInputs(model, pixels, cache=tmp_path).embed_all(model, 4), first)
