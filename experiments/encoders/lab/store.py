"""Prepared data, and batches out of it. A batch is a function of the seed and the step, so runs resume exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.config import BatchConfig
from lab.pack import Pack
from lab.pseudo import SOURCE as PSEUDO
from lab.records import word_of
from sketchseek.training.class_prototypes import classes_of_words

Rows = npt.NDArray[np.int64]
EXTRA_WORDS = {"dress", "longsleeve", "skirt", "shirt"}
"""Words that only photos have."""


@dataclass
class Batch:
    """One training batch.

    Attributes:
        sketches: (s,) numbers of sketches. ``pixels`` (s, side, side) float, 255 paper to 0 ink.
        photo: (s,) number of each sketch's photo, or -1.
        mirrored: (s,) bool, whether the sketch was mirrored.
        words: (s, words) what it shows: one word of a person's sketch, all of a pseudo-sketch's photo; may be none.
    """

    sketches: Rows
    pixels: Tensor
    photo: Tensor
    mirrored: Tensor
    words: Tensor


class Store:
    """The bank of rasters, and lists of what may be trained on.

    Args:
        pack: The packed data.
        bank: File of rasters, (sketches, variants, side, side) uint8.
        without: Names of lists of invalid sketches that are left out.
    """

    def __init__(self, pack: Pack, bank: Path, without: tuple[str, ...] = ()) -> None:
        self.pack = pack
        self.bank = np.load(bank, mmap_mode="r")
        if len(self.bank) != len(pack.sketch_keys):
            raise ValueError(f"{bank} has {len(self.bank)} sketches, the pack {len(pack.sketch_keys)}. Make it again.")
        self.words = words_of(pack)
        number = {word: i for i, word in enumerate(self.words)}
        self.sketch_word = np.array([number.get(w, -1) for w in pack.sketch_words])
        self.photo_words = torch.from_numpy(_photo_words(pack, number))
        self.source = np.array([key.split("/")[0] for key in pack.photo_keys])
        self.train_photos = np.flatnonzero([s == "train" for s in pack.photo_subset])
        banned = np.array([bool(set(text.split(",")) & set(without)) for text in pack.sketch_invalid])
        self.train_sketches = np.flatnonzero((np.array(pack.sketch_subset) == "train") & ~banned)
        stems = [k.partition("/")[2] if k.split("/")[0] in ("sketchy", "cropped") else k for k in pack.photo_keys]
        self.group = torch.from_numpy(np.unique(stems, return_inverse=True)[1])
        self.sketch_photo = np.array(pack.sketch_photo)
        self._lists()

    def _lists(self) -> None:
        pack = self.pack
        of_photo: dict[int, list[int]] = defaultdict(list)
        self.unpaired: dict[str, Rows] = {}
        source = np.array([key.split("/")[0] for key in pack.sketch_keys])
        for sketch in self.train_sketches:
            if self.sketch_photo[sketch] >= 0 and source[sketch] != PSEUDO:
                of_photo[int(self.sketch_photo[sketch])].append(int(sketch))
        self.sketches_of = {photo: np.array(rows) for photo, rows in of_photo.items()}
        for name in ("quickdraw", "tuberlin"):
            self.unpaired[name] = self.train_sketches[source[self.train_sketches] == name]
        self.pseudo = self.train_sketches[source[self.train_sketches] == PSEUDO]
        self.paired = np.array(sorted(self.sketches_of))
        self.chairs = self.paired[self.source[self.paired] == "chairv2"]
        drawn = self.paired[self.source[self.paired] != "chairv2"]
        by_word: dict[str, list[int]] = defaultdict(list)
        for photo in drawn:
            by_word[pack.photo_words[photo]].append(int(photo))
        self.drawn = [np.array(rows) for rows in by_word.values()]
        undrawn = np.setdiff1d(self.train_photos, self.paired)
        named = (self.photo_words.sum(dim=1) > 0).numpy()
        self.always = undrawn[(self.source[undrawn] == "emoji") & named[undrawn]]
        self.undrawn = np.setdiff1d(undrawn, self.always)

    def batch(self, config: BatchConfig, seed: int, step: int) -> Batch:
        """The batch of a step."""
        random = np.random.default_rng([seed, step])
        sizes = np.array([sum(len(self.sketches_of[p]) for p in rows) for rows in self.drawn]) ** config.balance
        categories = random.choice(len(self.drawn), config.drawn, p=sizes / sizes.sum())
        chosen = [random.choice(self.sketches_of[int(random.choice(self.drawn[category]))]) for category in categories]
        if config.chairs:
            photos = random.choice(self.chairs, config.chairs, replace=False)
            chosen += [random.choice(self.sketches_of[int(photo)]) for photo in photos]
        for name, count in config.unpaired.items():
            words = self.sketch_word[self.unpaired[name]]
            asked = random.choice(np.unique(words), count, replace=True)
            chosen += [random.choice(self.unpaired[name][words == word]) for word in asked]
        if config.pseudo:
            chosen += list(random.choice(self.pseudo, config.pseudo, replace=False))
        rows = np.array(chosen)
        variants = random.integers(0, self.bank.shape[1], len(rows))
        variants[random.random(len(rows)) < config.unchanged] = 0
        pixels = torch.from_numpy(self.bank[rows, variants]).float()
        mirrored = torch.from_numpy(random.random(len(rows)) < 0.5)
        pixels = torch.where(mirrored.view(-1, 1, 1), pixels.flip(2), pixels)
        photo = torch.from_numpy(self.sketch_photo[rows])
        return Batch(rows, pixels, photo, mirrored, self.shown(rows))

    def shown(self, rows: Rows) -> Tensor:
        """(n, words) float32: words of sketches, evenly."""
        out = torch.zeros(len(rows), len(self.words))
        word = torch.from_numpy(self.sketch_word[rows])
        out[word >= 0, word[word >= 0]] = 1
        pseudo = torch.from_numpy(np.isin(rows, self.pseudo))
        out[pseudo] = self.photo_words[torch.from_numpy(self.sketch_photo[rows])[pseudo]]
        return out

    def gallery(self, config: BatchConfig, seed: int, step: int) -> Rows:
        """Photos of a step: every photo with sketches, every emoji with a word, and some of the others."""
        random = np.random.default_rng([seed, step, 1])
        return np.concatenate([self.paired, self.always, random.choice(self.undrawn, config.undrawn, replace=False)])

    def rasters(self, rows: Rows) -> Tensor:
        """(n, side, side) uint8 of sketches as they were drawn."""
        return torch.from_numpy(self.bank[rows, 0])


def words_of(pack: Pack) -> list[str]:
    """All words of sketches and photos, in the order of the word classifier."""
    drawn = zip(pack.sketch_words, pack.sketch_keys, strict=True)
    return sorted({word for word, key in drawn if not key.startswith(f"{PSEUDO}/")} | EXTRA_WORDS)


def places_of(names: Iterable[str], words: Sequence[str]) -> Tensor:
    """Place of each of these names, such as doodleNet's, among the words."""
    number = {word: i for i, word in enumerate(words)}
    return torch.tensor([number[word_of(name)] for name in names])


def _photo_words(pack: Pack, number: dict[str, int]) -> npt.NDArray[np.float32]:
    """(photos, words) float32: which words a photo shows, evenly; zeros where none is known."""
    out = np.zeros((len(pack.photo_keys), len(number)), dtype=np.float32)
    of_class: dict[int, list[str]] = defaultdict(list)
    for word, indices in classes_of_words().items():
        for index in indices:
            of_class[index].append(word)
    for row, (word, index) in enumerate(zip(pack.photo_words, pack.photo_classes, strict=True)):
        for each in {word, *of_class.get(index, [])}:
            if each in number:
                out[row, number[each]] = 1
    return out / np.maximum(out.sum(axis=1, keepdims=True), 1)
