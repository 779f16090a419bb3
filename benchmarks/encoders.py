"""Parameters, operations and CPU time of pairs of encoders.

    python benchmarks/encoders.py [--pairs SKETCH[@SIZE]:PHOTO[@SIZE] ...] [--json]

Weights are random: they change neither figure. Operations are multiply-adds of one picture's forward pass in training
form (``torch.utils.flop_counter``; a multiply-add is one operation here); time is that of the exported graph in
onnxruntime, batch 1, one thread, the median of rounds that alternate between the encoders.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch.utils.flop_counter import FlopCounterMode

from sketchseek.training.config import TrainConfig
from sketchseek.training.export import export_model
from sketchseek.training.nn.model import BRANCHES, BranchConfig, DualEncoder

PAIRS = [
    "shufflenet_v2_x0_5@128:shufflenet_v2_x0_5@224",
    "shufflenet_v2_x0_5@128:shufflenet_v2_x1_0@224",
    "shufflenet_v2_x1_0@128:shufflenet_v2_x1_0@224",
    "shufflenet_v2_x1_0@128:shufflenet_v2_x1_5@224",
    "shufflenet_v2_x1_5@128:shufflenet_v2_x2_0@224",
    "mobilenetv2_100@128:mobilenetv2_100@224",
    "tf_efficientnet_lite0@128:tf_efficientnet_lite0@224",
    "tf_efficientnet_lite0@128:tf_efficientnet_lite2@224",
    "resnet18@128:resnet50@224",
]


def measure(pairs: list[tuple[BranchConfig, BranchConfig]], rounds: int) -> list[dict[str, Any]]:
    """A row for each pair of (sketch, photo)."""
    rows: list[dict[str, Any]] = []
    sessions: list[tuple[dict[str, Any], str, Any, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (sketch, photo) in enumerate(pairs):
            torch.manual_seed(0)
            model = DualEncoder(sketch, photo, embedding=256, norm="batch").eval()
            config = TrainConfig("benchmark", sketch, photo, [], losses=[])
            package, _ = export_model(model, config, Path(folder) / str(number))
            row: dict[str, Any] = {"sketch": _name(sketch), "photo": _name(photo)}
            for name in BRANCHES:
                encoder = model.branch(name)
                pixels = np.zeros((1, encoder.config.size, encoder.config.size, 3), dtype=np.uint8)
                pixels = pixels if name == "photo" else pixels[..., 0]
                with FlopCounterMode(display=False) as counter, torch.no_grad():
                    encoder(torch.from_numpy(pixels))
                row[f"{name}_parameters"] = sum(parameter.numel() for parameter in encoder.parameters())
                row[f"{name}_multiply_adds"] = counter.get_total_flops() // 2
                row[f"{name}_bytes"] = package.file(name).stat().st_size
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 1
                session = onnxruntime.InferenceSession(str(package.file(name)), options)
                sessions.append((row, name, session, pixels))
            rows.append(row)
        times: dict[int, list[float]] = {i: [] for i in range(len(sessions))}
        for turn in range(rounds + 1):
            for i, (_, _, session, pixels) in enumerate(sessions):
                start = time.perf_counter()
                session.run(None, {"pixels": pixels})
                if turn:  # the first round warms up
                    times[i].append(time.perf_counter() - start)
        for i, (row, branch, _, _) in enumerate(sessions):
            row[f"{branch}_ms"] = 1000 * float(np.median(times[i]))
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = [
        "| sketches | photos | parameters | multiply-adds | file, fp16 | ms a sketch | ms a photo |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        parameters, adds, size = (
            " + ".join(f"{row[f'{side}_{what}'] / unit:.{digits}f}" for side in ("sketch", "photo"))
            for what, unit, digits in (("parameters", 1e6, 2), ("multiply_adds", 1e6, 0), ("bytes", 1e6, 1))
        )
        lines.append(
            f"| {row['sketch']} | {row['photo']} | {parameters} M | {adds} M | {size} MB "
            f"| {row['sketch_ms']:.1f} | {row['photo_ms']:.1f} |"
        )
    return "\n".join(lines)


def _side(text: str) -> BranchConfig:
    name, _, size = text.partition("@")
    return BranchConfig(name, int(size or 128))


def _name(side: BranchConfig) -> str:
    return f"{side.backbone}, {side.size} px"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, help="SKETCH[@SIZE]:PHOTO[@SIZE], sizes in pixels.")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure([(_side(a), _side(b)) for a, b in (pair.split(":") for pair in args.pairs)], args.rounds)
    print(json.dumps(rows, indent=1) if args.json else table(rows))


if __name__ == "__main__":
    main()
