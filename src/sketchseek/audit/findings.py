"""What an audit can find: the kinds, what each means, and one finding."""

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
        title: For people.
        about: Whether a finding's key is a sketch's or a photo's.
        meaning: What it says, by which rule; may name thresholds.
        official: Which of Sketchy's lists of invalid sketches it would be on; empty for none.
    """

    title: str
    about: Literal["sketch", "photo"]
    meaning: str
    official: str = ""


KINDS: dict[str, Kind] = {
    "same_picture": Kind(
        "One picture twice",
        "photo",
        "Two photos are one picture, encoded anew, resized or mirrored, by their pixels.",
    ),
    "near_twins": Kind(
        "Near-duplicate photos",
        "photo",
        "Two photos show the same kind of thing in the same pose, so that a sketch of one would do for the other, by "
        "the cosine of their embeddings. As negatives of each other they teach the wrong thing.",
    ),
    "across_parts": Kind(
        "NearDuplicates across training and test",
        "photo",
        "A photo of the test part is, or nearly is, a photo of the training part.",
    ),
    "wrong_object": Kind(
        "Wrong object",
        "sketch",
        "The nearest photo of another category beats every photo of the sketch's own category by far, though other "
        "sketches of the same photo do not all miss it.",
        "error",
    ),
    "blank": Kind("Blank or nearly", "sketch", "There is no ink, or no more of it than one short line.", "error"),
    "elsewhere": Kind(
        "Nearer to another photo than to its own",
        "sketch",
        "Another photo of the same category beats the sketch's own by far: another pose, or the wrong photo.",
        "pose",
    ),
    "ambiguous": Kind(
        "Ambiguous",
        "sketch",
        "Nothing stands out: photos of many categories are about as near as the nearest.",
        "ambiguous",
    ),
    "hidden_subject": Kind(
        "Photos whose subject is hidden",
        "photo",
        "All sketches of the photo miss it by far: its subject is small, covered, dark or drawn as it is not seen.",
        "context",
    ),
    "cropped": Kind(
        "Cropped",
        "sketch",
        "Ink runs off the sheet in two places or more. Where the photo cuts its subject off, so do faithful sketches.",
    ),
}

PAIRS = ("same_picture", "near_twins", "across_parts")
"""Kinds whose findings are two photos each."""


@dataclass(frozen=True)
class Finding:
    """One thing that may be wrong.

    Attributes:
        kind: One of ``KINDS``.
        key: Of the sketch or photo.
        category: Of it.
        score: How sure; larger is surer, comparable within the kind only.
        facts: Figures and names that say why.
        others: Keys of photos to look at beside it, nearest first.
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
    """The surest of each category, then the second surest of each, and so on: a page of guitars shows nothing."""
    by_category: dict[str, list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=lambda f: (-f.score, f.key)):
        by_category[finding.category].append(finding)
    rounds = zip_longest(*by_category.values())
    return [finding for turn in rounds for finding in turn if finding is not None][:count]
