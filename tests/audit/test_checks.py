"""Each rule on signals that are made up, on both sides of its threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketchseek.audit.checks import (
    FRACTIONS,
    Limits,
    check_ink,
    check_near_duplicates,
    check_sketches,
    quantile_thresholds,
)
from sketchseek.audit.findings import KINDS, Finding, varied
from sketchseek.audit.ink import Ink
from sketchseek.audit.near_duplicates import NearDuplicates
from sketchseek.audit.ranking import Ranking
from sketchseek.audit.signals import Signals
from sketchseek.datasets.records import Photo, Sketch

LIMITS = Limits()
PHOTOS = [Photo(Path(f"{key}.jpg"), key.split("/")[0], key) for key in ("cat/0", "cat/1", "dog/0")]
CATEGORIES = ("cat", "dog")


def signals(count: int = 100, beaten: bool = True) -> Signals:
    """Sketches of rising suspicion, of every kind."""
    rising = np.arange(count) / count
    everyone = np.ones(count, dtype=bool)
    return Signals(-rising, rising, rising + 0.01, -rising, everyone & beaten, everyone)


def check(values: Signals, fractions: dict[str, float], margin: float = 1.0) -> list[Finding]:
    count = len(values.own)
    sketches = [Sketch("cat", f"cat/0-{n:03}", "cat/0") for n in range(count)]
    ranking = Ranking(
        np.full(count, 2),
        values.own,
        np.tile([1, 2], (count, 1)),
        np.tile([2.0, 1.0], (count, 1)),
        np.full(count, margin),
        np.ones(count, dtype=np.int64),
        values.own,
        values.category_mean,
    )
    limits = Limits(fractions={**dict.fromkeys(FRACTIONS, 0.0), **fractions})
    thresholds = quantile_thresholds(values.suspicion(), limits)
    return check_sketches(sketches, PHOTOS, ranking, values, thresholds, CATEGORIES)


@pytest.mark.parametrize("kind", FRACTIONS)
def test_a_fraction_of_the_sketches_is_found_the_most_suspicious_ones(kind: str) -> None:
    found = check(signals(), {kind: 0.05})
    assert {finding.kind for finding in found} == {kind}
    assert [finding.key for finding in found] == [f"cat/0-{n:03}" for n in range(95, 100)]
    assert found[0].others == ("cat/1", "dog/0")
    assert (found[0].facts["rank"], found[0].facts["lag"], found[0].facts["taken_for"]) == (2, 0.95, "dog")


def test_a_sketch_that_finds_its_photo_first_is_no_finding() -> None:
    assert check(signals(beaten=False), dict(FRACTIONS)) == []


def test_a_sketch_that_its_category_wins_is_taken_for_nothing() -> None:
    (found,) = check(signals(), {"mislabeled": 0.01}, margin=-1.0)
    assert "taken_for" not in found.facts


def test_a_threshold_is_a_quantile_of_the_assessed_sketches() -> None:
    limits = Limits(fractions={"mislabeled": 0.25})
    scores = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
    threshold = quantile_thresholds({"mislabeled": scores}, limits)["mislabeled"]
    assert threshold.to_dict() == {"value": 4.0, "quantile": 0.75, "of": 5}
    nothing = quantile_thresholds({"mislabeled": scores[5:]}, limits)["mislabeled"]
    assert nothing.to_dict() == {"value": None, "quantile": 0.75, "of": 0}


def test_nothing_is_found_where_nothing_can_be_assessed() -> None:
    unknown = np.full(4, np.nan)
    none = np.zeros(4, dtype=bool)
    assert check(Signals(unknown, unknown, unknown, unknown, none, none), dict(FRACTIONS)) == []


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
