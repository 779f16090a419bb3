"""One training run, from prepared data to weights: ``python -m lab.loop CONFIG --pack … --prepared … --out …``."""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lab.config import RunConfig, as_dict, read_config
from lab.doodlenet import WIDTH, DoodleNet
from lab.losses import (
    category_contrast,
    instance_loss,
    logits_loss,
    neighborhood_loss,
    photo_to_sketch_loss,
    similarity_loss,
    word_loss,
)
from lab.networks import PhotoBranch, SketchBranch, pretrained
from lab.pack import read_pack
from lab.prepare import whitened
from lab.store import Batch, Store
from lab.validate import Validation, as_line
from lab.views import photo_view, sketch_change
from lab.words import read_table


@dataclass
class Teacher:
    """A finished run's branches, and its photo branch's cached trunk features."""

    sketch: SketchBranch
    photo: PhotoBranch
    cache: Tensor


class Trainer:
    """A run's networks, data and optimizer."""

    def __init__(self, config: RunConfig, pack: Path, prepared: Path, weights: Path, doodle: Path, device: str) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device, self.prepared, self.weights = config, device, prepared, weights
        self.random = np.random.default_rng(config.seed)
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.store = Store(read_pack(pack), prepared, device, tuple(config.without), config.use_pseudo)
        self.validation = Validation(self.store)
        self.sketch = SketchBranch(config.sketch, config.dimensions, weights)
        self.photo = PhotoBranch(config.photo, config.dimensions, weights)
        self.words = nn.Parameter(torch.zeros(len(self.store.words), config.dimensions))
        self.scales = nn.ParameterDict(
            {
                "instance": nn.Parameter(torch.tensor(math.log(14.0))),
                "words": nn.Parameter(torch.tensor(math.log(16.0))),
            }
        )
        self._start_photo_head()
        if config.init:
            load_run(Path(config.init), self.sketch, self.photo)
        for branch in (self.sketch, self.photo):
            branch.to(device, memory_format=torch.channels_last)
        self.cache = trunk_cache(self.photo, self.store, config, prepared)
        self.doodle = DoodleNet(doodle).to(device)
        features = self.sketch.features
        self.doodle_head = nn.Linear(features, WIDTH + len(self.doodle.words)).to(device)
        self.classifier = pretrained(config.photo.backbone, weights).classifier.to(device).requires_grad_(False)
        self.teachers = [self._teacher(Path(folder)) for folder in config.teachers]
        self._start_words()
        if not config.tune_photo:
            self.photo.tail.requires_grad_(False)
        self.scales.to(device)
        self.optimizer = self._optimizer()
        self.average: nn.ModuleDict = copy.deepcopy(nn.ModuleDict({"sketch": self.sketch, "photo": self.photo}))
        self.average.requires_grad_(False)
        self.step = 0

    def _start_photo_head(self) -> None:
        file = self.prepared / f"features-{self.config.photo.backbone}.npy"
        features = torch.from_numpy(np.load(file))
        mean, projection, _ = whitened(features, torch.from_numpy(self.store.train_photos), self.config.dimensions)
        projection = projection / ((features - mean) @ projection.T).norm(dim=1).mean()
        self.photo.head.weight.data.copy_(projection)
        self.photo.head.bias.data.copy_(-projection @ mean)

    @torch.no_grad()
    def _start_words(self) -> None:
        """Words start from their photos' mean embedding and their ImageNet classes' classifier rows."""
        embeddings = self.photo_embeddings(self.photo)
        shown = self.store.photo_words.clone()
        shown[[s != "train" for s in self.store.pack.photo_subset]] = 0
        mean = shown.T @ embeddings
        known = shown.sum(dim=0) > 0
        rows = self.classifier.weight if self.classifier.weight.shape[1] == self.photo.head.in_features else None
        total = F.normalize(mean, dim=1) * known[:, None]
        if rows is not None:
            center = rows.mean(dim=0)
            table = read_table()
            for number, word in enumerate(self.store.words):
                if table.get(word):
                    row = (rows[table[word]] - center).mean(dim=0) @ self.photo.head.weight.T
                    total[number] += F.normalize(row, dim=0)
        noise = torch.randn(total.shape, generator=torch.Generator().manual_seed(0)).to(self.device) * 0.02
        self.words.data = F.normalize(total + noise, dim=1)

    def _teacher(self, folder: Path) -> Teacher:
        config = read_config(folder / "config.yaml")
        sketch, photo = (
            SketchBranch(config.sketch, config.dimensions, None),
            PhotoBranch(config.photo, config.dimensions, None),
        )
        load_run(folder, sketch, photo)
        for branch in (sketch, photo):
            branch.to(self.device, memory_format=torch.channels_last).eval().requires_grad_(False)
        cache = (
            self.cache
            if config.photo == self.config.photo
            else trunk_cache(photo, self.store, self.config, self.prepared)
        )
        return Teacher(sketch, photo, cache)

    def _optimizer(self) -> torch.optim.AdamW:
        c = self.config
        groups = [
            {"params": list(self.sketch.net.parameters()), "lr": c.rate},
            {"params": [*self.sketch.head.parameters(), *self.doodle_head.parameters()], "lr": c.head_rate},
            {"params": [p for p in self.photo.tail.parameters() if p.requires_grad], "lr": c.photo_rate},
            {"params": list(self.photo.head.parameters()), "lr": c.photo_head_rate, "weight_decay": 0.0},
            {"params": [self.words, *self.scales.parameters()], "lr": c.head_rate, "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        for group in groups:
            group["start"] = group["lr"]
        return torch.optim.AdamW(groups, weight_decay=c.weight_decay, fused=self.device != "cpu")

    def autocast(self) -> Any:
        """bf16 on a GPU."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.device != "cpu")

    @torch.no_grad()
    def photo_embeddings(self, branch: PhotoBranch) -> Tensor:
        """(photos, d) of every photo as it is."""
        out = []
        for rows in torch.arange(len(self.cache), device=self.device).split(512):
            with self.autocast():
                pooled = branch.pooled(self._cached(self.cache, rows, 0))
            out.append(F.normalize(branch.head(pooled), dim=1))
        return torch.cat(out)

    def sketch_embeddings(self, branch: SketchBranch, pixels: Tensor) -> Tensor:
        """(n, d) of rasters, n fixed so that convolutions are chosen once."""
        with self.autocast():
            pooled = branch.pooled(pixels)
        return F.normalize(branch.head(pooled), dim=1)

    def _cached(self, cache: Tensor, photos: Any, views: Any) -> Tensor:
        """Trunk features of these views of these photos."""
        return cache[photos, views].contiguous(memory_format=torch.channels_last)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Every loss of a batch, weighted."""
        c, w = self.config, self.config.loss
        ink = sketch_change(batch.ink, self.generator, c.sketch_strength)
        pixels = (1 - ink[:, 0]) * 255
        with self.autocast():
            pooled_photos = self.photo.pooled(self._cached(self.cache, batch.photos, batch.views))
            pooled_sketches = F.dropout(self.sketch.pooled(pixels), c.dropout)
        photos = F.normalize(self.photo.head(pooled_photos), dim=1)
        sketches = F.normalize(self.sketch.head(pooled_sketches), dim=1)
        teacher = self.store.teacher[batch.photos]
        out: dict[str, Tensor] = {}
        paired = batch.position >= 0
        temperature = 1 / self.scales["instance"].clamp(max=math.log(40.0)).exp()
        soft = (teacher @ teacher.T / w.soft_temperature).softmax(dim=1)
        each = instance_loss(
            sketches[paired],
            photos,
            batch.position[paired],
            self.store.group[batch.photos],
            temperature,
            soft,
            w.softness,
        )
        traced = batch.pseudo[paired]
        out["instance"] = w.instance * each[~traced].mean()
        if traced.any():
            out["pseudo"] = w.pseudo * each[traced].mean()
        real = paired & ~batch.pseudo
        out["back"] = w.photo_to_sketch * photo_to_sketch_loss(
            sketches[real], photos, batch.position[real], temperature
        )
        shown = self.store.photo_words[batch.photos]
        same = (batch.targets @ shown.T) > 0
        out["category"] = w.category * category_contrast(sketches, photos, same, w.category_temperature)
        scale = self.scales["words"].clamp(max=math.log(32.0)).exp()
        known = batch.targets.sum(dim=1) > 0
        weight = torch.where(batch.pseudo, 0.4, 1.0)[known]
        targets = (1 - c.smoothing) * batch.targets[known] + c.smoothing / len(self.words)
        losses = word_loss(sketches[known], self.words, targets, scale)
        out["words"] = w.sketch_words * (losses * weight).sum() / weight.sum()
        named = shown.sum(dim=1) > 0
        out["photo_words"] = w.photo_words * word_loss(photos[named], self.words, shown[named], scale).mean()
        out["neighborhood"] = w.neighborhood * neighborhood_loss(photos, teacher, 0.1, 0.1)
        if c.tune_photo and w.logits:
            original = self.classifier(self.store.original[batch.photos])
            out["logits"] = w.logits * logits_loss(self.classifier(pooled_photos), original)
        if w.doodle:
            with torch.no_grad(), self.autocast():
                logits, features = self.doodle(batch.ink)
            mine = self.doodle_head(pooled_sketches)
            regression = F.mse_loss(torch.tanh(mine[:, :WIDTH]), features.float()) * 4
            out["doodle"] = w.doodle * (0.25 * logits_loss(mine[:, WIDTH:], logits.float()) + regression)
        if self.teachers:
            out |= self._distillation(batch, pixels, sketches, photos)
        return out

    def _distillation(self, batch: Batch, pixels: Tensor, sketches: Tensor, photos: Tensor) -> dict[str, Tensor]:
        w = self.config.loss
        out: dict[str, Tensor] = {}
        similarity, embedding, photo = 0.0, 0.0, 0.0
        for teacher in self.teachers:
            with torch.no_grad(), self.autocast():
                s = F.normalize(teacher.sketch.head(teacher.sketch.pooled(pixels)).float(), dim=1)
                cached = self._cached(teacher.cache, batch.photos, batch.views)
                p = F.normalize(teacher.photo.head(teacher.photo.pooled(cached)).float(), dim=1)
            similarity = similarity + s.float() @ p.float().T / len(self.teachers)
            embedding, photo = s, p
        if w.distill_similarity:
            out["distill_similarity"] = w.distill_similarity * similarity_loss(sketches @ photos.T, similarity, 0.05)
        if w.distill_embedding:
            out["distill_embedding"] = w.distill_embedding * (1 - (sketches * embedding).sum(dim=1)).mean()
        if w.distill_photo:
            out["distill_photo"] = w.distill_photo * (1 - (photos * photo).sum(dim=1)).mean()
        return out

    def update(self, progress: float) -> dict[str, float]:
        """One step; returns the losses."""
        self.sketch.train()
        batch = self.store.batch(self.config.batch, self.random, self.config.views)
        losses = self.losses(batch)
        total = torch.stack(list(losses.values())).sum()
        factor = min(1.0, (self.step + 1) / self.config.warmup) * (
            0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))
        )
        for group in self.optimizer.param_groups:
            group["lr"] = group["start"] * factor
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_([p for g in self.optimizer.param_groups for p in g["params"]], 5.0)
        self.optimizer.step()
        self._follow()
        self.step += 1
        return {"loss": total.detach(), "norm": norm.detach(), **{k: v.detach() for k, v in losses.items()}}  # type: ignore[dict-item]

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average of weights, and of batch normalization's statistics, towards the networks."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for name, module in (("sketch", self.sketch), ("photo", self.photo)):
            theirs = self.average[name].state_dict()
            pairs = [
                (theirs[k], v)
                for k, v in module.state_dict().items()
                if v.is_floating_point() and not (name == "photo" and k.startswith("trunk"))
            ]
            torch._foreach_lerp_([a for a, _ in pairs], [b for _, b in pairs], 1 - decay)

    def measure(self) -> dict[str, float]:
        """Validation of the average."""
        self.average.eval()
        embeddings = self.photo_embeddings(self.average["photo"])  # type: ignore[arg-type]
        sketch: SketchBranch = self.average["sketch"]  # type: ignore[assignment]
        return self.validation.measure(lambda pixels: self.sketch_embeddings(sketch, pixels), embeddings)

    def state(self) -> dict[str, Any]:
        """Everything that is needed to go on."""
        return {
            "sketch": self.sketch.state_dict(), "photo": self.photo.state_dict(), "average": self.average.state_dict(),
            "words": self.words.data, "scales": self.scales.state_dict(), "doodle_head": self.doodle_head.state_dict(),
            "optimizer": self.optimizer.state_dict(), "step": self.step, "random": self.random.bit_generator.state,
            "generator": self.generator.get_state(), "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if self.device != "cpu" else None,
        }  # fmt: skip

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        for name in ("sketch", "photo", "average", "scales", "doodle_head", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.words.data.copy_(state["words"])
        self.step = state["step"]
        self.random.bit_generator.state = state["random"]
        self.generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["torch"].cpu())
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"].cpu())


