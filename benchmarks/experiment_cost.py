"""Operations and memory of one training step of an experiment, counted without computing it, and hours on a GPU.

    python benchmarks/experiment_cost.py FILE... [--json]

Networks are built without memory (torch's meta device), and torch counts the operations of a forward pass. A trained
branch costs three times as much a step (gradients of weights and inputs), one with gradient checkpointing four times.
Memory is that of weights, gradients, AdamW's two moments and the EMA in fp32, and of what autograd keeps for a batch.
Hours assume 30 % of the GPU's bf16 peak: an estimate, not a measurement, without reading data and augmentation.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from sketchseek.ablations.config import load_ablation
from sketchseek.training.config import TrainConfig, load_config
from sketchseek.training.nn.backbones import SHUFFLENETS
from sketchseek.training.nn.model import BranchConfig
from sketchseek.training.settings import load_settings
from sketchseek.training.torchvision_guard import import_timm

PEAK = {"A100": 312e12, "H100": 990e12}
UTILIZATION = 0.3


def network(branch: BranchConfig) -> Any:
    """The backbone on the meta device."""
    timm = import_timm()
    with torch.device("meta"):
        if branch.backbone in SHUFFLENETS:
            from torchvision.models import shufflenetv2

            return getattr(shufflenetv2, branch.backbone)(weights=None, num_classes=1)
        try:
            return timm.create_model(branch.backbone, num_classes=0, img_size=branch.size)
        except TypeError:
            return timm.create_model(branch.backbone, num_classes=0)


def branch_cost(branch: BranchConfig, pictures: int) -> tuple[float, float]:
    """Operations of a step, and bytes, of one branch. Frozen is counted as the whole backbone if most stages are."""
    net = network(branch).train()
    frozen, saving = branch.frozen > 5, branch.gradient_checkpointing
    kept = 0

    def keep(x: Tensor) -> Tensor:
        nonlocal kept
        kept += x.numel() * 2 if x.is_floating_point() else 0  # bf16
        return x

    pictures_of = torch.zeros((1, 3, branch.size, branch.size), device="meta")
    with (
        FlopCounterMode(display=False) as counter,
        torch.set_grad_enabled(not frozen),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x),
    ):
        net(pictures_of)
    weights = sum(p.numel() for p in net.parameters())
    passes = 0 if frozen else 4 if saving else 3  # the output of frozen stages is computed once
    state = 4 if frozen else 8 if branch.tune == "lora" else 20
    activations = 0 if frozen else (kept - 2 * weights) * pictures / (10 if saving else 1)
    return counter.get_total_flops() * passes * pictures, state * weights + max(0, activations)


def cost(config: TrainConfig) -> dict[str, Any]:
    """Operations, memory and hours of an experiment."""
    batch = config.batch
    photos = batch.categories * batch.photos + batch.distractors
    sketches = photos * batch.sketches + batch.categories * batch.unpaired_sketches
    parts = [branch_cost(config.sketch, sketches), branch_cost(config.photo, photos)]
    operations = sum(part[0] for part in parts)
    return {
        "teraflops_a_step": operations / 1e12,
        "gigabytes": sum(part[1] for part in parts) / 1e9,
        "hours": {gpu: config.steps * operations / (peak * UTILIZATION) / 3600 for gpu, peak in PEAK.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows: dict[str, Any] = {}
    for file in args.files:
        if "base" in load_settings(file):
            ablation = load_ablation(file)
            for name in ablation.configurations:
                rows[f"{file.stem}: {name}"] = cost(ablation.experiment(name, seed=0))
        else:
            rows[file.stem] = cost(load_config(file))
        if not args.json:
            for name, row in list(rows.items()):
                hours = ", ".join(f"{gpu} {value:.1f} h" for gpu, value in row["hours"].items())
                print(f"{name}: {row['teraflops_a_step']:.1f} TFLOP a step, {row['gigabytes']:.0f} GB, {hours}")
            rows.clear()
    if args.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
