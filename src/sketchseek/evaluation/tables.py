"""Tables of results for papers and spreadsheets: LaTeX, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from sketchseek.errors import ConfigError

_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "–": "--",
    "→": r"$\rightarrow$",
}


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        head: Names of the columns; the first is left-aligned, the others are right-aligned.
        rows: Cells of each row.
        footer: Number of rows at the end that a rule separates from the others.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footer: int = 0

    def markdown(self) -> str:
        """The table in Markdown."""
        lines = [self.head, *self.rows]
        text = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
        return "\n".join([text[0], "| --- " * len(self.head) + "|", *text[1:]]) + "\n"

    def latex(self) -> str:
        """The table in LaTeX, as a ``tabular`` with the rules of the package booktabs."""
        lines = [" & ".join(map(_escaped, line)) + r" \\" for line in [self.head, *self.rows]]
        if self.footer:
            lines.insert(len(lines) - self.footer, r"\midrule")
        start = [r"\begin{tabular}{l" + "r" * (len(self.head) - 1) + "}", r"\toprule", lines[0], r"\midrule"]
        return "\n".join([*start, *lines[1:], r"\bottomrule", r"\end{tabular}"]) + "\n"

    def csv(self) -> str:
        """The table as comma-separated values."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.head, *self.rows])
        return text.getvalue()

    def write(self, path: Path) -> None:
        """Write the table in the form that the file's suffix names; its folder is created.

        Raises:
            ConfigError: The suffix is neither ``.tex``, ``.md`` nor ``.csv``.
        """
        check_suffix(path)
        text = {".tex": self.latex, ".md": self.markdown, ".csv": self.csv}[path.suffix]()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def check_suffix(path: Path) -> None:
    """Check that a table can be written to a file of this name.

    Raises:
        ConfigError: The suffix is neither ``.tex``, ``.md`` nor ``.csv``.
    """
    if path.suffix not in (".tex", ".md", ".csv"):
        raise ConfigError(
            "a table is written as LaTeX, Markdown or CSV.", subject=path, remedy="End the name in .tex, .md or .csv."
        )


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
