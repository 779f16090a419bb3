from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mini_sets import CATEGORIES, write_categories, write_chairv2, write_pairs, write_quickdraw, write_sketchy
from sketchseek.datasets.image_folders import load_pairs
from sketchseek.datasets.sketchy import VARIANT
from sketchseek.encoder import Encoder
from sketchseek.errors import ConfigError, DatasetError, ModelPackageError
from sketchseek.evaluation.protocols import (
    Setting,
    evaluate_categories,
    evaluate_instance_level,
    evaluate_pairs,
    evaluate_qmul,
    evaluate_sketchy,
    evaluate_words,
    matching_words,
)
from sketchseek.evaluation.summary import instance_recall
from sketchseek.images import read_photo
from sketchseek.models.package import ModelPackage
from sketchseek.sketches import rasterize_sketch


class Reader:
    """An encoder that knows the answer: it reads which photo a picture is of off the first pixel of its file's name."""

    distance = "cosine"

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def read_photo(self, source: Any) -> np.ndarray:
        read_photo(source, 8)
        return self._mark(Path(source), Path(source).stem)

    def read_sketch(self, source: Any) -> np.ndarray:
        rasterize_sketch(source, 8)
        return self._mark(Path(source), Path(source).stem.rsplit("-", 1)[0])

    def _mark(self, path: Path, stem: str) -> np.ndarray:
        name = f"{path.parent.name}/{stem}" if path.parent.name in CATEGORIES else stem
        return np.array([self.names.index(name)], dtype=np.uint8)

    def encode_photo_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return np.asarray(np.eye(len(self.names), dtype=np.float32)[pixels[:, 0]])

    encode_sketch_pixels = encode_photo_pixels


@pytest.fixture
def encoder(tiny_model: ModelPackage) -> Encoder:
    return Encoder(tiny_model, threads=1)


@pytest.fixture
def sketchy(tmp_path: Path) -> Path:
    return write_sketchy(tmp_path / "sketchy")


SKETCHY_NAMES = [f"{category}/n0{i}_10{i}" for category in CATEGORIES for i in range(4)]


def test_sketchy_asks_with_every_sketch_of_the_listed_photos_only(sketchy: Path) -> None:
    result = evaluate_sketchy(sketchy, Reader(SKETCHY_NAMES))
    assert (result.report.queries, result.report.gallery) == (12, 6)
    assert result.report.metrics["recall@1"] == 1.0
    assert result.report.metrics["median_rank"] == 1.0
    assert {photo.key.split("/")[1] for photo in result.photos} == {"n00_100", "n01_101"}
    assert {sketch.photo for sketch in result.sketches} == {photo.key for photo in result.photos}


def test_the_right_category_is_not_the_right_photo(sketchy: Path) -> None:
    reader = Reader(SKETCHY_NAMES)
    swap = {0: 1, 1: 0}  # the first two photos of the first category are taken for each other

    def embed(pixels: np.ndarray) -> np.ndarray:
        return reader.encode_photo_pixels(np.vectorize(lambda i: swap.get(i, i))(pixels))

    reader.encode_sketch_pixels = embed  # type: ignore[method-assign]
    metrics = evaluate_sketchy(sketchy, reader).report.metrics
    assert metrics["recall@1"] == pytest.approx(8 / 12)
    assert metrics["category_P@1"] == 1.0


def test_sketchy_s_missing_photos_are_counted_and_their_sketches_left_out(sketchy: Path) -> None:
    (sketchy / f"256x256/photo/{VARIANT}/cat/n00_100.jpg").unlink()
    report = evaluate_sketchy(sketchy, Reader(SKETCHY_NAMES)).report
    assert (report.queries, report.gallery, report.missing, report.left_out) == (10, 5, ("cat/n00_100",), 2)
    assert "Missing photos, not in the gallery: 1 (sketches left out with them: 2). cat/n00_100" in " ".join(
        report.notes()
    )


