"""One training run on a CPU, from prepared data to weights: ``python -m lab.train CONFIG --work FOLDER --out RUN``.

The folder holds what the other modules prepared: pack, bank.npy, features, weights. Runs resume from their checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lab.config import RunConfig, as_config, as_dict, read_config
from lab.losses import category_contrast, instance_loss, neighborhood_loss, word_loss
from lab.networks import Parts, PhotoHead, SketchHead
from lab.pack import read_pack
from lab.sketch_network import Features, SketchNetwork
from lab.store import Batch, Rows, Store, places_of
from lab.validate import Validation
from lab.views import sketch_change
from lab.weights import load_pretrained
from sketchseek.training.class_prototypes import class_prototypes

RECALIBRATION = 8
"""Batches that batch normalization is recalibrated on."""
FIT = 40
"""Batches that the sketch head's first weights are fitted to."""


class Trainer:
    """A run's networks, data and optimizer."""

    def __init__(
        self, config: RunConfig, work: Path, features: Path, doodlenet: Path, held_out: str, resume: Path | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        pack = read_pack(work / "pack")
        if pack.split_sha256 != held_out:
            raise ValueError(f"{work / 'pack'} was made with another validation split. Pack it again.")
        self.store = Store(pack, work / "bank.npy", tuple(config.without))
        self.validation = Validation(self.store)
        weights = work / "weights"
        photo_net = load_pretrained(config.photo_backbone, weights)
        self.cache = np.load(features, mmap_mode="r")
        channels = int(photo_net.num_features)
        fit = torch.from_numpy(self.cache[self.store.train_photos, 0].astype(np.float32)) if resume is None else None
        self.photo = PhotoHead(config, fit, channels, self.cache.shape[2])
        if resume is not None:
            self.photo.load_state_dict(part_of(load_file(resume / "weights.safetensors"), "photo"))
        self.inputs = self._inputs()
        self.teacher = F.normalize(self.inputs[:, 0, : config.inputs], dim=1)
        self.network = SketchNetwork(
            config.sketch_backbone,
            weights,
            doodlenet,
            map(self._pixels, range(0 if resume else RECALIBRATION)),
            config.sketch_middle,
        )
        self.head = SketchHead(
            config,
            self.network.channels,
            self.network.doodle_channels,
            len(self.network.doodlenet.words),
            self.network.middle_channels,
        )
        self.doodle_words = places_of(self.network.doodlenet.words, self.store.words)
        self.words = nn.Parameter(self._first_words(photo_net.classifier.weight.data))
        self.scales = nn.Parameter(torch.tensor([math.log(10.0), math.log(8.0), math.log(16.0)]))
        self.network.to(memory_format=torch.channels_last)
        self.step = 0
        if resume is None:
            self._fit_head()
        else:
            self._load_weights(load_file(resume / "weights.safetensors"))
        if config.gate:
            self.head.fix_gate(config.gate)
        self.optimizer = self._optimizer()
        self.average = {name: value.detach().clone() for name, value in self._trained().items()}

    def _inputs(self) -> Tensor:
        """(photos, views, inputs) of every photo's cached features."""
        parts = []
        for rows in np.array_split(np.arange(len(self.cache)), 16):
            x = torch.from_numpy(self.cache[rows].astype(np.float32))
            parts.append(self.photo.inputs(x.flatten(0, 1)).unflatten(0, x.shape[:2]))
        return torch.cat(parts)

    def _pixels(self, step: int) -> Tensor:
        return self.store.batch(self.config.batch, self.config.seed + 1, step).pixels

    @torch.no_grad()
    def _first_words(self, classifier: Tensor) -> Tensor:
        """Words start from their photos' mean embedding and their ImageNet classes' classifier rows."""
        what = self.photo(self.inputs[:, 0]).what
        shown = self.store.photo_words.clone()
        shown[[s != "train" for s in self.store.pack.photo_subset]] = 0
        total = F.normalize(shown.T @ what, dim=1) * (shown.sum(dim=0) > 0)[:, None]
        if classifier.shape[1] == self.photo.channels:
            center = F.normalize(classifier, dim=1).mean(dim=0)
            rows, known = class_prototypes(classifier, self.store.words)
            mapped = F.normalize((rows - center) @ self.photo.mean_projection.T @ self.photo.what.weight.T, dim=1)
            total += mapped * known[:, None]
        noise = torch.randn(total.shape, generator=torch.Generator().manual_seed(0)) * 0.02
        return F.normalize(total + noise, dim=1)

    @torch.no_grad()
    def _fit_head(self) -> None:
        features, what, which, paired = [], [], [], []
        words = F.normalize(self.words.data, dim=1)
        self.network.eval()
        for number in range(FIT):
            batch = self.store.batch(self.config.batch, self.config.seed + 2, number)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                seen = self.network(batch.pixels)
            own = self.photo(self.inputs[batch.photo.clamp(min=0), batch.mirrored.long()])
            has = batch.photo >= 0
            target = torch.where(has[:, None], own.what, 0) + batch.words @ words
            features.append(seen)
            what.append(F.normalize(target, dim=1))
            which.append(own.which)
            paired.append(has)
        joined = Features(*(torch.cat(each) for each in zip(*features, strict=True)))
        self.head.fit(joined, Parts(torch.cat(what), torch.cat(which)), torch.cat(paired))

    def _trained(self) -> dict[str, Tensor]:
        """Parameters that training changes, by name."""
        modules = {"network": self.network, "head": self.head, "photo": self.photo}
        out = {f"{k}.{n}": p for k, m in modules.items() for n, p in m.named_parameters() if p.requires_grad}
        return out | {"words": self.words, "scales": self.scales}

    def _optimizer(self) -> torch.optim.AdamW:
        c = self.config
        rates = {"network": c.rate, "head": c.head_rate, "photo": c.photo_head_rate, "gate": 0.1 * c.head_rate}
        groups: dict[tuple[str, bool], dict[str, Any]] = {}
        for name, parameter in self._trained().items():
            module = "gate" if name.startswith("head.gate") else name.split(".")[0]
            decays = module in ("network", "head") and parameter.ndim > 1
            group = groups.setdefault(
                (module, decays),
                {"params": [], "lr": rates.get(module, c.head_rate), "weight_decay": c.weight_decay * decays},
            )
            group["params"].append(parameter)
        for group in groups.values():
            group["start"] = group["lr"]
        return torch.optim.AdamW(list(groups.values()), fused=True)

    @property
    def which_weight(self) -> float:
        """Weight of the *which* part, as the loss of pairs has found it."""
        what, which = self.scales.data[:2].exp().tolist()
        return float(which / (what + which))

    def prototypes(self) -> Tensor:
        """(doodleNet's words, what), of unit length."""
        return F.normalize(self.words, dim=1)[self.doodle_words]

    def losses(self, batch: Batch, gallery: Rows) -> dict[str, Tensor]:
        """Every loss of a batch, weighted."""
        c, w = self.config, self.config.loss
        generator = torch.Generator().manual_seed(c.seed * 1_000_003 + self.step)
        ink = sketch_change(1 - batch.pixels.unsqueeze(1) / 255, generator, c.sketch_strength)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            features = self.network((1 - ink[:, 0]) * 255)
        sketches = self.head(features, self.prototypes())
        views = torch.randint(0, self.inputs.shape[1], (len(gallery),), generator=generator)
        paired = batch.photo >= 0
        own_view = batch.mirrored[paired].long() + 2 * torch.randint(0, 2, (int(paired.sum()),), generator=generator)
        rows = torch.from_numpy(gallery)
        inputs = torch.cat([self.inputs[batch.photo[paired], own_view], self.inputs[rows, views]])
        photos = self.photo(F.dropout(inputs, c.photo_dropout))
        own, others = photos[: len(own_view)], photos[len(own_view) :]
        scale = self.scales.clamp(max=math.log(30.0)).exp()
        mine = sketches[paired]
        out: dict[str, Tensor] = {}
        what = sketches.what @ others.what.T
        logits = scale[0] * what[paired] + scale[1] * mine.which @ others.which.T
        own_logits = scale[0] * (mine.what * own.what).sum(1) + scale[1] * (mine.which * own.which).sum(1)
        group = self.store.group
        twin = group[batch.photo[paired]][:, None] == group[rows][None]
        soft = self.teacher[batch.photo[paired]] @ self.teacher[rows].T
        out["instance"] = w.instance * instance_loss(
            own_logits, logits, twin, torch.ones(len(mine.what)), soft, w.soft_temperature, w.softness
        )
        shown = self.store.photo_words[rows]
        same = batch.words @ shown.T > 0
        out["category"] = w.category * category_contrast(what, same, w.category_temperature)
        known = batch.words.sum(dim=1) > 0
        targets = (1 - w.smoothing) * batch.words[known] + w.smoothing / len(self.words)
        out["words"] = w.sketch_words * word_loss(sketches.what[known], self.words, targets, scale[2])
        named = shown.sum(dim=1) > 0
        out["photo_words"] = w.photo_words * word_loss(others.what[named], self.words, shown[named], scale[2])
        some = torch.randperm(len(rows), generator=generator)[:384]
        out["neighborhood"] = w.neighborhood * neighborhood_loss(others.what[some], self.teacher[rows[some]])
        return out

    def update(self) -> dict[str, float]:
        """One step; returns the losses."""
        c = self.config
        self.network.train()
        self.head.train()
        losses = self.losses(
            self.store.batch(c.batch, c.seed, self.step), self.store.gallery(c.batch, c.seed, self.step)
        )
        total = torch.stack(list(losses.values())).sum()
        progress = min(1.0, self.step / c.steps)
        factor = min(1.0, (self.step + 1) / c.warmup) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = group["start"] * factor
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(list(self._trained().values()), 5.0)
        self.optimizer.step()
        self.step += 1
        decay = min(c.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            pairs = [(self.average[name], value) for name, value in self._trained().items()]
            torch._foreach_lerp_([a for a, _ in pairs], [b for _, b in pairs], 1 - decay)
        return {"loss": total.item(), "norm": norm.item()} | {k: v.item() for k, v in losses.items()}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Validation of the averaged weights."""
        kept = {name: value.detach().clone() for name, value in self._trained().items()}
        for name, value in self._trained().items():
            value.copy_(self.average[name])
        self.network.eval()
        self.head.eval()
        weight = self.which_weight
        photos = self.photo(self.inputs[:, 0]).joined(weight)

        def sketches(pixels: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                features = self.network(pixels.float())
            return self.head(features, self.prototypes()).joined(weight)

        figures = self.validation.measure(sketches, photos) | {"which_weight": round(weight, 4)}
        for name, value in self._trained().items():
            value.copy_(kept[name])
        return figures

    def save(self, folder: Path) -> None:
        """Write a checkpoint, and the averaged weights as ``weights.safetensors``."""
        state = {f"now.{k}": v.detach() for k, v in self._trained().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        for number, values in self.optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{number}.{k}": v for k, v in values.items()}
        state["step"] = torch.tensor(self.step)
        save_file({k: v.contiguous().clone() for k, v in state.items()}, folder / "checkpoint.tmp")
        (folder / "checkpoint.tmp").replace(folder / "checkpoint.safetensors")
        save_file(self.weights(), folder / "weights.tmp")
        (folder / "weights.tmp").replace(folder / "weights.safetensors")

    def weights(self) -> dict[str, Tensor]:
        """Everything an export needs, with averaged parameters."""
        modules = {"network": self.network, "head": self.head, "photo": self.photo}
        state = {f"{k}.{n}": v.detach() for k, m in modules.items() for n, v in m.state_dict().items()}
        state |= self.average
        return {k: v.contiguous().clone() for k, v in state.items()}

    def _load_weights(self, state: dict[str, Tensor]) -> None:
        for name, module in {"network": self.network, "head": self.head, "photo": self.photo}.items():
            module.load_state_dict(part_of(state, name))
        self.words.data.copy_(state["words"])
        self.scales.data.copy_(state["scales"])

    def load(self, folder: Path) -> None:
        """Go on from a checkpoint."""
        state = load_file(folder / "checkpoint.safetensors")
        with torch.no_grad():
            for name, value in self._trained().items():
                value.copy_(state[f"now.{name}"])
                self.average[name].copy_(state[f"average.{name}"])
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {
            number: {k: state[f"optimizer.{number}.{k}"] for k in ("step", "exp_avg", "exp_avg_sq")}
            for number in range(sum(len(g["params"]) for g in optimizer["param_groups"]))
        }
        self.optimizer.load_state_dict(optimizer)
        self.step = int(state["step"])


def load_config(run: Path) -> RunConfig:
    """Settings of a run, from its folder."""
    return as_config(json.loads((run / "config.json").read_text(encoding="utf-8")))


def part_of(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """One module's tensors."""
    return {key[len(name) + 1 :]: value for key, value in state.items() if key.startswith(f"{name}.")}


def run(trainer: Trainer, out: Path) -> None:
    """Train to the last step, with a line of progress every 50 and validation now and then."""
    c = trainer.config
    out.mkdir(parents=True, exist_ok=True)
    if (out / "checkpoint.safetensors").is_file():
        trainer.load(out)
    (out / "config.json").write_text(json.dumps(as_dict(c), indent=1) + "\n", encoding="utf-8")
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:

        def note(line: dict[str, Any]) -> None:
            text = json.dumps(line)
            log.write(text + "\n")
            log.flush()
            print(text, flush=True)

        if trainer.step == 0:
            note({"step": 0, "validation": trainer.measure()})
        started, first = time.time(), trainer.step
        sums: dict[str, float] = {}
        while trainer.step < c.steps:
            for name, value in trainer.update().items():
                sums[name] = sums.get(name, 0.0) + value / 50
            if trainer.step % 50 == 0:
                pace = (time.time() - started) / (trainer.step - first)
                left = pace * (c.steps - trainer.step) / 60
                note({
                    "step": trainer.step, "seconds_a_step": round(pace, 3), "minutes_left": round(left, 1),
                    **{k: round(v, 4) for k, v in sums.items()},
                })  # fmt: skip
                sums = {}
            if trainer.step % c.evaluate_every == 0 or trainer.step == c.steps:
                trainer.save(out)
                note({"step": trainer.step, "validation": trainer.measure()})


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Train a dual encoder on a CPU.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--doodlenet", type=Path, required=True)
    parser.add_argument("--split", type=Path, default=Path(__file__).parents[1] / "validation-split.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", dest="overrides", nargs="*", default=[])
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    held_out = json.loads(a.split.read_text(encoding="utf-8"))["sha256"]
    resume = a.out if (a.out / "checkpoint.safetensors").is_file() else None
    run(Trainer(read_config(a.config, a.overrides), a.work, a.features, a.doodlenet, held_out, resume), a.out)


if __name__ == "__main__":
    main()
