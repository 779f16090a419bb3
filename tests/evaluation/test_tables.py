from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sketchseek.errors import ConfigError
from sketchseek.evaluation.tables import Table

TABLE = Table(("name", "recall@1"), (("50 % & more_{x}", "1.0 ± 0.5"), ("a|b, c", "–")), footer=1)


def test_latex_escapes_and_rules_the_footer_off() -> None:
    assert TABLE.latex().splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"name & recall@1 \\",
        r"\midrule",
        r"50 \% \& more\_\{x\} & 1.0 $\pm$ 0.5 \\",
        r"\midrule",
        r"a|b, c & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_a_backslash_does_not_become_a_command() -> None:
    assert r"\textbackslash{}input\{x\}" in Table(("a",), ((r"\input{x}",),)).latex()


def test_csv_reads_back_and_markdown_has_one_cell_for_each_column() -> None:
    assert [tuple(row) for row in csv.reader(TABLE.csv().splitlines())] == [TABLE.head, *TABLE.rows]
    assert TABLE.markdown().splitlines()[1:] == ["| --- | --- |", "| 50 % & more_{x} | 1.0 ± 0.5 |", r"| a\|b, c | – |"]


def test_the_suffix_chooses_the_form(tmp_path: Path) -> None:
    for name, text in (("a.tex", TABLE.latex()), ("deep/a.md", TABLE.markdown()), ("a.csv", TABLE.csv())):
        TABLE.write(tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8") == text
    with pytest.raises(ConfigError, match=r"a\.xlsx: a table is written as"):
        TABLE.write(tmp_path / "a.xlsx")