@torch.no_grad()
def trunk_cache(branch: PhotoBranch, store: Store, config: RunConfig, prepared: Path) -> Tensor:
    """(photos, views, c, h, w): the trunk's output for every view of every photo; kept in a file for other runs."""
    b, device = branch.config, store.device
    file = prepared / f"trunk-{b.backbone}-{b.size}-{b.cut}-{config.views}-{config.least_area}.pt"
    if file.is_file():
        return torch.load(file, map_location=device, weights_only=True)
    if any(module.training for module in branch.trunk.modules()):
        raise RuntimeError("the trunk is in training mode: its batch normalization would follow each batch.")
    generator = torch.Generator(device)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    out: Tensor | None = None
    for start in range(0, len(store.photo_pixels), 256):
        pixels = store.photo_pixels[start : start + 256].to(device).permute(0, 3, 1, 2).float()
        generator.manual_seed(start)
        for view in range(config.views):
            x = photo_view(pixels, view, generator, config.least_area)
            if b.size != x.shape[-1]:
                x = F.interpolate(x, size=(b.size,) * 2, mode="bilinear", antialias=True, align_corners=False)
            x = ((x.round() - branch.mean) / branch.std).contiguous(memory_format=torch.channels_last)
            with torch.autocast(device, dtype=torch.bfloat16, enabled=device != "cpu"):
                features = branch.trunk(x)
            if out is None:
                shape = (len(store.photo_pixels), config.views, *features.shape[1:])
                out = torch.empty(shape, dtype=dtype, device=device)
            out[start : start + len(pixels), view] = features.to(dtype)
    assert out is not None
    aside = file.with_suffix(f".{time.time_ns()}.tmp")
    torch.save(out, aside)
    aside.replace(file)
    return out


