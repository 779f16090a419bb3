"""Each rule on rankings that are made up, on both sides of its threshold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.audit.checks import Thresholds, check_ink, check_near_duplicates, check_photos, check_sketches
from sketchseek.audit.findings import KINDS, Finding, varied
from sketchseek.audit.ink import Ink
from sketchseek.audit.near_duplicates import NearDuplicates
from sketchseek.audit.ranking import Ranking
from sketchseek.datasets.records import Photo, Sketch

LIMITS = Thresholds()
PHOTOS = [Photo(Path(f"{key}.jpg"), key.split("/")[0], key) for key in ("cat/0", "cat/1", "dog/0")]
CATEGORIES = ("cat", "dog")


def ranking(count: int = 1, **values: object) -> Ranking:
    """A sketch of cat/0 that finds it first and nothing else near."""
    plain = {
        "rank": 1,
        "own": 3.0,
        "first": [1, 2],
        "scores": [2.0, 1.0],
        "category_margin": -2.0,
        "rival": 1,
        "near_categories": 1,
        "near_photos": 1,
    }
    return Ranking(**{name: np.array([values.get(name, value)] * count) for name, value in plain.items()})


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({}, []),
        ({"category_margin": LIMITS.mislabeled_margin}, ["mislabeled"]),
        ({"category_margin": LIMITS.mislabeled_margin - 0.01}, []),
        ({"category_margin": np.inf}, []),  # nobody photographed its category
        ({"rank": 2, "own": 1.0}, ["mispaired"]),
        ({"rank": 2, "own": 1.01}, []),
        ({"rank": 3, "own": 0.5, "first": [2, 1]}, []),  # beaten by another category, though not by far
        ({"rank": 3, "own": 0.5, "category_margin": 2.0}, ["mislabeled"]),
        ({"near_categories": LIMITS.ambiguous_categories}, ["ambiguous"]),
        ({"near_categories": LIMITS.ambiguous_categories - 1, "near_photos": 99}, []),
    ],
)
def test_sketches(values: dict[str, Any], kinds: list[str]) -> None:
    sketch = Sketch("cat", "cat/0-1", "cat/0")
    found = check_sketches([sketch], PHOTOS, ranking(**values), CATEGORIES, frozenset(), LIMITS)
    assert [finding.kind for finding in found] == kinds
    for finding in found:
        assert (finding.key, finding.others[0]) == ("cat/0-1", PHOTOS[values.get("first", [1])[0]].key)


def test_sketches_of_an_occluded_photo_are_not_to_blame() -> None:
    sketch, values = Sketch("cat", "cat/0-1", "cat/0"), ranking(rank=9, own=0.0, category_margin=5.0)
    assert check_sketches([sketch], PHOTOS, values, CATEGORIES, frozenset({"cat/0"}), LIMITS) == []


def test_where_there_is_one_category_many_near_photos_are_ambiguous() -> None:
    photos = [Photo(Path(f"{i}.jpg"), "", str(i)) for i in range(30)]
    sketch = Sketch("", "0-1", "0")
    for near, kinds in ((3, ["ambiguous"]), (2, [])):
        found = check_sketches([sketch], photos, ranking(near_photos=near), ("",), frozenset(), LIMITS)
        assert [finding.kind for finding in found] == kinds


@pytest.mark.parametrize(
    ("drawn", "own", "rank", "hidden"), [(3, 2.4, 9, True), (2, 2.4, 9, False), (3, 2.5, 9, False), (3, 2.4, 1, False)]
)
def test_photos(drawn: int, own: float, rank: int, hidden: bool) -> None:
    sketches = [Sketch("cat", f"cat/0-{n}", "cat/0") for n in range(drawn)]
    found = check_photos(sketches, PHOTOS, ranking(drawn, own=own, rank=rank), LIMITS)
    assert [finding.key for finding in found] == (["cat/0"] if hidden else [])
    assert all(finding.others == tuple(sketch.key for sketch in sketches) for finding in found)


@pytest.mark.parametrize(("rank", "hidden"), [(6, True), (5, False)])
def test_photos_of_one_category_go_by_rank(rank: int, hidden: bool) -> None:
    photos = [Photo(Path(f"{i}.jpg"), "", str(i)) for i in range(20)]
    sketches = [Sketch("", f"0-{n}", "0") for n in range(3)]
    assert bool(check_photos(sketches, photos, ranking(3, own=0.1, rank=rank), LIMITS)) is hidden


@pytest.mark.parametrize(
    ("ink", "kinds"),
    [
        (Ink(3.0), []),
        (Ink(0.0), ["blank"]),
        (Ink(1.1), ["blank"]),
        (Ink(3.0, contacts=1, contact=0.1), []),
        (Ink(3.0, contacts=2, contact=0.1), ["cropped"]),
        (Ink(0.0, problem="broken"), []),
    ],
)
def test_ink(ink: Ink, kinds: list[str]) -> None:
    assert [finding.kind for finding in check_ink([Sketch("cat", "cat/0-1")], [ink], LIMITS)] == kinds


@pytest.mark.parametrize(
    ("test", "kind", "key"),
    [
        (None, "near_duplicate", "cat/0"),
        (frozenset({"cat/0", "cat/1"}), "near_duplicate", "cat/0"),
        (frozenset({"cat/1"}), "cross_split_duplicate", "cat/1"),
        (frozenset(), None, None),
    ],
)
def test_duplicates(test: frozenset[str] | None, kind: str | None, key: str | None) -> None:
    found = check_near_duplicates(PHOTOS, [NearDuplicates(0, 1, "near", 0.95, 0.3)], test)
    assert [(finding.kind, finding.key) for finding in found] == ([(kind, key)] if kind else [])


def test_exact_duplicates_are_told_from_near_duplicates() -> None:
    (found,) = check_near_duplicates(PHOTOS, [NearDuplicates(0, 2, "mirrored", 0.4, 0.99)], None)
    assert (found.kind, found.facts["duplicates"], found.facts["same_category"]) == (
        "exact_duplicate",
        "mirrored",
        False,
    )


def test_what_is_shown_varies_by_category() -> None:
    findings = [
        Finding("cropped", f"{c}/{i}", c, score) for c, i, score in (("a", 0, 9.0), ("a", 1, 8.0), ("b", 0, 1.0))
    ]
    assert [finding.key for finding in varied(findings, 2)] == ["a/0", "b/0"]
    assert len(varied(findings, 9)) == 3
    assert {finding.kind for finding in findings} <= set(KINDS)


def test_thresholds_can_be_others() -> None:
    sketch = Sketch("cat", "cat/0-1", "cat/0")
    limits = replace(LIMITS, mislabeled_margin=-3.0)
    assert check_sketches([sketch], PHOTOS, ranking(), CATEGORIES, frozenset(), limits)[0].kind == "mislabeled"
    assert limits.to_dict()["mislabeled_margin"] == -3.0
