"""The report of an evaluation, as JSON and as a table for terminals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketchseek.evaluation.encode_dataset import Problem
from sketchseek.evaluation.intervals import Interval

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 5
"""Maximum number of missing or unreadable files in the notes; the JSON has all."""


@dataclass(frozen=True)
class Report:
    """The result of one evaluation.

    Attributes:
        protocol: Name of the protocol, such as ``sketchy``.
        model, fingerprint: Name of the model and fingerprint of its embedding space.
        split, split_sha256: Name and checksum of the split, or of the whole data set if there is no split.
        queries: Number of queries. Unreadable sketches are included and count as misses.
        gallery: Number of photos in the gallery.
        metrics: Metrics by name: fractions between 0 and 1, ranks from 1.
        intervals: 95 % bootstrap interval of each metric.
        resampled: Unit of the bootstrap: ``photos`` (with all their sketches) or ``queries``.
        missing: Photos on the data set's lists that do not exist; they are not in the gallery.
        left_out: Number of sketches that are no queries because their photo is missing.
        problems: Unreadable photos and sketches.
        details: Further entries of this protocol.
    """

    protocol: str
    model: str
    fingerprint: str
    split: str
    split_sha256: str
    queries: int
    gallery: int
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    resampled: str
    missing: tuple[str, ...] = ()
    left_out: int = 0
    problems: tuple[Problem, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The report as a dict for JSON; its keys are stable."""
        return {
            "protocol": self.protocol,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "split": self.split,
            "split_sha256": self.split_sha256,
            "queries": self.queries,
            "gallery": self.gallery,
            **self.metrics,
            "interval": {name: list(interval) for name, interval in self.intervals.items()},
            "resampled": self.resampled,
            "missing": list(self.missing),
            "left_out": self.left_out,
            "problems": [{"key": problem.key, "reason": problem.reason} for problem in self.problems],
            **self.details,
        }

    def to_json(self) -> str:
        """``to_dict`` as JSON text; every number in it is finite."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def write(self, path: Path) -> None:
        """Write ``to_json`` to a file; its folder is created."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json() + "\n", encoding="utf-8")

    def table(self) -> Table:
        """The metrics as a table for a terminal."""
        from rich.table import Table  # slow to import, and only needed here
        from rich.text import Text

        table = Table(title=Text(f"{self.protocol}: {self.queries:,} sketches → {self.gallery:,} photos"))
        table.add_column("metric")
        table.add_column(self.model or "model", justify="right")
        table.add_column("95 % interval", justify="right")
        for row in self.rows():
            table.add_row(*row)
        return table

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, value and interval of each metric, as text."""
        rows = []
        for name, value in self.metrics.items():
            low, high = self.intervals[name]
            rows.append((name, _format(name, value), f"{_format(name, low)} – {_format(name, high)}"))
        return rows

    def notes(self) -> list[str]:
        """Notes below the table: the split, and missing or unreadable files."""
        notes = [f"Split {self.split}, SHA-256 {self.split_sha256[:16]}; the bootstrap resamples {self.resampled}."]
        notes += self.details.get("release", {}).get("notes", ())
        if "remark" in self.details:
            notes.append(str(self.details["remark"]))
        if self.missing:
            notes.append(
                f"Missing photos, not in the gallery: {len(self.missing):,} "
                f"(sketches left out with them: {self.left_out:,}). {_list(self.missing)}."
            )
        if self.problems:
            notes.append(
                f"Files that could not be read: {len(self.problems):,}. Unreadable sketches, and sketches "
                f"of unreadable photos, count as misses. {_list([problem.reason for problem in self.problems])}"
            )
        return notes


def _format(name: str, value: float) -> str:
    return f"{value:,.1f}" if "rank" in name else f"{100 * value:.2f} %"


def _list(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
