"""The stored results of one ablation: a versioned JSON-lines table.

The first line holds the schema and the ablation's settings, every other line one run. A run is appended and synced to
disk when it ends. A last line that a crash cut short is ignored, and that run is repeated.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sketchseek.ablations.config import file_name
from sketchseek.atomic_write import atomic_write
from sketchseek.errors import DatasetError

SCHEMA = "sketchseek.ablation"
VERSION = 1
_REPEAT = "Delete that line: the run is repeated."

Run = dict[str, Any]


def table_path(folder: Path, name: str) -> Path:
    """Path of an ablation's table in a folder."""
    return folder / f"{file_name(name)}.jsonl"


@dataclass
class AblationTable:
    """An ablation's stored results.

    Attributes:
        path: The JSON-lines file.
        settings: The ablation's settings, and ``configurations``, the names of its configurations.
        runs: Finished runs in the order in which they ended. A run with ``"superseded": true`` has settings that the
            ablation no longer asks for; reports leave it out.
    """

    path: Path
    settings: dict[str, Any] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def append(self, run: Run) -> None:
        """Add a finished run and sync it to disk."""
        with self.path.open("ab") as file:
            file.write(_line(run))
            file.flush()
            os.fsync(file.fileno())
        self.runs.append(run)

    def write(self) -> None:
        """Write the whole table atomically; nothing if it already reads so."""
        header = {"schema": SCHEMA, "version": VERSION, "settings": self.settings}
        data = b"".join(_line(value) for value in [header, *self.runs])
        if self.path.is_file() and self.path.read_bytes() == data:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(self.path, data)


def read_table(path: Path) -> AblationTable:
    """Read an ablation's table.

    Raises:
        DatasetError: There is none, it is no ablation's table, or a line is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DatasetError(
            "no ablation is stored here.", subject=path, remedy="Run it: sketchseek compare FILE"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"Cannot read {path}: {error}.", remedy="Move it away: the runs are repeated.") from error
    first, *lines = text.split("\n")
    header = _object(first)
    if header is None or header.get("schema") != SCHEMA or not isinstance(header.get("settings"), dict):
        raise DatasetError(
            "this is not the table of an ablation, or its first line is damaged.",
            subject=path,
            remedy="Choose another folder with --store, or move the file away.",
        )
    if header.get("version") != VERSION:
        raise DatasetError(
            f"version {header.get('version')} of the table is not supported; this release reads {VERSION}.",
            subject=path,
            remedy="Use the release of sketchseek that wrote it.",
        )
    table = AblationTable(path, header["settings"])
    for number, line in enumerate(lines[:-1], 2):  # what follows the last line break was cut short by a crash
        run = _object(line)
        if run is None or not {"configuration", "purpose", "seed", "choice", "fingerprint"} <= run.keys():
            raise DatasetError(f"{path}, line {number}: damaged.", remedy=_REPEAT)
        table.runs.append(run)
    return table


def _line(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode()


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
