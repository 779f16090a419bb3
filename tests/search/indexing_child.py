"""Run by test_crash.py and test_processes.py: indexes a folder, and writes down every photo that is safe by the report.

    python indexing_child.py FOLDER LIBRARY MODEL LOG

After each report of progress the ids and paths that another connection sees go into LOG, synced.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sketchseek.search import pipeline, update
from sketchseek.search.catalog import Catalog
from sketchseek.search.library import Library
from sketchseek.search.results import IndexProgress


def main(folder: str, path: str, model: str, log: str) -> None:
    # A crash then falls between many commits, not before the first.
    update.COMMIT_EVERY = float(os.environ.get("COMMIT_EVERY", "0.02"))
    pipeline.BATCH = 4
    with Library.open(path, model, create=True) as library, Path(log).open("ab") as file:
        reader = Catalog(Path(path))
        last = 0

        def note(now: IndexProgress) -> None:
            nonlocal last
            for photo, name in reader._rows("SELECT id, path FROM photos WHERE id > ? ORDER BY id", last):
                file.write(b"%d %s\n" % (photo, name))
                last = photo
            file.flush()
            os.fsync(file.fileno())

        library.add([folder], progress=note)
    sys.stdout.write("finished\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
