"""Writes findings as exclusion lists for training, in the format of Sketchy's lists of invalid sketches.

``invalid-error.txt`` has mislabeled and blank sketches, ``invalid-pose.txt`` mispaired ones, ``invalid-ambiguous.txt``
ambiguous ones, and ``invalid-context.txt`` outliers. The release does not define its lists; docs/audit.md says what
they hold and how well ours agree with them. ``cropped.txt`` has the same format. ``near-duplicates.txt`` has two photos
per line; check these by eye.

``half-1.txt`` and ``half-2.txt`` split the drawn photos of a training split in two halves, for a cross-audit: a model
that was trained without one half audits that half, so that it has not memorized its sketches.

Lists of a test split are named ``test-split-…``. Training refuses them, since none of their entries is for training.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sketchseek.audit.findings import KINDS, PAIRS
from sketchseek.audit.run import Audit
from sketchseek.datasets.sketchy import INVALID_LISTS
from sketchseek.datasets.splits import fraction_of


def write_lists(folder: Path, audit: Audit) -> dict[str, Path]:
    """Write all lists, including empty ones. Returns the files by name, such as ``error``."""
    folder.mkdir(parents=True, exist_ok=True)
    before = "test-split-" if audit.subset.name == "test" else ""
    keys = listed_keys(audit)
    files = {name: folder / f"{before}{f'invalid-{name}' if name in INVALID_LISTS else name}.txt" for name in keys}
    for name, file in files.items():
        _write(file, sorted(keys[name]))
    duplicates = folder / f"{before}near-duplicates.txt"
    pairs = [f for kind in PAIRS for f in audit.findings.get(kind, ())]
    _write(duplicates, sorted(f"{finding.key}\t{finding.others[0]}" for finding in pairs))
    files |= {"near-duplicates": duplicates}
    if audit.subset.name != "test":
        drawn = sorted({sketch.photo for sketch in audit.subset.dataset.sketches if sketch.photo is not None})
        for name, first in (("half-1", True), ("half-2", False)):
            files[name] = folder / f"{name}.txt"
            _write(files[name], [key for key in drawn if (fraction_of(key, "halves") < 0.5) is first])
    return files


def listed_keys(audit: Audit) -> dict[str, set[str]]:
    """Keys of the sketches on each list."""
    keys: dict[str, set[str]] = {name: set() for name in (*INVALID_LISTS, "cropped")}
    for kind, found in audit.findings.items():
        name = KINDS[kind].official or ("cropped" if kind == "cropped" else "")
        if name:
            keys[name].update(finding.key for finding in found)
    return keys


def _write(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
