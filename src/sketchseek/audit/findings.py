"""The kinds of findings of an audit, and a finding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Literal


@dataclass(frozen=True)
class Kind:
    """One kind of finding.

    Attributes:
        title: Title for people.
        about: Whether a finding is about a ``sketch`` or a ``photo``.
        meaning: What the finding means and the rule behind it, in sentences for people.
        official: The list of invalid sketches in Sketchy's style that it goes to; empty for none.
    """

    title: str
    about: Literal["sketch", "photo"]
    meaning: str
    official: str = ""


KINDS: dict[str, Kind] = {
    "exact_duplicate": Kind(
        "Exact duplicates",
        "photo",
        "Two photos have the same pixels, apart from encoding, size or mirroring.",
    ),
    "near_duplicate": Kind(
        "Near-duplicate photos",
        "photo",
        "Two photos show the same kind of object in the same pose, by the cosine of their embeddings. A sketch of one "
        "also fits the other, so as negatives of each other they are false negatives.",
    ),
    "cross_split_duplicate": Kind(
        "Duplicates across the train / test split",
        "photo",
        "A test photo is an exact or near-duplicate of a training photo.",
    ),
    "mislabeled": Kind(
        "Mislabeled",
        "sketch",
        "The sketch scores its own photo much lower than the other sketches of the photo do, and another photo scores "
        "higher: it shows something else, or writing.",
        "error",
    ),
    "blank": Kind("Blank", "sketch", "The sketch has no ink, or no more than one short line.", "error"),
    "mispaired": Kind(
        "Mispaired",
        "sketch",
        "The sketch fits its category rather than its own photo, and is unlike the other sketches of the photo: it "
        "shows another pose or belongs to another photo.",
        "pose",
    ),
    "ambiguous": Kind(
        "Ambiguous",
        "sketch",
        "The sketch fits the photos of its category badly, and is unlike the other sketches of its photo.",
        "ambiguous",
    ),
    "outlier": Kind(
        "Outliers",
        "sketch",
        "The sketch is much less like the other sketches of its photo than these are like each other. It has one of "
        "the other problems, or shows the surroundings as well.",
        "context",
    ),
    "cropped": Kind(
        "Cropped",
        "sketch",
        "Ink touches the image border in two places or more. If the photo crops its subject, so do faithful sketches.",
    ),
}

PAIRS = ("exact_duplicate", "near_duplicate", "cross_split_duplicate")
"""Kinds whose findings are pairs of photos."""


@dataclass(frozen=True)
class Finding:
    """One suspected problem.

    Attributes:
        kind: One of ``KINDS``.
        key: Key of the sketch or photo.
        category: Its category.
        score: Confidence; comparable only within one kind.
        facts: Numbers and names that give the reason, ready for JSON.
        others: Keys of photos to compare with, nearest first.
    """

    kind: str
    key: str
    category: str
    score: float
    facts: dict[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "kind": self.kind,
            "key": self.key,
            "category": self.category,
            "score": round(self.score, 4),
            **self.facts,
            "others": list(self.others),
        }


def varied(findings: Sequence[Finding], count: int) -> list[Finding]:
    """The ``count`` best findings, spread over categories: the best of each, then the second best, and so on."""
    by_category: dict[str, list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=lambda f: (-f.score, f.key)):
        by_category[finding.category].append(finding)
    rounds = zip_longest(*by_category.values())
    return [finding for turn in rounds for finding in turn if finding is not None][:count]
