"""What the stored ablations found (``docs/measured/ablations/``), for ``docs/results.md``."""

from __future__ import annotations

from measured import MEASURED, table

from sketchseek.ablations.results import AblationResults, load_results, markdown, shown_difference

ORDER = ["losses", "normalization", "capacity", "distillation", "augmentation", "strokes", "audit", "chairs", "data"]


def ablations() -> list[str]:
    """Their tables, and every hypothesis with its verdict; nothing where no ablation is stored."""
    found = {file.stem: load_results(file) for file in (MEASURED / "ablations").glob("*.jsonl")}
    names = sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    if not names:
        return []
    parts = [
        "## Studies of the recipe",
        "",
        "Each is one file of `experiments/ablations/` and one command; it goes on where it was interrupted:",
        "",
        "    sketchseek compare experiments/ablations/NAME.yaml --data DATA --store docs/measured/ablations",
        "",
        "They are small on purpose: what a CPU can repeat with seeds. An interval is a bootstrap over seeds and photos",
        "(95 %): a hypothesis is *supported* where all of it is above 0, *not supported* where all of it is below, else",
        "*undecided*.",
        "",
    ]
    hypotheses = [row for name in names for row in _claims(name, found[name])]
    if hypotheses:
        parts += [*table(["ablation", "hypothesis", "difference in points", "verdict"], hypotheses), ""]
    for name in names:
        parts += [markdown(found[name], level=3, hypotheses=False), ""]
    return parts


def _claims(name: str, ablation: AblationResults) -> list[list[str]]:
    return [[name, v.hypothesis, shown_difference(v), f"**{v.word}**"] for v in ablation.verdicts()]
