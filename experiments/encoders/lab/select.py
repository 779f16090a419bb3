"""Choose three scalars of a finished run on validation: the weight of *which*, how far doodleNet's gate opens, and how
far photos are moved toward their words.

``python -m lab.select RUN --work WORK --features FILE --doodlenet DOODLENET`` prints a table and writes the best
to the run's ``selected.json``, which ``lab.export`` reads.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from lab.networks import Parts, PhotoHead, SketchHead, refined
from lab.pack import read_pack
from lab.sketch_network import SketchNetwork
from lab.store import Store, places_of
from lab.train import load_config, part_of
from lab.validate import Validation

SCALARS = ("weight", "offset", "refine")
TIE = 0.002
"""Scores that differ by less are alike: then the lowest log2 rank of the drawn photos counts, which is less noisy."""


@dataclass
class Encoded:
    """What the sketch head makes of some sketches, before the two scalars."""

    seen: Tensor
    gate: Tensor
    recognized: Tensor
    which: Tensor

    def parts(self, offset: float) -> Parts:
        """The two parts with ``offset`` added to the gate, before softplus."""
        what = self.seen + F.softplus(self.gate + offset) * self.recognized
        return Parts(F.normalize(what, dim=1), self.which)


class Candidate:
    """A finished run's embeddings of validation sketches and photos."""

    @torch.no_grad()
    def __init__(self, run: Path, work: Path, features: Path, doodlenet: Path) -> None:
        self.config, state = load_config(run), load_file(run / "weights.safetensors")
        self.store = Store(read_pack(work / "pack"), work / "bank.npy")
        self.validation = Validation(self.store)
        network = SketchNetwork(self.config.sketch_backbone, work / "weights", doodlenet, [], self.config.sketch_middle)
        names = network.doodlenet.words
        head = SketchHead(self.config, network.channels, network.doodle_channels, len(names), network.middle_channels)
        cached = np.load(features, mmap_mode="r")
        photo = PhotoHead(self.config, None, state["photo.mean_center"].shape[0], cached.shape[2])
        for key, module in {"photo": photo, "network": network, "head": head}.items():
            module.load_state_dict(part_of(state, key))
            module.eval()
        network.to(memory_format=torch.channels_last)
        scales = state["scales"][:2].exp()
        self.weight = float(scales[1] / scales.sum())
        self.photos = photo(photo.inputs(torch.from_numpy(cached[:, 0].astype(np.float32))))
        self.words = F.normalize(state["words"], dim=1)
        prototypes = self.words[places_of(names, self.store.words)]

        @torch.no_grad()
        def encode(pixels: Tensor) -> Encoded:
            """Parts of (n, side, side) uint8, without gradients."""
            parts = []
            for some in pixels.split(128):
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    features = network(some.float())
                what, which = head.standardized(features)
                recognized = features.doodle[:, -len(names) :] @ prototypes
                seen = F.normalize(head.what(what), dim=1)
                parts.append((seen, head.gate(what), recognized, F.normalize(head.which(which), dim=1)))
            return Encoded(*(torch.cat(each) for each in zip(*parts, strict=True)))

        self.encode = encode
        self.sketches = {name: encode(pixels) for name, pixels in self.validation.pixels().items()}

    def measure(self, weight: float, offset: float, refine: float) -> dict[str, float]:
        """Validation figures with these scalars."""
        photos = Parts(refined(self.photos.what, self.words, refine), self.photos.which)
        sketches = {name: one.parts(offset).joined(weight) for name, one in self.sketches.items()}
        return self.validation.figures(sketches, photos.joined(weight))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Choose a run's scalars on validation.")
    parser.add_argument("run", type=Path)
    for name in ("work", "features", "doodlenet"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--weights", type=float, nargs="*", default=[0.25, 0.3, 0.35, 0.4, 0.45, 0.55])
    parser.add_argument("--offsets", type=float, nargs="*", default=[-0.3, 0.0, 0.4, 0.8])
    parser.add_argument("--refine", type=float, nargs="*", default=[0.6, 1.0, 1.4])
    a = parser.parse_args()
    torch.set_num_threads(1)
    candidate = Candidate(a.run, a.work, a.features, a.doodlenet)
    print(f"learned weight {candidate.weight:.3f}")
    rows = []
    for scalars in itertools.product(a.weights, a.offsets, a.refine):
        rows.append(dict(zip(SCALARS, scalars, strict=True)) | candidate.measure(*scalars))
        print(json.dumps(rows[-1]), flush=True)
    best = max(row["score"] for row in rows)
    chosen = min((row for row in rows if row["score"] >= best - TIE), key=lambda row: row["logrank"])
    (a.run / "selected.json").write_text(json.dumps(chosen, indent=1) + "\n", encoding="utf-8")
