from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mini_sets import write_photo, write_sketch, write_tuberlin
from sketchseek.datasets.sketchy import VARIANT
from sketchseek.encoder import Encoder
from sketchseek.errors import ConfigError
from sketchseek.evaluation.zero_shot import evaluate_sketchy_zero_shot, evaluate_tuberlin
from sketchseek.models.package import ModelPackage

pytestmark = pytest.mark.slow


@pytest.fixture
def encoder(tiny_model: ModelPackage) -> Encoder:
    return Encoder(tiny_model, threads=1)


def test_sketchy_asks_with_unseen_categories_alone(tmp_path: Path, encoder: Encoder) -> None:
    for category in ("bat", "cow", "zebra"):
        for i in range(3):
            write_photo(tmp_path / f"256x256/photo/{VARIANT}/{category}/n{i}.jpg", f"{category}{i}")
            write_sketch(tmp_path / f"256x256/sketch/{VARIANT}/{category}/n{i}-1.png", f"{category}{i}")
    for category in ("bat", "zebra"):
        write_photo(tmp_path / f"further/{category}/n0.jpg", category)
    result = evaluate_sketchy_zero_shot(tmp_path, encoder)
    assert (result.report.queries, result.report.gallery, result.report.split) == (6, 6, "sketchy-104-21")
    data = result.report.to_dict()
    assert data["unseen"] == ["bat", "cow"]
    assert len(data["absent_categories"]) == 19
    assert {"mAP", "mAP@200", "P@100", "P@200"} <= set(data)
    assert any("Zero-shot only if" in note for note in result.report.notes())
    further = evaluate_sketchy_zero_shot(tmp_path, encoder, photos=tmp_path / "further")
    assert further.report.gallery == 7
    assert further.report.split_sha256 == result.report.split_sha256
    # P@k from first principles, for every query.
    order = np.argsort(-(further.queries.embeddings @ further.gallery.embeddings.T), axis=1)
    right = further.photo_labels[order] == further.labels[:, None]
    assert data["P@100"] == pytest.approx(3 / 100)
    assert further.report.metrics["P@10"] == pytest.approx(right[:, :10].sum(axis=1).mean() / 10)


def test_tuberlin_s_published_and_drawn_splits(tmp_path: Path, encoder: Encoder) -> None:
    categories = ("ant", "windmill", *(f"thing {i}" for i in range(31)))
    write_tuberlin(tmp_path, categories=categories, each=1)
    for category in categories:
        write_photo(tmp_path / f"photos/{category}/1.jpg", category)
    published = evaluate_tuberlin(tmp_path, tmp_path / "photos", encoder).report
    assert (published.queries, published.gallery, published.to_dict()["unseen"]) == (2, 2, ["ant", "windmill"])
    drawn = evaluate_tuberlin(tmp_path, tmp_path / "photos", encoder, seed=1).report
    assert (drawn.queries, drawn.split) == (30, "tuberlin-220-30-seed1")
    whole = evaluate_tuberlin(tmp_path, tmp_path / "photos", encoder, zero_shot=False).report
    assert (whole.queries, whole.gallery, whole.split) == (33, 33, "all")
    with pytest.raises(ConfigError, match="seed only applies to the zero-shot split"):
        evaluate_tuberlin(tmp_path, tmp_path / "photos", encoder, zero_shot=False, seed=1)
