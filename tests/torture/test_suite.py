"""A short run of the suite's parts; ``make torture`` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture import corruption, fuzzing, kills, soak, suite

pytestmark = pytest.mark.slow


def test_kills_lose_nothing(tmp_path: Path) -> None:
    figures = kills.run(tmp_path, kills=6, seconds=25, seed=0)
    assert figures["lost or twice"] == 0, figures
    assert figures["planted loss found"]


def test_damage_is_noticed_or_harmless(tmp_path: Path) -> None:
    figures = corruption.run(tmp_path, each=6, seconds=25, seed=0)
    assert figures["wrong or crashed"] == 0, figures
    assert int(str(figures["damaged files"])) > 5


def test_mutated_inputs_are_refused_by_name(tmp_path: Path) -> None:
    figures = fuzzing.run_python(tmp_path, inputs=600, seconds=20, seed=0)
    assert figures["crashed"] == 0, figures
    assert int(str(figures["inputs"])) > 20


def test_a_server_takes_mutated_requests_and_steady_load(tmp_path: Path) -> None:
    with suite.served(tmp_path) as (url, process):
        figures = fuzzing.run_rest(url, inputs=300, seconds=10, seed=0)
        assert figures["crashed"] == 0, figures
        figures = soak.run(url, process, seconds=5)
    assert (figures["errors"], figures["wrong answers"]) == (0, 0), figures


def test_figures_become_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "FIGURES", tmp_path / "torture.json")
    monkeypatch.setattr(suite, "PAGE", tmp_path / "reliability.md")
    suite.store("kills", {"kills": 1000, "lost or twice": 0, "problems": []})
    suite.store("damaged files", {"by kind": {"index": {"noticed": 3}}})
    page = (tmp_path / "reliability.md").read_text()
    assert "| kills | 1,000 |" in page
    assert "index: 3 noticed" in page
    assert "## Soak\n\nNot run yet." in page