def load_run(folder: Path, sketch: nn.Module, photo: nn.Module) -> None:
    """Load a finished run's branches."""
    for name, module in (("sketch", sketch), ("photo", photo)):
        state = load_file(folder / f"{name}.safetensors")
        module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})


def save_run(folder: Path, average: nn.ModuleDict) -> None:
    """Write the averaged branches, in half precision."""
    for name, module in average.items():
        state = {
            k: (v.half() if v.is_floating_point() else v).contiguous().cpu() for k, v in module.state_dict().items()
        }
        save_file(state, folder / f"{name}.safetensors")


def run(config: RunConfig, trainer: Trainer, out: Path) -> None:
    """Train to the end, with a log of JSON lines and a checkpoint to resume from."""
    import yaml

    out.mkdir(parents=True, exist_ok=True)
    (out / "config.yaml").write_text(yaml.safe_dump(as_dict(config)), encoding="utf-8")
    checkpoint = out / "checkpoint.pt"
    if checkpoint.is_file():
        trainer.load_state(torch.load(checkpoint, map_location=trainer.device, weights_only=False))
    started, spent = time.time(), 0.0
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:

        def say(values: dict[str, Any]) -> None:
            line = as_line({"step": trainer.step, "seconds": round(time.time() - started, 1), **values})
            print(config.name, line, flush=True)
            log.write(line + "\n")
            log.flush()

        if trainer.step == 0 and config.evaluate_first:
            say({"validation": trainer.measure()})
        while True:
            spent = (time.time() - started) / (60 * config.minutes) if config.minutes else 0.0
            progress = max(trainer.step / config.steps, spent)
            if progress >= 1:
                break
            values = trainer.update(progress)
            if trainer.step % 50 == 0 or trainer.step in (1, 10, 20):
                say({k: round(float(v), 4) for k, v in values.items()})
            if trainer.step % config.evaluate_every == 0:
                say({"validation": trainer.measure()})
                torch.save(trainer.state(), checkpoint)
                save_run(out, trainer.average)
        say({"validation": trainer.measure(), "finished": True})
    save_run(out, trainer.average)
    checkpoint.unlink(missing_ok=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*")
    for name in ("pack", "prepared", "weights", "doodle", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    a = parser.parse_args()
    # Trying out convolutions (cudnn.benchmark) takes minutes for these networks and gains nothing here.
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    config = read_config(a.config, a.overrides)
    run(config, Trainer(config, a.pack, a.prepared, a.weights, a.doodle, a.device), a.out)


if __name__ == "__main__":
    main()
