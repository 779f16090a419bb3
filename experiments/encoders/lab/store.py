"""Prepared data on the training device, and batches out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lab.config import BatchConfig
from lab.pack import Pack
from lab.prepare import TEACHERS, whitened
from lab.words import read_table


@dataclass
class Batch:
    """One training batch.

    Attributes:
        photos: (p,) numbers of photos; ``views`` (p,) of their views.
        ink: (s, 1, side, side) sketches, 0 paper to 1 ink, mirrored as their photos' views are.
        position: (s,) position of each sketch's photo in the batch, -1 for none.
        pseudo: (s,) whether it is a pseudo-sketch.
        targets: (s, words) distribution over words; rows of zeros where unknown.
    """

    photos: Tensor
    views: Tensor
    ink: Tensor
    position: Tensor
    pseudo: Tensor
    targets: Tensor


class Store:
    """Banks on the device, and lists of what may be trained on.

    Args:
        pack: The packed data.
        folder: What ``lab.prepare`` made.
        device: Where banks go.
        without: Names of lists of invalid sketches that are left out.
        use_pseudo: Whether there are pseudo-sketches in batches.
    """

    def __init__(
        self, pack: Pack, folder: Path, device: str, without: tuple[str, ...] = (), use_pseudo: bool = True
    ) -> None:
        self.pack, self.device = pack, device
        self.bank = torch.from_numpy(np.load(folder / "bank.npy")).to(device)
        self.pseudo = torch.from_numpy(np.load(folder / "pseudo.npy")).to(device)
        self.photo_pixels = torch.from_numpy(np.load(folder / "photos.npy"))
        self.words = sorted(set(pack.sketch_words) | {"dress", "longsleeve", "skirt", "shirt"})
        number = {word: i for i, word in enumerate(self.words)}
        self.sketch_word = np.array([number[w] for w in pack.sketch_words])
        self.photo_words = torch.from_numpy(_photo_words(pack, number)).to(device)
        self.train_photos = np.flatnonzero([s == "train" for s in pack.photo_subset])
        subset = np.array(pack.sketch_subset)
        banned = np.array(
            [bool(set(text.split(",")) & set(without)) if text else False for text in pack.sketch_invalid]
        )
        self.train_sketches = np.flatnonzero((subset == "train") & ~banned)
        stems = [
            key.partition("/")[2] if key.split("/")[0] in ("sketchy", "cropped") else key for key in pack.photo_keys
        ]
        self.group = torch.from_numpy(np.unique(stems, return_inverse=True)[1]).to(device)
        self.teacher = self._ensemble(folder)
        self.original = torch.from_numpy(np.load(folder / f"features-{TEACHERS[0]}.npy")).to(device)
        self._lists(use_pseudo)

    def _ensemble(self, folder: Path) -> Tensor:
        """(photos, d) unit length: ImageNet networks' half-whitened features side by side."""
        fit = torch.from_numpy(self.train_photos)
        parts = [whitened(torch.from_numpy(np.load(folder / f"features-{n}.npy")), fit, 256)[2] for n in TEACHERS]
        return F.normalize(torch.cat(parts, dim=1), dim=1).to(self.device)

    def _lists(self, use_pseudo: bool) -> None:
        pack = self.pack
        photo_of = np.array(pack.sketch_photo)
        self.sketches_of: dict[int, np.ndarray] = {}
        for sketch in self.train_sketches:
            if photo_of[sketch] >= 0:
                self.sketches_of.setdefault(int(photo_of[sketch]), []).append(sketch)  # type: ignore[union-attr,arg-type]
        self.sketches_of = {photo: np.array(ids) for photo, ids in self.sketches_of.items()}
        source = np.array([key.split("/")[0] for key in pack.photo_keys])
        drawn = np.array([photo for photo in self.sketches_of if source[photo] != "chairv2"])
        self.chairs = np.array([photo for photo in self.sketches_of if source[photo] == "chairv2"])
        self.drawn = drawn
        by_word: dict[str, list[int]] = {}
        for photo in drawn:
            by_word.setdefault(pack.photo_words[photo], []).append(int(photo))
        self.drawn_by_word = [np.array(ids) for ids in by_word.values()]
        undrawn = np.setdiff1d(self.train_photos, np.concatenate([drawn, self.chairs]))
        self.undrawn = {name: undrawn[source[undrawn] == name] for name in ("sketchy", "imagenet", "clothing", "emoji")}
        has_word = self.photo_words.sum(dim=1).cpu().numpy() > 0
        self.named = {name: rows[has_word[rows]] for name, rows in self.undrawn.items()}
        self.unpaired = {
            name: np.array([s for s in self.train_sketches if pack.sketch_keys[s].startswith(name)])
            for name in ("quickdraw", "tuberlin")
        }
        has = (
            (self.pseudo[:, 0] < 128).flatten(1).any(dim=1).cpu().numpy() if use_pseudo else np.zeros(len(source), bool)
        )
        self.has_pseudo = has
        self.sketch_targets = F.one_hot(torch.from_numpy(self.sketch_word), len(self.words)).float().to(self.device)

    def batch(self, config: BatchConfig, random: np.random.Generator, views: int) -> Batch:
        """Draw a batch: photos balanced over categories, chairs, photos that nobody drew, and sketches of words."""
        photos: list[int] = []
        for word in random.permutation(len(self.drawn_by_word)):
            photos += random.permutation(self.drawn_by_word[word])[: config.photos_a_category].tolist()
            if len(photos) >= config.drawn * config.balanced:
                break
        photos = photos[: int(config.drawn * config.balanced)]
        others = np.setdiff1d(self.drawn, photos)
        photos += random.permutation(others)[: config.drawn - len(photos)].tolist()
        photos += random.permutation(self.chairs)[: config.chairs].tolist()
        for name, count in config.undrawn.items():
            named = random.permutation(self.named[name])[: int(config.named * count)]
            others = np.setdiff1d(self.undrawn[name], named)
            photos += named.tolist() + random.permutation(others)[: count - len(named)].tolist()
        # Batches are of one size, so that the GPU's convolutions are chosen once.
        chosen: list[int] = []
        position: list[int] = []
        for place, photo in enumerate(photos):
            ids = self.sketches_of.get(photo)
            if ids is not None:
                several = len(ids) >= config.sketches_a_photo
                chosen += random.choice(ids, config.sketches_a_photo, replace=not several).tolist()
                position += [place] * config.sketches_a_photo
        for name, count in config.unpaired.items():
            chosen += random.choice(self.unpaired[name], count, replace=count > len(self.unpaired[name])).tolist()
            position += [-1] * count
        pseudo = [False] * len(chosen)
        able = [place for place, photo in enumerate(photos) if self.has_pseudo[photo]]
        traced = random.permutation(able)[: int(config.pseudo * len(photos))].tolist() if able else []
        rows = torch.from_numpy(np.array(chosen)).to(self.device)
        variants = random.integers(0, self.bank.shape[1], len(chosen))
        variants[random.random(len(chosen)) < config.unchanged] = 0
        raster = self.bank[rows, torch.from_numpy(variants).to(self.device)]
        targets = self.sketch_targets[rows]
        photo_rows = torch.from_numpy(np.array(photos)).to(self.device)
        if traced:
            of = photo_rows[torch.from_numpy(np.array(traced)).to(self.device)]
            kind = torch.from_numpy(random.integers(0, self.pseudo.shape[1], len(traced))).to(self.device)
            raster = torch.cat([raster, self.pseudo[of, kind]])
            targets = torch.cat([targets, self.photo_words[of]])
            position += traced
            pseudo += [True] * len(traced)
        place = torch.from_numpy(np.array(position)).to(self.device)
        view = torch.from_numpy(random.integers(0, views, len(photos))).to(self.device)
        mirrored = torch.where(place >= 0, view[place.clamp(min=0)] % 2, _coins(len(place), random, self.device)) == 1
        ink = 1 - raster.float().unsqueeze(1) / 255
        ink = torch.where(mirrored.view(-1, 1, 1, 1), ink.flip(3), ink)
        return Batch(photo_rows, view, ink, place, torch.tensor(pseudo, device=self.device), targets)


def _coins(count: int, random: np.random.Generator, device: str) -> Tensor:
    return torch.from_numpy(random.integers(0, 2, count)).to(device)


def _photo_words(pack: Pack, number: dict[str, int]) -> np.ndarray:
    """(photos, words) float32: which words a photo shows, evenly; zeros where none is known."""
    out = np.zeros((len(pack.photo_keys), len(number)), dtype=np.float32)
    of_class: dict[int, list[str]] = {}
    for word, indices in read_table().items():
        for index in indices:
            of_class.setdefault(index, []).append(word)
    for row, (word, index) in enumerate(zip(pack.photo_words, pack.photo_classes, strict=True)):
        if word in number:
            out[row, number[word]] = 1
        for other in of_class.get(index, []):
            if other in number:
                out[row, number[other]] = 1
    return out / np.maximum(out.sum(axis=1, keepdims=True), 1)
