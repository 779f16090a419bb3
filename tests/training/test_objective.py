from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from shapes_dataset import write_shapes
from sketchseek.errors import ConfigError
from sketchseek.training import pixel_cache
from sketchseek.training.config import parse_config
from sketchseek.training.data import TrainingSet, load_sources, read_pixels
from sketchseek.training.losses import RelativeTripletLoss
from sketchseek.training.objective import Objective
from sketchseek.training.pixel_rows import PixelRows
from sketchseek.training.run_folder import build_model
from tiny_model import write_tiny_package

SIDE = {"backbone": "shufflenet_v2_x0_5", "size": 32, "frozen": 4}
SETTINGS: dict[str, Any] = {
    "name": "shapes",
    "sketch": SIDE,
    "photo": SIDE,
    "embedding": 8,
    "sources": [{"kind": "sketchy", "path": "."}],
    "batch": {"categories": 2, "photos": 3, "sketches": 2},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    root = write_shapes(tmp_path_factory.mktemp("shapes"))
    config = parse_config(SETTINGS)
    return read_pixels(load_sources(config.sources, root, 0.0, 0).training, 32, 32, None)


def objective(data: TrainingSet, change: dict[str, Any], **options: Any) -> Objective:
    config = parse_config(SETTINGS | change)
    return Objective(config, build_model(config).eval(), data, None, None, lambda *_: None, **options)


def test_batches_that_are_prepared_ahead_are_the_same(data: TrainingSet) -> None:
    change = {"augment": {"flip": 0.5, "rotate": 20, "crop": 0.3, "color": 0.3}}
    at_once, ahead = objective(data, change), objective(data, change, ahead=2)
    for number in (0, 2, 4, 1):
        assert torch.equal(at_once.loss(number), ahead.loss(number))


def test_pixels_that_are_kept_on_the_device_give_the_same_batches(data: TrainingSet) -> None:
    change = {"augment": {"flip": 0.5, "rotate": 20, "crop": 0.3}}
    usual, resident = objective(data, change), objective(data, change)
    room = data.photo_pixels.nbytes
    kept = []
    for more in (0, 10**9):  # photos alone, then sketches, too
        resident._batches._keep_on_device(room + more)
        kept.append([inputs._bank is not None for inputs in (resident._batches.photos, resident._batches.sketches)])
    assert kept == [[True, False], [True, True]]
    for number in (0, 1):
        assert torch.equal(usual.loss(number), resident.loss(number))
    fixed = objective(data, {})._batches.photos  # photos that do not change: the output of frozen stages is enough
    assert fixed._features is not None
    assert fixed.nbytes == fixed._features.nbytes
    fixed.keep_on(torch.device("cpu"))
    assert fixed._bank is None


def test_pixels_in_files_give_the_same_batches(
    data: TrainingSet, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_cache, "IN_MEMORY", 0)
    root = data.photos[0].path.parents[4]
    config = parse_config(SETTINGS)
    folder = tmp_path_factory.mktemp("cache")
    mapped = read_pixels(load_sources(config.sources, root, 0.0, 0).training, 32, 32, folder)
    assert isinstance(mapped.photo_pixels, PixelRows)
    for change in ({"augment": {"flip": 0.5, "rotate": 20}}, {}):
        in_memory, in_files = objective(data, change), objective(mapped, change)
        in_files._batches._keep_on_device(mapped.photo_pixels.nbytes)
        for number in (0, 1):
            assert torch.equal(in_memory.loss(number), in_files.loss(number))


def test_a_batch_has_one_loss_whatever_was_asked_before(data: TrainingSet) -> None:
    change = {"augment": {"flip": 0.5, "rotate": 20, "thickness": 0.5}}
    first, second = objective(data, change), objective(data, change)
    values = [first.loss(number) for number in (0, 1, 2)]
    assert second.loss(2) == values[2]
    assert len({float(value.detach()) for value in values}) == 3


def test_terms_add_up_by_their_weights(data: TrainingSet) -> None:
    terms = [{"name": "triplet"}, {"name": "sup_con", "pairs": "category"}]
    alone = [objective(data, {"losses": [term]}).loss(3) for term in terms]
    both = objective(data, {"losses": [terms[0] | {"weight": 2.0}, terms[1]]}).loss(3)
    torch.testing.assert_close(both, 2 * alone[0] + alone[1])


@pytest.mark.parametrize("compare", ["anchors", "positives"])
def test_a_teacher_weighs_triplets(
    data: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compare: str
) -> None:
    """Its embeddings are of the sketches and photos of the batch, in their order, and have no other say."""
    seen: list[dict[str, Any]] = []
    forward = RelativeTripletLoss.forward

    def watched(self: Any, embeddings: Any, labels: Any, **given: Any) -> Any:
        seen.append(given | {"labels": labels})
        return forward(self, embeddings, labels, **given)

    monkeypatch.setattr(RelativeTripletLoss, "forward", watched)
    teacher = write_tiny_package(tmp_path / "teacher")
    terms = {"losses": [{"name": "relative_triplet", "options": {"teacher": True, "compare": compare}}]}
    taught = objective(data, terms | {"distil": {"teachers": [str(teacher.path)]}})
    loss = taught.loss(0)
    (given,) = seen
    assert len(given["teacher_ref_emb"]) == len(given["ref_labels"])
    assert (len(given.get("teacher_emb", ())) == len(given["labels"])) == (compare == "anchors")
    plain = objective(data, {"losses": [{"name": "relative_triplet", "options": {"compare": compare}}]}).loss(0)
    assert loss != plain
    again = taught._distiller.photo_embeddings(given["ref_labels"].numpy())  # type: ignore[union-attr]
    torch.testing.assert_close(given["teacher_ref_emb"], again)


def test_a_missing_teacher_is_named(data: TrainingSet) -> None:
    with pytest.raises(ConfigError, match="teacher"):
        objective(data, {"losses": [{"name": "relative_triplet", "options": {"teacher": True}}]})


def test_a_miner_chooses_the_triplets(data: TrainingSet) -> None:
    """The hardest ones that a miner finds are those of the loss's own option."""
    term: dict[str, Any] = {"name": "triplet", "options": {"margin": 5.0}}
    hardest = {"name": "triplet", "options": {"margin": 5.0, "negatives": "hard"}}
    plain, mined, hard = (
        objective(data, {"losses": [each]}).loss(0) for each in (term, term | {"miner": "batch_hard"}, hardest)
    )
    assert mined > plain
    torch.testing.assert_close(mined, hard)
    with pytest.raises(ConfigError, match="There is no miner 'gold'"):
        objective(data, {"losses": [{"name": "triplet", "miner": "gold"}]})
    with pytest.raises(ConfigError, match="miner pair_margin"):
        objective(data, {"losses": [{"name": "triplet", "miner": "pair_margin", "miner_options": {"depth": 3}}]})


def test_augmented_photos_are_seen_by_the_whole_branch(data: TrainingSet) -> None:
    """Also where stages are frozen, whose output is otherwise computed once; batch and seed alone decide."""
    change = {"augment": {"crop": 0.3, "color": 0.4, "gray": 0.2, "blur": 0.2}}
    first, second = objective(data, change), objective(data, change)
    assert first.loss(3) == second.loss(3)
    assert first.loss(3) != objective(data, {}).loss(3)
    assert first._batches.photos._features is None
    assert first._batches.sketches._features is not None
