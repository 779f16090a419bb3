"""The section of ``docs/results.md`` on the ablations stored in ``docs/measured/ablations/``."""

from __future__ import annotations

from claims import stored_ablations
from measured import table

from sketchseek.ablations.cross_validation import CrossValidation
from sketchseek.ablations.fold_tables import shown_estimate, shown_p, shown_word
from sketchseek.ablations.macro import LOG_RANK
from sketchseek.ablations.results import AblationResults, markdown, shown_difference

FOLDS_ORDER = [
    "normalization-last-folds",
    "capacity-last-folds",
    "invalid-lists-last-folds",
    "again-folds",
    "normalization-folds",
    "relative-triplet-folds",
    "capacity-folds",
    "capacity-whole-folds",
    "distillation-folds",
    "invalid-lists-folds",
]
_FOLDS_TEXT = """\
## Ablations by cross-validation

Each file `experiments/ablations/*-folds.yaml` states its hypotheses, their metric and when it stops, and was committed
before its runs. All 1,724 drawn training photos of both variants, with their 10,015 sketches, are dealt into five
folds, in the `last` files and `invalid-each-folds` into ten; a photo is in one fold in both variants. `chairs-folds`
deals out the 300 training photos of QMUL-Chair-V2 in their place. A run trains without a fold, and then ranks the
fold's photos, drawn or not, for each of its sketches. Averages count each category the same. The test list was not
read. One command repeats or continues a file:

    sketchseek compare experiments/ablations/NAME.yaml --data DATA --store docs/measured/ablations

Differences are paired by sketch, fold and seed. Intervals (95 %) cover photos, by cluster bootstrap, and trainings, by
what folds differ more than their photos explain. p-values are multiplied by how often a hypothesis has been tested
(`tests` in its file) and corrected within the file (Holm). MDE is the difference that one such test finds with a chance
of 80 %. *Supported* and *rejected*: p below 0.05. *Equivalent*: not so, and the
90 % interval lies within ±1 point (TOST). "At most 2 points below" tests for non-inferiority. The last column is what
the compared runs took, on one core.

"""
ORDER = ["losses", "normalization", "capacity", "distillation", "augmentation", "strokes", "audit", "chairs", "data"]


def ablations() -> list[str]:
    """Lines with every hypothesis and its verdict, then the tables of each ablation; empty without stored ablations."""
    found = stored_ablations()
    folds = {name: result.cross_validation for name, result in found.items() if result.cross_validation is not None}
    names = sorted(found.keys() - folds, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    if not found:
        return []
    parts = [
        *_by_cross_validation({name: folds[name] for name in sorted(folds, key=_place_of_folds)}),
        *(
            line
            for name in sorted(folds, key=_place_of_folds)
            for line in (markdown(found[name], level=3, hypotheses=False), "")
        ),
        "## Ablations",
        "",
        "Each ablation is a file in `experiments/ablations/`. Run it, or continue an interrupted run, with:",
        "",
        "    sketchseek compare experiments/ablations/NAME.yaml --data DATA --store docs/measured/ablations",
        "",
        "They are small, so that a CPU can repeat them with several seeds. Intervals are 95 % bootstrap intervals over",
        "seeds and photos. A hypothesis is *supported* if its whole interval is above 0, *not supported* if the whole",
        "interval is below 0, else *undecided*.",
        "",
        "The last two columns repeat this with log-rank, 1 − log(rank) / log(gallery) of each query, from the same",
        "stored ranks and without new runs. It decides more, since every query counts. Log-rank was chosen after the",
        "results by recall@1 were known, and many hypotheses are tested at once, so read these verdicts as hints.",
        "",
    ]
    hypotheses = [row for name in names for row in _verdicts(name, found[name])]
    if hypotheses:
        head = ["ablation", "hypothesis", "difference in points", "verdict", "log-rank, points", "by log-rank"]
        parts += [*table(head, hypotheses), ""]
    for name in names:
        parts += [markdown(found[name], level=3, hypotheses=False), ""]
    return parts


def _place_of_folds(name: str) -> tuple[int, str]:
    return (FOLDS_ORDER.index(name) if name in FOLDS_ORDER else len(FOLDS_ORDER), name)


def _by_cross_validation(folds: dict[str, CrossValidation]) -> list[str]:
    rows = [
        [
            name,
            verdict.hypothesis,
            shown_estimate(verdict),
            f"{100 * verdict.decision.detectable:.1f}",
            shown_p(verdict.decision.p),
            shown_word(verdict),
            *(f"{100 * verdict.by_metric[metric][0]:+.1f}" for metric in ("recall@1", "recall@10")),
            f"{verdict.core_minutes:.1f}",
        ]
        for name, result in folds.items()
        for verdict in result.verdicts
    ]
    if not rows:
        return []
    head = [
        "ablation",
        "hypothesis",
        "difference in points",
        "MDE",
        "p",
        "verdict",
        "recall@1",
        "recall@10",
        "core-minutes",
    ]
    return [*_FOLDS_TEXT.splitlines(), *table(head, rows), ""]


def _verdicts(name: str, ablation: AblationResults) -> list[list[str]]:
    return [
        [
            name,
            v.hypothesis,
            shown_difference(v),
            f"**{v.word}**",
            shown_difference(by).removeprefix(LOG_RANK).strip(),
            by.word,
        ]
        for v, by in zip(ablation.verdicts(), ablation.verdicts(LOG_RANK), strict=True)
    ]
