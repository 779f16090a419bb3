from __future__ import annotations

import csv
import statistics
from pathlib import Path

import pytest
from click.testing import CliRunner

from mini_sets import write_categories, write_sketchy
from sketchseek.cli import cli
from sketchseek.encoder import Encoder
from sketchseek.errors import InputError
from sketchseek.evaluation.category_table import ALL, MEAN, category_table, ranking_table, stored_category_table
from sketchseek.evaluation.protocols import Evaluation, evaluate_categories, evaluate_sketchy
from sketchseek.models.package import ModelPackage


@pytest.fixture
def evaluation(tmp_path: Path, tiny_model: ModelPackage) -> Evaluation:
    return evaluate_sketchy(write_sketchy(tmp_path / "sketchy", photos=8, test=5), Encoder(tiny_model))


def test_each_category_has_the_metrics_of_a_slow_loop(evaluation: Evaluation) -> None:
    table = category_table(evaluation)
    assert table.head == ("category", "queries", "recall@1", "recall@5", "recall@10", "median_rank")
    ranks: dict[str, list[float]] = {}
    for sketch, rank in zip(evaluation.sketches, evaluation.scores.rank.tolist(), strict=True):
        ranks.setdefault(sketch.category, []).append(rank)
    assert len(ranks) > 1
    *rows, mean, everything = table.rows
    assert [row[0] for row in rows] == sorted(ranks)
    shares = []
    for name, count, *found, median in rows:
        expected = [100 * sum(rank <= k for rank in ranks[name]) / len(ranks[name]) for k in (1, 5, 10)]
        shares.append(expected[1])
        assert count == str(len(ranks[name]))
        assert found == [f"{value:.1f}" for value in expected]
        assert median == f"{statistics.median(ranks[name]):.1f}"
    assert (mean[0], mean[3]) == (MEAN, f"{statistics.mean(shares):.1f}")
    assert (everything[0], everything[3]) == (ALL, f"{100 * evaluation.report.metrics['recall@5']:.1f}")
    assert mean[1] == everything[1] == str(len(evaluation.sketches))


def test_rankings_have_every_query(evaluation: Evaluation) -> None:
    evaluation.scores.rank[0] = float("inf")
    rows = ranking_table(evaluation).rows
    assert [row[0] for row in rows] == [sketch.key for sketch in evaluation.sketches]
    assert rows[0][3] == ""
    assert [int(row[3]) for row in rows[1:]] == evaluation.scores.rank[1:].astype(int).tolist()


def test_category_level_retrieval_has_its_own_metrics(tmp_path: Path, tiny_model: ModelPackage) -> None:
    table = category_table(evaluate_categories(write_categories(tmp_path / "set"), Encoder(tiny_model)))
    assert {"mAP", "P@10"} < set(table.head)
    assert "median_rank" not in table.head


def test_the_command_line_writes_tables(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_sketchy(tmp_path / "sketchy")
    files = [tmp_path / "table.tex", tmp_path / "ranks.csv"]
    call = ["evaluate", "sketchy", root, "--model", tiny_model.path, "--table", files[0], "--rankings", files[1]]
    assert CliRunner().invoke(cli, [str(one) for one in call], catch_exceptions=False).exit_code == 0
    assert MEAN in files[0].read_text(encoding="utf-8")
    with files[1].open(encoding="utf-8", newline="") as file:
        assert all(int(row["rank"]) >= 1 for row in csv.DictReader(file))


def test_another_suffix_is_refused_before_anything_is_encoded(tmp_path: Path) -> None:
    call = ["evaluate", "sketchy", str(tmp_path / "none"), "--table", str(tmp_path / "table.xls")]
    done = CliRunner().invoke(cli, call)
    assert done.exit_code != 0
    assert "a table is written as" in str(done.exception or done.output)


def test_stored_ranks_give_the_same_table(evaluation: Evaluation, tmp_path: Path) -> None:
    ranking_table(evaluation).write(tmp_path / "ranks.csv")
    table, stored = category_table(evaluation), stored_category_table(tmp_path / "ranks.csv")
    assert stored.head == (*table.head, "mAP")
    assert [row[:-1] for row in stored.rows] == list(table.rows)
    reciprocal = [1 / rank for rank in evaluation.scores.rank.tolist()]  # each query has one relevant photo
    assert stored.rows[-1][-1] == f"{100 * statistics.mean(reciprocal):.1f}"
    shown = CliRunner().invoke(cli, ["evaluate", "table", str(tmp_path / "ranks.csv")])
    assert shown.stdout == stored.markdown()
    written = CliRunner().invoke(
        cli, ["evaluate", "table", str(tmp_path / "ranks.csv"), "--out", str(tmp_path / "c.tex")]
    )
    assert (written.exit_code, (tmp_path / "c.tex").read_text(encoding="utf-8")) == (0, stored.latex())


@pytest.mark.parametrize("text", [None, "", "a,b\n1,2\n", "category,rank,average_precision\ncat,first,1\n"])
def test_other_files_are_no_table_of_ranks(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "ranks.csv").write_text(text)
    with pytest.raises(InputError, match=r"not a table of ranks|has no queries"):
        stored_category_table(tmp_path / "ranks.csv")
