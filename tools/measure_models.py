"""Measure models and store the metrics that docs/models.md, docs/results.md and the cards are made of.

python tools/measure_models.py DATA [MODEL…]

DATA is a folder as tools/link_data.py makes it; MODEL is a bundled model's name or a package's folder.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from failures import picture_failures
from sketchseek.datasets.chairv2 import load_chairv2
from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_split
from sketchseek.encoder import Encoder
from sketchseek.evaluation.corruptions import CORRUPTIONS, CorruptedSketches
from sketchseek.evaluation.encode_dataset import encode_sketch_set
from sketchseek.evaluation.match_threshold import match_threshold, worth_saying
from sketchseek.evaluation.protocols import (
    Evaluation,
    evaluate_qmul,
    evaluate_sketchy,
    evaluate_words,
)
from sketchseek.evaluation.summary import exact_recall
from sketchseek.models.package import Manifest, ModelPackage, bundled_models, load_model_package, write_manifest

DOCS = Path(__file__).parents[1] / "docs"
MEASURED = DOCS / "measured"
PREFIXES = (128, 64)
WRONGLY = (0.05, 0.04, 0.03, 0.02, 0.01)
"""Shares of the sketches that find their thing and may be told all the same that nothing fits well."""
say = Console(stderr=True).print


def main() -> None:
    """Measure each model by every protocol."""
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_dir():
        raise SystemExit(__doc__)
    data = Path(sys.argv[1])
    for name in sys.argv[2:] or bundled_models():
        measure(load_model_package(name), data)


def measure(package: ModelPackage, data: Path) -> None:
    """Measure one model; what is stored for it is replaced."""
    name = package.manifest.name
    encoder = Encoder(package)
    _store(f"cost-{name}", cost(package, data))
    sketchy = evaluate_sketchy(data / "sketchy", encoder)
    _store(f"storage-{name}", storage(sketchy))
    evaluations = {
        "sketchy": sketchy,
        "chairv2": evaluate_qmul(data / "chairv2", "chairv2", encoder),
        "caltech": evaluate_words(data / "quickdraw", data / "caltech101", encoder),
        "gallery": evaluate_words(data / "quickdraw", data / "emoji", encoder),
    }
    for protocol, evaluation in evaluations.items():
        evaluation.report.write(MEASURED / f"{protocol}-{name}.json")
    if name in bundled_models():
        picture_failures(encoder, evaluations["gallery"], DOCS / f"failures-{name}.png")
    say(f"{name}: sketchy recall@1 {sketchy.report.metrics['recall@1']:.4f}")
    write_manifest(package.path, with_fit(package, [evaluations["caltech"], evaluations["gallery"]], data))
    _store(f"robust-{name}", robustness(package, data, evaluations["chairv2"]))


def with_fit(package: ModelPackage, shelves: list[Evaluation], data: Path) -> Manifest:
    """The manifest with the score from which on a result fits: the lower one of what photos and emoji say, at the
    largest share of wrong refusals at which the line is worth saying, if there is one.

    Their pictures are asked by the training part of Quick, Draw!; no figure that is reported depends on it.
    """
    encoder = Encoder(package)
    asked_of = []
    for shelf in shelves:
        words: dict[str, str] = dict(shelf.report.details["words"])
        drawn = load_quickdraw(data / "quickdraw", words=words)
        training = set(quickdraw_split(drawn).train_sketch_keys)
        sketches = [sketch for sketch in drawn.sketches if sketch.key in training]
        queries = encode_sketch_set(encoder, sketches)
        number = {name: i for i, name in enumerate(sorted({photo.category for photo in shelf.photos}))}
        asked = np.array([number[words[sketches[i].category]] for i in queries.read])
        shown = np.array([number[photo.category] for photo in shelf.photos])
        asked_of.append((queries.vectors, shelf.shelved.vectors, asked, shown, shelf.distance))
    said = None
    for share in WRONGLY:
        lowest = min(match_threshold(*arguments, wrongly=share) for arguments in asked_of)
        say(f"{package.manifest.name}: wrong refusals {share:.0%}: fit, and how often it is right, {lowest}")
        said = worth_saying(*lowest)
        if said is not None:
            break
    scores = {name: value for name, value in package.manifest.scores.items() if name != "fit"}
    if said is not None:
        scores["fit"] = said
    return dataclasses.replace(package.manifest, scores=scores)


def robustness(package: ModelPackage, data: Path, plain: Evaluation) -> dict[str, Any]:
    """Recall of ChairV2's test sketches, whose strokes are known, drawn anew in every manner."""
    table = {"as drawn": _recall(plain)}
    for how in CORRUPTIONS:
        table[how] = _recall(evaluate_qmul(data / "chairv2", "chairv2", CorruptedSketches(package, how)))
        say(f"{package.manifest.name}: {how} {table[how]}")
    return table


