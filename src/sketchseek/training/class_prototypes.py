"""ImageNet classes of sketch words, and prototypes of words from the rows of an ImageNet classifier.

A row of an ImageNet classifier is a prototype of its class in the network's feature space. A word that names classes
therefore has a prototype even without photos. ``words.csv`` maps words to classes: by name where the names agree, and
by hand otherwise (``experiments/encoders/lab/words.py``).
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from sketchseek.datasets.records import normalize_word

CLASSES = 1000
"""Number of ImageNet classes; indices are those of timm and torchvision."""

TABLE = Path(__file__).with_name("words.csv")


@functools.cache
def classes_of_words() -> Mapping[str, tuple[int, ...]]:
    """Indices of ImageNet classes by word, as ``normalize_word`` writes it; empty for a word that names no class."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        table = {row["word"]: tuple(map(int, row["imagenet_class_indices"].split())) for row in rows}
    return MappingProxyType(table)


def class_prototypes(classifier: Tensor, words: Iterable[str]) -> tuple[Tensor, Tensor]:
    """Prototypes of words: the mean of the normalized classifier rows of each word's classes, normalized.

    Args:
        classifier: (1000, d) weights of an ImageNet classifier.
        words: Names of categories in any spelling that ``normalize_word`` accepts.

    Returns:
        Prototypes (words, d), and (words,) bool, false for a word without classes, whose prototype is zero.

    Raises:
        ValueError: The classifier does not have 1,000 rows.
    """
    if classifier.ndim != 2 or len(classifier) != CLASSES:
        raise ValueError(
            f"An ImageNet classifier has {CLASSES} rows; this one has the shape {tuple(classifier.shape)}."
        )
    rows = torch.nn.functional.normalize(classifier, dim=1)
    table = classes_of_words()
    indices = [table.get(normalize_word(word), ()) for word in words]
    means = [rows[list(each)].mean(dim=0) if each else rows.new_zeros(rows.shape[1]) for each in indices]
    known = torch.tensor([bool(each) for each in indices], dtype=torch.bool, device=rows.device)
    prototypes = torch.stack(means) if means else rows.new_zeros((0, rows.shape[1]))
    return torch.nn.functional.normalize(prototypes, dim=1), known