def test_files_that_cannot_be_read_are_named_and_count_as_misses(sketchy: Path) -> None:
    (sketchy / f"256x256/photo/{VARIANT}/cat/n00_100.jpg").write_bytes(b"no picture")
    (sketchy / f"256x256/sketch/{VARIANT}/cat/n01_101-1.png").write_bytes(b"")
    report = evaluate_sketchy(sketchy, Reader(SKETCHY_NAMES)).report
    assert (report.queries, report.gallery) == (12, 5)
    assert report.metrics["recall@1"] == report.metrics["recall@10"] == pytest.approx(9 / 12)
    assert [problem.key for problem in report.problems] == ["cat/n00_100", "cat/n01_101-1"]
    assert "n00_100.jpg" in report.problems[0].reason


def test_sketchy_leaves_out_invalid_sketches_on_request(sketchy: Path) -> None:
    with pytest.raises(DatasetError, match=r"invalid-error\.txt"):
        evaluate_sketchy(sketchy, Reader(SKETCHY_NAMES), exclude=["error"])
    (sketchy / "info/invalid-error.txt").write_text("cat/n00_100-1\ncat/n03_103-1\n")
    report = evaluate_sketchy(sketchy, Reader(SKETCHY_NAMES), exclude=["error"]).report
    assert report.queries == 11
    assert report.to_dict()["excluded"] == {"lists": ["error"], "sketches": 1}


def test_pairs_find_their_photos(tmp_path: Path) -> None:
    result = evaluate_pairs(write_pairs(tmp_path), Reader([f"p{i}" for i in range(5)]))
    assert (result.report.queries, result.report.gallery, result.report.metrics["recall@1"]) == (10, 5, 1.0)
    assert "category_mAP" not in result.report.metrics


def test_embeddings_alone_give_the_protocol_s_figures(tmp_path: Path, encoder: Encoder) -> None:
    result = evaluate_pairs(write_pairs(tmp_path), encoder)
    metrics = instance_recall(result.queries.embeddings, result.gallery.embeddings, result.labels)
    assert metrics == result.report.metrics


def test_the_tiny_encoder_s_ranks_are_those_of_single_searches(tmp_path: Path, encoder: Encoder) -> None:
    root = write_pairs(tmp_path, photos=9)
    result = evaluate_pairs(root, encoder)
    photos = {p.key: encoder.encode_photo(p.path) for p in result.photos}
    for sketch, rank in zip(result.sketches, result.scores.rank, strict=True):
        query = encoder.encode_sketch(root / f"sketch/{sketch.key}.png")
        order = sorted(photos, key=lambda key: -float(query @ photos[key]))
        assert order.index(str(sketch.photo)) + 1 == rank


def test_chairv2_uses_its_own_split_and_its_literature_s_names(tmp_path: Path, encoder: Encoder) -> None:
    report = evaluate_qmul(write_chairv2(tmp_path), "chairv2", encoder).report
    assert (report.split, report.queries, report.gallery) == ("chairv2-own", 4, 2)
    assert report.metrics["acc@1"] == report.metrics["recall@1"]
    assert report.metrics["acc@10"] == 1.0


def test_categories_add_their_figures(tmp_path: Path, encoder: Encoder) -> None:
    report = evaluate_categories(write_categories(tmp_path), encoder).report
    assert (report.queries, report.gallery) == (6, 12)
    assert {"mAP", "mAP@200", "P@10", "P@100", "P@200", "recall@1"} <= set(report.metrics)
    assert report.metrics["P@100"] == pytest.approx(4 / 100)
    assert report.resampled == "queries"


def test_words_ask_only_with_words_that_name_a_category(tmp_path: Path, encoder: Encoder) -> None:
    write_quickdraw(tmp_path / "sketches", count=20)
    write_categories(tmp_path / "photos")
    (tmp_path / "sketches/simplified/The Sun.ndjson").write_text("broken, but never read")
    result = evaluate_words(tmp_path / "sketches", tmp_path / "photos/photo", encoder, split="all")
    assert result.report.to_dict()["words"] == {"cat": "cat", "hot air balloon": "hot-air_balloon"}
    assert (result.report.queries, result.report.gallery) == (40, 12)
    assert {d.category for d in result.sketches} == {"cat", "hot-air_balloon"}
    tested = evaluate_words(tmp_path / "sketches", tmp_path / "photos/photo", encoder).report
    assert 0 < tested.queries < 40
    assert tested.split_sha256 != result.report.split_sha256
    with pytest.raises(ConfigError, match="no split 'train'"):
        evaluate_words(tmp_path / "sketches", tmp_path / "photos/photo", encoder, split="train")


