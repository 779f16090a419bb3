"""A model package with a text encoder: words are searched by embedding beside their search in names."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from sketchseek.encoder import Encoder
from sketchseek.errors import MissingExtraError, ModelPackageError
from sketchseek.file_digest import file_digest
from sketchseek.models.package import ModelPackage, TextBranch, load_model_package, write_manifest
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library import Library
from tiny_model import EMBEDDING, write_tiny_package

tokenizers = pytest.importorskip("tokenizers")

WORDS = ["[PAD]", "[UNK]", "red", "blue"]
LENGTH = 6
SKETCH = [[[0, 9], [0, 9]]]


def write_text_encoder(package: ModelPackage, vectors: np.ndarray) -> ModelPackage:
    """Add a text encoder that gives the normalized mean of the vectors, (words, d), of its tokens."""
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = tokenizers.Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    tokenizer.save(str(package.path / "tokenizer.json"))
    nodes = [
        helper.make_node("Gather", ["vectors", "tokens"], ["each"], axis=0),
        helper.make_node("Cast", ["mask"], ["counted"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["counted", "two"], ["weights"]),
        helper.make_node("Mul", ["each", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "one"], ["sum"], keepdims=0),
        helper.make_node("LpNormalization", ["sum"], ["embedding"], axis=1, p=2),
    ]
    shape = ["batch", LENGTH]
    graph = helper.make_graph(
        nodes,
        "text",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("tokens", "mask")],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", EMBEDDING])],
        [
            numpy_helper.from_array(vectors.astype(np.float32), "vectors"),
            numpy_helper.from_array(np.array([2], np.int64), "two"),
            numpy_helper.from_array(np.array([1], np.int64), "one"),
        ],
    )
    file = package.path / "text.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(file))
    text = TextBranch(
        "text.onnx", file_digest(file), "tokenizer.json", file_digest(package.path / "tokenizer.json"), LENGTH
    )
    return write_manifest(package.path, dataclasses.replace(package.manifest, text=text))


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    """A package whose words "red" and "blue" lie at the embeddings of two pictures."""
    plain = write_tiny_package(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate(("a", "b", "c")):
        cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(cells).resize((32, 32), Image.Resampling.NEAREST).save(tmp_path / f"photos/{name}.png")
    encoder = Encoder(plain)
    known = encoder.encode_photos([tmp_path / "photos/a.png", tmp_path / "photos/b.png"])
    return write_text_encoder(plain, np.concatenate([np.ones((2, EMBEDDING)), known]))


def test_texts_are_encoded_as_the_graph_says(package: ModelPackage, tmp_path: Path) -> None:
    encoder = Encoder(load_model_package(package.path))
    encoder.package.verify()
    assert encoder.reads_text
    photos = encoder.encode_photos([tmp_path / "photos/a.png", tmp_path / "photos/b.png"])
    found = encoder.encode_texts(["red", "blue", "red blue", "red red red red red red blue blue"])
    np.testing.assert_allclose(found[:2], photos, atol=1e-5)
    both = photos.sum(axis=0) / np.linalg.norm(photos.sum(axis=0))
    np.testing.assert_allclose(found[2], both, atol=1e-5)
    np.testing.assert_allclose(found[3], photos[0], atol=1e-5)  # cut to its length
    assert encoder.encode_texts([]).shape == (0, EMBEDDING)
    assert package.manifest.fingerprint == write_tiny_package(tmp_path / "again").manifest.fingerprint


def test_words_that_no_name_has_find_photos(package: ModelPackage, tmp_path: Path) -> None:
    with Library.create(tmp_path / "library", package.path) as library:
        library.add([tmp_path / "photos"])
        assert next(one.path.stem for one in library.search_query(Query(text="red"))) == "a"
        assert next(one.path.stem for one in library.search_query(Query(text="blue"))) == "b"
        assert library.count_query(Query(text="red")) == 3
        assert library.search_query(Query(text="blue", text_mode="require")) == []
        added = library.search_query(Query((Example(sketch=SKETCH),), text="blue", text_weight=2))
        mean = library.encoder.encode_sketch(SKETCH) + 2 * library.encoder.encode_texts(["blue"])[0]
        assert [one.id for one in added] == [one.id for one in library.search_embedding(mean)]
        explained = library.explain(1, Query((Example(sketch=SKETCH),), text="blue"))
        assert len(explained.examples) == 1


def test_what_cannot_be_used(package: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelPackageError, match="no text encoder"):
        Encoder(write_tiny_package(tmp_path / "plain")).encode_texts(["red"])
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match="tokenizers") as caught:
        Encoder(package).encode_texts(["red"])
    assert "sketchseek[text]" in caught.value.remedy
    monkeypatch.undo()
    (package.path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelPackageError, match="SHA-256 differs"):
        Encoder(package).encode_texts(["red"])
    with pytest.raises(ModelPackageError, match="SHA-256 differs"):
        package.verify()
