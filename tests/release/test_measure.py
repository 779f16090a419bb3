"""What is measured of a model for its card: storage forms, cost, pictures of failures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from mini_sets import write_categories, write_chairv2, write_quickdraw
from shapes_dataset import write_shapes
from sketchseek.encoder import Encoder
from sketchseek.evaluation.protocols import evaluate_sketchy, evaluate_words
from sketchseek.models.package import ModelPackage
from sketchseek.release import failures
from sketchseek.release.cost import cost, multiplications
from sketchseek.release.failures import hardest_words, picture_failures
from sketchseek.release.measure import photo_to_photo, valid_sketches


def test_multiplications_of_a_convolution_and_a_linear_layer(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("MatMul", ["f", "weight"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.zeros((4, 3, 3, 3), np.float32), "kernel"),
        numpy_helper.from_array(np.zeros((144, 5), np.float32), "weight"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        weights,
    )
    onnx.save(helper.make_model(graph), str(tmp_path / "g.onnx"))
    assert multiplications(tmp_path / "g.onnx") == 4 * 3 * 3 * 3 * 6 * 6 + 144 * 5


def test_cost_compares_with_bare_onnxruntime(tiny_model: ModelPackage, tmp_path: Path) -> None:
    write_chairv2(tmp_path / "chairv2")
    found = cost(Encoder(tiny_model), tmp_path, repeats=3)
    assert set(found) == {"photo", "sketch"}
    for branch in found.values():
        assert branch["milliseconds"] > 0
        assert branch["ratio_to_bare_onnxruntime"] > 0
        assert branch["bytes"] > 0


def test_the_picture_of_failures_shows_the_hardest_words(
    tiny_model: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "FIRST", 1)  # so that a gallery of twelve photos has failures
    write_quickdraw(tmp_path / "quickdraw", count=20)
    write_categories(tmp_path / "photos")
    encoder = Encoder(tiny_model)
    gallery = evaluate_words(tmp_path / "quickdraw", tmp_path / "photos/photo", encoder, split="all")
    hardest = hardest_words(gallery, 2)
    assert [found for _, found, _ in hardest] == sorted(found for _, found, _ in hardest)
    for word, found, missed in hardest:
        ranks = [gallery.scores.rank[q] for q in gallery.queries.read if gallery.sketches[int(q)].category == word]
        assert found == pytest.approx(np.mean(np.array(ranks) <= 1))
        assert len(missed) == sum(rank > 1 for rank in ranks)
    picture_failures(encoder, gallery, tmp_path / "out/failures.png", count=2)
    with Image.open(tmp_path / "out/failures.png") as image:
        assert image.width == 840


def test_without_failures_there_is_no_picture(tiny_model: ModelPackage, tmp_path: Path) -> None:
    write_quickdraw(tmp_path / "quickdraw", count=4)
    write_categories(tmp_path / "photos")
    encoder = Encoder(tiny_model)
    gallery = evaluate_words(tmp_path / "quickdraw", tmp_path / "photos/photo", encoder, split="all")
    gallery.scores.rank[:] = 1
    picture_failures(encoder, gallery, tmp_path / "failures.png")
    assert not (tmp_path / "failures.png").exists()


def test_photo_to_photo_and_valid_sketches_agree_with_loops(tiny_model: ModelPackage, tmp_path: Path) -> None:
    root = write_shapes(tmp_path / "shapes", photos=6, tests=4)
    evaluation = evaluate_sketchy(root, Encoder(tiny_model))
    photos, embeddings = evaluation.photos, evaluation.gallery.embeddings
    hits = []
    for i, photo in enumerate(photos):
        others = [(float(embeddings[i] @ embeddings[j]), j) for j in range(len(photos)) if j != i]
        hits.append(photos[max(others)[1]].category == photo.category)
    assert photo_to_photo(evaluation)["photo_category_P@1"] == pytest.approx(np.mean(hits))

    invalid = {"p2-1", "disc/p3-2"}  # the release names sketches without their category
    ranks = []
    for number, sketch in enumerate(evaluation.sketches):
        if sketch.key.rpartition("/")[2] not in {"p2-1", "p3-2"}:
            scores = embeddings @ evaluation.queries.embeddings[number]
            ranks.append(1 + int((scores > scores[evaluation.labels[number]]).sum()))
    found = valid_sketches(evaluation, invalid)
    assert found["valid_queries"] == len(ranks) == len(evaluation.sketches) - 8
    assert found["valid_recall@1"] == pytest.approx(np.mean(np.array(ranks) == 1))
    assert found["valid_recall@10"] == pytest.approx(np.mean(np.array(ranks) <= 10))