def test_words_match_however_they_are_written() -> None:
    words = ["airplane", "cell phone", "scissors", "t-shirt", "sun", "binoculars"]
    kinds = ["airplanes", "cellphone", "scissors", "sunflower", "binocular"]
    assert matching_words(words, kinds) == {
        "airplane": "airplanes",
        "cell phone": "cellphone",
        "scissors": "scissors",
        "binoculars": "binocular",
    }


def test_no_common_word_is_an_error(tmp_path: Path, encoder: Encoder) -> None:
    write_quickdraw(tmp_path / "sketches", words=("The Sun",))
    write_categories(tmp_path / "photos")
    with pytest.raises(DatasetError, match="none of its 1 words"):
        evaluate_words(tmp_path / "sketches", tmp_path / "photos/photo", encoder)


def test_a_gallery_of_which_nothing_can_be_read_is_an_error(tmp_path: Path, encoder: Encoder) -> None:
    write_pairs(tmp_path, photos=1)
    (tmp_path / "photo/p0.jpg").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"none of its 1 photos can be read.*p0\.jpg"):
        evaluate_pairs(tmp_path, encoder)


def test_sketches_of_which_none_can_be_read_find_nothing(tmp_path: Path, encoder: Encoder) -> None:
    write_pairs(tmp_path, photos=2, sketches=1)
    for file in (tmp_path / "sketch").iterdir():
        file.write_bytes(b"no picture")
    report = evaluate_pairs(tmp_path, encoder).report
    assert (report.queries, report.metrics["recall@10"], report.metrics["median_rank"]) == (2, 0.0, 3.0)


def test_no_sketches_are_an_error(tmp_path: Path, encoder: Encoder) -> None:
    whole = load_pairs(write_pairs(tmp_path))
    with pytest.raises(DatasetError, match="no sketches for queries"):
        evaluate_instance_level(dataclasses.replace(whole, sketches=()), encoder, Setting("pairs", "all", ""))


def test_embeddings_that_are_not_numbers_are_the_model_s_error(tmp_path: Path) -> None:
    reader = Reader([f"p{i}" for i in range(5)])
    reader.encode_sketch_pixels = lambda pixels: np.full((len(pixels), 5), np.nan, dtype=np.float32)  # type: ignore[method-assign]
    with pytest.raises(ModelPackageError, match="not finite"):
        evaluate_pairs(write_pairs(tmp_path), reader)


def test_progress_is_told_for_both_sides(tmp_path: Path, encoder: Encoder) -> None:
    told: list[tuple[str, int, int]] = []
    evaluate_pairs(write_pairs(tmp_path, photos=40, sketches=1), encoder, progress=lambda *step: told.append(step))
    assert told == [("photos", 32, 40), ("photos", 40, 40), ("sketches", 32, 40), ("sketches", 40, 40)]


def test_reports_have_fixed_names_and_finite_numbers(sketchy: Path, encoder: Encoder) -> None:
    report = evaluate_sketchy(sketchy, encoder).report
    data = json.loads(report.to_json())
    assert data["protocol"] == "sketchy"
    assert data["fingerprint"] == encoder.manifest.fingerprint
    assert {"queries", "gallery", "recall@1", "recall@5", "recall@10", "interval", "model", "split_sha256"} <= set(data)
    for name, (low, high) in data["interval"].items():
        assert low - 1e-9 <= data[name] <= high + 1e-9


@pytest.mark.real_data
def test_sketchy_s_real_test_part(real_data: Path, encoder: Encoder) -> None:
    # The encoder that is tested here knows nothing: only the counts are of interest, and that every file is readable.
    class Blind(Reader):
        def read_photo(self, source: Any) -> np.ndarray:
            return np.zeros(1, dtype=np.uint8)

        read_sketch = read_photo

    report = evaluate_sketchy(real_data / "sketchy", Blind(["x"])).report
    assert (report.queries, report.gallery, report.missing, report.left_out) == (848, 1225, (), 0)
    assert (report.metrics["recall@10"], report.metrics["median_rank"]) == (0.0, 1225.0)