def storage(evaluation: Evaluation) -> dict[str, Any]:
    """Recall at 1 and 10 with embeddings stored otherwise: in half precision, in eight bits, and cut short."""
    sketches, photos = evaluation.drawn.vectors, evaluation.shelved.vectors
    params = evaluation.labels[evaluation.drawn.read]
    kept = params >= 0
    sketches, params = sketches[kept], params[kept]
    scale = np.abs(photos).max(axis=1, keepdims=True) / 127
    stored = {
        "fp32": (sketches, photos),
        "fp16": (sketches, photos.astype(np.float16).astype(np.float32)),
        "int8": (sketches, np.round(photos / scale) * scale),
        **{f"first {length}": (sketches[:, :length], photos[:, :length]) for length in PREFIXES},
    }
    return {
        name: {k: exact_recall(_unit(a), _unit(b), params)[k] for k in ("recall@1", "recall@10")}
        for name, (a, b) in stored.items()
    }


def cost(package: ModelPackage, data: Path, repeats: int = 60) -> dict[str, Any]:
    """Parameters, multiplications, bytes, and milliseconds on one core, beside bare onnxruntime on the same graph."""
    import onnxruntime

    encoder = Encoder(package, threads=1)
    chairs = load_chairv2(data / "chairv2")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sides: dict[str, Any] = {}
    for side, source, read, embed in (
        ("photo", chairs.photos[0].path, encoder.read_photo, encoder.encode_photo),
        ("sketch", chairs.sketches[0].source, encoder.read_sketch, encoder.encode_sketch),
    ):
        file = package.file("photo" if side == "photo" else "sketch")
        bare = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        pixels = read(source)[None]  # type: ignore[operator]
        calls = {
            "milliseconds": lambda embed=embed, source=source: embed(source),
            "bare": lambda bare=bare, pixels=pixels: bare.run(None, {"pixels": pixels}),
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(repeats):  # by turns, so that whatever else the machine does meets both
            for name, call in calls.items():
                started = time.perf_counter()
                call()
                times[name].append(1000 * (time.perf_counter() - started))
        milliseconds, alone = (float(np.median(times[name])) for name in ("milliseconds", "bare"))
        manifest = package.manifest.photo if side == "photo" else package.manifest.sketch
        sides[side] = {
            "backbone": manifest.backbone,
            "size": manifest.size,
            "parameters": manifest.parameters,
            "multiplications": multiplications(file),
            "bytes": file.stat().st_size,
            "milliseconds": round(milliseconds, 2),
            "ratio_to_bare_onnxruntime": round(milliseconds / alone, 2),
        }
    return sides


def multiplications(file: Path) -> int:
    """Multiply-adds of one picture through a graph's convolutions and linear layers."""
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load(str(file)))
    graph = model.graph
    shapes = {item.name: list(item.dims) for item in graph.initializer}
    for item in [*graph.value_info, *graph.output]:
        shapes[item.name] = [max(d.dim_value, 1) for d in item.type.tensor_type.shape.dim]
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            total += int(np.prod(shapes[node.input[1]])) * int(np.prod(shapes[node.output[0]][2:]))
        elif node.op_type in ("Gemm", "MatMul"):
            total += int(np.prod(shapes[node.input[1]]))
    return total


def _recall(evaluation: Evaluation) -> dict[str, float]:
    return {k: evaluation.report.metrics[k] for k in ("recall@1", "recall@10")}


def _unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _store(name: str, values: dict[str, Any]) -> None:
    MEASURED.mkdir(parents=True, exist_ok=True)
    (MEASURED / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
