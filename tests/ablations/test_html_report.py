from __future__ import annotations

from pathlib import Path

from sketchseek.ablations.html_report import write_ablation_report
from sketchseek.ablations.results import AblationResults
from sketchseek.ablations.table import Run

SETTINGS = {
    "name": "s",
    "title": "Losses <b>",
    "text": "R&D <b>",
    "configurations": ["a <b>", "c"],
    "seeds": [0],
    "hypotheses": [{"hypothesis": "c <b> a", "better": ["c"], "than": ["a <b>"], "metric": "recall@1"}],
}


def run(configuration: str, ranks: str) -> Run:
    return {
        "configuration": configuration,
        "seed": 0,
        "choice": {"margin": "<b>"},
        "score": 1.0,
        "validation": {"recall@1": 0.5},
        "history": [{"step": 1, "recall@1": 0.5}],
        "test": {
            "queries": 2,
            "gallery": 2,
            "split": "<b>",
            "metrics": {"recall@1": 0.5},
            "ranks": ranks,
            "clusters": "0 1",
        },
    }


def test_texts_of_an_ablation_cannot_write_html(tmp_path: Path) -> None:
    final = {name: [run(name, ranks)] for name, ranks in (("a <b>", "2 2"), ("c", "1 1"))}
    write_ablation_report(tmp_path / "new/report.html", AblationResults(SETTINGS, final, final))
    page = (tmp_path / "new/report.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert page.count("&lt;b&gt;") >= 6
    assert "R&amp;D" in page
    assert '<td class="supported">supported</td>' in page
    assert page.count("<svg") == 2
