"""Average the weights of two finished runs of one shape: ``python -m lab.average FIRST SECOND OUT``.

The fraction of the second is the best of a few on validation, with the scalars that are given. The result is a run
that ``lab.select`` and ``lab.export`` take.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lab.select import SCALARS, Candidate
from lab.train import add_middle

FRACTIONS = (0.0, 0.15, 0.3)


def mixed(first: dict[str, Tensor], second: dict[str, Tensor], fraction: float) -> dict[str, Tensor]:
    """Weights of both, ``fraction`` of them from the second, which may lack the first's middle layer.

    The gate is the first's: the second's belongs to its own features.
    """
    if "head.middle_mean" not in second and "head.middle_mean" in first:
        second = dict(second)
        add_middle(second, len(first["head.middle_mean"]))
        second |= {key: first[key] for key in ("head.middle_mean", "head.middle_scale")}
    return {
        key: value if key.startswith("head.gate") else torch.lerp(value.float(), second[key].float(), fraction)
        for key, value in first.items()
    }


def average(
    first: Path, second: Path, out: Path, scalars: Sequence[float], work: Path, features: Path, doodlenet: Path
) -> float:
    """Write the best mixture of two runs; returns the fraction of the second."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text((first / "config.json").read_text(encoding="utf-8"), encoding="utf-8")
    weights = [load_file(run / "weights.safetensors") for run in (first, second)]
    found: list[tuple[float, float, dict[str, float]]] = []
    for fraction in FRACTIONS:
        save_file(mixed(*weights, fraction), out / "weights.safetensors")
        figures = Candidate(out, work, features, doodlenet).measure(*scalars)
        print(json.dumps({"fraction": fraction, **figures}), flush=True)
        found.append((figures["score"], fraction, figures))
    _, best, figures = max(found, key=lambda row: row[0])
    log = (first / "log.jsonl").read_text(encoding="utf-8").splitlines()
    save_file(mixed(*weights, best), out / "weights.safetensors")
    row = {"step": json.loads(log[-1])["step"], "second": str(second), "fraction": best, "validation": figures}
    (out / "log.jsonl").write_text("\n".join([*log, json.dumps(row)]) + "\n", encoding="utf-8")
    return best


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Average the weights of two runs.")
    for name in ("first", "second", "out"):
        parser.add_argument(name, type=Path)
    for name in ("work", "features", "doodlenet"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--scalars", type=float, nargs=len(SCALARS), default=[0.35, 0.3, 1.0], metavar=SCALARS)
    a = parser.parse_args()
    torch.set_num_threads(1)
    print(average(a.first, a.second, a.out, a.scalars, a.work, a.features, a.doodlenet))
