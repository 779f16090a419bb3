"""Validation: sketches that no run trains on, against galleries that resemble the tests; all are macro-averaged."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lab.bank import BankConfig, make_bank
from lab.pseudo import SOURCE as PSEUDO
from lab.store import Store
from sketchseek.evaluation.corruptions import first_strokes, wobble

SEEN_DISTRACTORS = 450


class Validation:
    """What is asked and searched; made once a run."""

    def __init__(self, store: Store) -> None:
        pack, self.store = store.pack, store
        subset, sketches = np.array(pack.photo_subset), np.array(pack.sketch_subset)
        source = np.array([key.split("/")[0] for key in pack.photo_keys])
        held = np.flatnonzero((subset == "drawn") | (subset == "distractor"))
        self.held = held
        people = [not key.startswith(f"{PSEUDO}/") for key in pack.sketch_keys]
        drawn = np.unique(np.array(pack.sketch_photo)[people])
        undrawn = np.setdiff1d(np.flatnonzero((subset == "train") & (source == "sketchy")), drawn)
        self.gallery = np.concatenate([held, undrawn[:SEEN_DISTRACTORS]])
        self.queries = np.flatnonzero(sketches == "drawn")
        self.word_queries = np.flatnonzero(sketches == "word")
        self.word_gallery = np.concatenate([held, np.flatnonzero(source == "imagenet")])
        self.emoji = np.flatnonzero(source == "emoji")
        self.chairs = np.flatnonzero(subset == "chairs")
        self.chair_queries = np.flatnonzero(sketches == "chairs")
        self.everything = np.unique(np.concatenate([self.gallery, self.word_gallery, self.emoji, self.chairs]))
        self.changed = {
            "first-50": self._redrawn(lambda strokes, random: first_strokes(strokes, 0.5)),
            "wobbly": self._redrawn(wobble),
        }

    def _redrawn(self, change) -> Tensor:  # type: ignore[no-untyped-def]
        lines = []
        for number, query in enumerate(self.chair_queries):
            strokes = [line.T.tolist() for line in self.store.pack.lines[query]]
            changed = change(strokes, np.random.default_rng(number))
            lines.append([np.asarray(stroke, dtype=np.float64).T for stroke in changed])
        config = BankConfig(size=self.store.bank.shape[-1], variants=1)
        return torch.from_numpy(make_bank(lines, [False] * len(lines), config, 1)[:, 0])

    def pixels(self) -> dict[str, Tensor]:
        """Every validation sketch, (n, size, size) uint8 by protocol."""
        rasters = self.store.rasters
        return {
            "drawn": rasters(self.queries),
            "words": rasters(self.word_queries),
            "chair": rasters(self.chair_queries),
            **self.changed,
        }

    @torch.no_grad()
    def measure(self, sketch: Callable[[Tensor], Tensor], photo_embeddings: Tensor) -> dict[str, float]:
        """All figures.

        Args:
            sketch: Gives embeddings of unit length of (n, size, size) uint8.
            photo_embeddings: (photos, d) unit length, of all photos.
        """
        embedded = {
            name: torch.cat([sketch(part).float() for part in pixels.split(256)])
            for name, pixels in self.pixels().items()
        }
        return self.figures(embedded, photo_embeddings)

    def figures(self, sketches: dict[str, Tensor], photo_embeddings: Tensor) -> dict[str, float]:
        """All figures, from the embeddings of ``pixels()`` and of all photos."""

        def photos(rows: np.ndarray) -> Tensor:
            return photo_embeddings[torch.from_numpy(rows)]

        figures = self._instance(sketches["drawn"], photos(self.gallery))
        chair_photo = {int(p): i for i, p in enumerate(self.chairs)}
        wanted = torch.tensor([chair_photo[self.store.pack.sketch_photo[q]] for q in self.chair_queries])
        for name in ("chair", *self.changed):
            rank = _ranks(sketches[name] @ photos(self.chairs).T, wanted)
            figures[f"{name}_acc@1"] = float((rank == 1).float().mean())
            figures[f"{name}_logrank"] = float(rank.float().log2().mean())
        word = sketches["words"]
        figures |= self._words(word, photos(self.word_gallery)) | self._emoji(word, photos(self.emoji))
        figures["photo_P@1"] = self._photos(photos(self.held), photos(self.gallery))
        scored = ("R@1", "R@10", "P@1", "word_P@5", "chair_acc@1", "emoji_hit@5", "first-50_acc@1")
        figures["score"] = float(np.mean([figures[name] for name in scored]))
        return {name: round(value, 4) for name, value in figures.items()}

    def _instance(self, query: Tensor, gallery: Tensor) -> dict[str, float]:
        pack = self.store.pack
        place = {int(p): i for i, p in enumerate(self.gallery)}
        wanted = torch.tensor([place[pack.sketch_photo[q]] for q in self.queries])
        scores = query @ gallery.T
        rank = _ranks(scores, wanted)
        words = np.array(pack.photo_words)
        right = words[self.gallery][scores.argmax(1).cpu().numpy()] == words[self.gallery][wanted.cpu().numpy()]
        category = words[self.gallery][wanted.cpu().numpy()]
        figures: dict[str, list[float]] = {}
        for name, values in {
            "R@1": (rank == 1).float(),
            "R@10": (rank <= 10).float(),
            "logrank": rank.float().log2(),
            "P@1": torch.from_numpy(right).float(),
        }.items():
            values = values.cpu().numpy()
            figures[name] = [float(values[category == one].mean()) for one in np.unique(category)]
        return {name: float(np.mean(values)) for name, values in figures.items()}

    def _words(self, query: Tensor, gallery: Tensor) -> dict[str, float]:
        store = self.store
        shown = store.photo_words[torch.from_numpy(self.word_gallery)] > 0
        asked = torch.from_numpy(store.sketch_word[self.word_queries])
        relevant = shown.T[asked]
        kept = relevant.sum(dim=1) >= 3
        order = (query[kept] @ gallery.T).argsort(dim=1, descending=True)
        hits = relevant[kept].gather(1, order).float()
        position = torch.arange(1, hits.shape[1] + 1, device=hits.device)
        average = (hits * hits.cumsum(1) / position).sum(1) / hits.sum(1)
        values = {"word_P@1": hits[:, 0], "word_P@5": hits[:, :5].mean(1), "word_mAP": average}
        names = asked[kept].cpu().numpy()
        return {
            key: float(np.mean([value.cpu().numpy()[names == one].mean() for one in np.unique(names)]))
            for key, value in values.items()
        }

    def _emoji(self, query: Tensor, gallery: Tensor) -> dict[str, float]:
        pack = self.store.pack
        shown = np.array(pack.photo_words)[self.emoji]
        asked = np.array(pack.sketch_words)[self.word_queries]
        kept = np.flatnonzero(np.isin(asked, shown))
        top = (query[torch.from_numpy(kept)] @ gallery.T).topk(5).indices.cpu().numpy()
        return {"emoji_hit@5": float((shown[top] == asked[kept][:, None]).any(axis=1).mean())}

    def _photos(self, query: Tensor, gallery: Tensor) -> float:
        words = np.array(self.store.pack.photo_words)
        group = self.store.group
        a, b = (torch.from_numpy(rows) for rows in (self.held, self.gallery))
        scores = (query @ gallery.T).masked_fill(group[a][:, None] == group[b][None], -2)
        right = words[self.gallery][scores.argmax(1).cpu().numpy()] == words[self.held]
        return float(np.mean([right[words[self.held] == one].mean() for one in np.unique(words[self.held])]))


def _ranks(scores: Tensor, wanted: Tensor) -> Tensor:
    own = scores.gather(1, wanted[:, None])
    return (scores > own).sum(dim=1) + 1


def as_line(values: dict[str, object]) -> str:
    """One JSON line."""
    return json.dumps(values)


def normalized(rows: Tensor) -> Tensor:
    """Rows of unit length."""
    return F.normalize(rows.float(), dim=1)
