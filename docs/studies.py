"""What the stored studies found (``docs/measured/compare/``), for ``docs/results.md``."""

from __future__ import annotations

from measured import MEASURED, table

from sketchseek.evaluation.compared import StoredStudy, load_stored, markdown, shown_difference

ORDER = ["losses", "normalisation", "capacity", "distillation", "augmentation", "strokes", "audit", "chairs", "data"]


def studies() -> list[str]:
    """Their tables, and every claim with its verdict; nothing where no study is stored."""
    found = {folder.name: load_stored(folder) for folder in (MEASURED / "compare").glob("*") if folder.is_dir()}
    names = sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    if not names:
        return []
    parts = [
        "## Studies of the recipe",
        "",
        "Each is one file of `experiments/compare/` and one command; it goes on where it was interrupted:",
        "",
        "    sketchseek compare experiments/compare/STUDY.yaml --data DATA --store docs/measured/compare/STUDY",
        "",
        "They are small on purpose: what a CPU can repeat with seeds. An interval is a bootstrap over seeds and photos",
        "(95 %): a claim is *supported* where all of it is above 0, *not supported* where all of it is below, else",
        "*undecided*.",
        "",
    ]
    claims = [row for name in names for row in _claims(name, found[name])]
    if claims:
        parts += [*table(["study", "claim", "difference in points", "verdict"], claims), ""]
    for name in names:
        parts += [markdown(found[name], level=3, claims=False), ""]
    return parts


def _claims(name: str, study: StoredStudy) -> list[list[str]]:
    return [[name, v.claim, shown_difference(v), f"**{v.word}**"] for v in study.verdicts()]
