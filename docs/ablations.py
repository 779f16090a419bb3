"""The section of ``docs/results.md`` on the ablations stored in ``docs/measured/ablations/``."""

from __future__ import annotations

from measured import MEASURED, table

from sketchseek.ablations.macro import LOG_RANK
from sketchseek.ablations.results import AblationResults, load_results, markdown, shown_difference

ORDER = ["losses", "normalization", "capacity", "distillation", "augmentation", "strokes", "audit", "chairs", "data"]


def ablations() -> list[str]:
    """Lines with every hypothesis and its verdict, then the tables of each ablation; empty without stored ablations."""
    found = {file.stem: load_results(file) for file in (MEASURED / "ablations").glob("*.jsonl")}
    names = sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    if not names:
        return []
    parts = [
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
