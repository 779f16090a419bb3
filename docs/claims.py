"""The table of the published claims in ``docs/results.md``, from the ablations by cross-validation."""

from __future__ import annotations

from functools import cache

from measured import MEASURED, table

from sketchseek.ablations.cross_validation import FoldVerdict
from sketchseek.ablations.fold_tables import shown_estimate, shown_word
from sketchseek.ablations.results import AblationResults, load_results

MARK = "{{claims}}"
"""What the table replaces in ``docs/discussion.md``."""

CLAIMS: dict[str, list[tuple[str, str]]] = {
    "Training data has limitations that can be shown": [
        ("invalid-lists-last-folds", "Training without all official lists beats training without as many at random"),
        ("invalid-lists-folds", "Training without all official lists beats training without as many at random"),
        *(
            ("invalid-each-folds", f"Training without the list `{name}` beats training without as many at random")
            for name in ("error", "ambiguous", "pose", "context")
        ),
    ],
    "Relative Triplet Loss beats triplet loss": [
        ("relative-triplet-folds", "With copies of all, RTL by photos, far, beats triplet loss"),
        ("again-folds", "Without copies, RTL by photos, far, beats triplet loss"),
        ("relative-triplet-folds", "Without copies, RTL by photos, far, beats triplet loss"),
        ("relative-triplet-folds", "Without copies, RTL by anchors, far, beats triplet loss"),
        ("chairs-folds", "Chairs, with copies of all: RTL by photos, far, beats triplet loss"),
        ("chairs-folds", "Chairs, without copies: RTL by photos, far, beats triplet loss"),
    ],
    "Batch normalization suits embeddings better than L2 normalization": [
        ("normalization-last-folds", "With triplet loss, batch normalization beats L2 normalization"),
        ("again-folds", "With triplet loss, batch normalization beats L2 normalization"),
        ("normalization-folds", "Batch normalization beats L2 normalization"),
    ],
    "Photos need the larger encoder": [
        (
            "capacity-last-folds",
            "Photos need the larger network: Lite2 for photos and Lite0 for sketches beats the reverse",
        ),
        (
            "capacity-again-folds",
            "Photos need the larger network: Lite2 for photos and Lite0 for sketches beats the reverse",
        ),
        ("capacity-folds", "Photos need the larger network: Lite2 for photos and Lite0 for sketches beats the reverse"),
        ("capacity-folds", "A larger sketch encoder helps"),
        (
            "capacity-distilled-folds",
            "Whole networks from a distilled start: x1.0 for photos and x0.5 for sketches beats the reverse",
        ),
    ],
    "Distillation trains small students with marginal loss": [
        ("distillation-folds", "ShuffleNetV2 by regression is at most 2 points below its teacher"),
        ("distillation-folds", "Distillation helps ShuffleNetV2"),
        ("distillation-folds", "A student of teacher A's size, by both teachers, is at most 2 points below it"),
        ("distillation-spaces-folds", "ShuffleNetV2 in its own space is at most 2 points below its teacher"),
        ("distillation-spaces-folds", "From a distilled start, regression helps ShuffleNetV2"),
        ("distillation-spaces-folds", "Own space helps ShuffleNetV2"),
        ("distillation-spaces-folds", "A second teacher helps ShuffleNetV2"),
    ],
}
"""By claim, the hypotheses that test it: the file and the hypothesis. What has not run is left out."""


@cache
def stored_ablations() -> dict[str, AblationResults]:
    """The stored ablations by name; read once, since their intervals take seconds."""
    return {file.stem: load_results(file) for file in (MEASURED / "ablations").glob("*.jsonl")}


def claims() -> str:
    """The table: one row for each hypothesis, with effect, interval, minimum detectable effect, verdict and cost."""
    folds = {name: each.cross_validation for name, each in stored_ablations().items() if each.cross_validation}
    verdicts = {(name, each.hypothesis): each for name, result in folds.items() for each in result.verdicts}
    rows = []
    for claim, tests in CLAIMS.items():
        found = [(name, verdicts[name, hypothesis]) for name, hypothesis in tests if (name, hypothesis) in verdicts]
        if not found:
            rows.append([claim, "not tested by training", "–", "–", "see below", "–", "–"])
        rows += [[claim if place == 0 else "", *_row(name, verdict)] for place, (name, verdict) in enumerate(found)]
    head = ["claim", "tested as", "difference in points", "MDE", "verdict", "core-minutes", "ablation"]
    return "\n".join(table(head, rows))


def _row(name: str, verdict: FoldVerdict) -> list[str]:
    return [
        verdict.hypothesis,
        shown_estimate(verdict),
        f"{100 * verdict.decision.detectable:.1f}",
        shown_word(verdict),
        f"{verdict.core_minutes:.1f}",
        f"`{name}`",
    ]
