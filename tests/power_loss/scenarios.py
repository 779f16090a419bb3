"""What is recorded: each scenario acknowledges in ``acknowledged``, line by line, what it was told is safe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


def acknowledge(root: Path, text: str) -> None:
    with (root / "acknowledged").open("a") as file:
        file.write(f"{text}\n")


def library(root: Path, photos: str, model: str, *faults: str) -> None:
    """Create a library, index photos with many commits, remove one, index again, and write the index anew."""
    from sketchseek.search import pipeline, update
    from sketchseek.search.catalog import Catalog
    from sketchseek.search.catalog.database import Database
    from sketchseek.search.index_mirror import IndexMirror
    from sketchseek.search.library import Library

    if "unsynced" in faults:  # the planted fault of the detector's own test
        connect = Database._connect

        def careless(self: Database, *, write: bool) -> object:
            connection = connect(self, write=write)
            connection.execute("PRAGMA synchronous = OFF")
            return connection

        Database._connect = careless  # type: ignore[method-assign,assignment]
    update.COMMIT_EVERY = 0.0
    pipeline.BATCH = 2
    path = root / "library"
    with Library.create(path, model) as opened:
        acknowledge(root, "created")
        reader = Catalog(path)
        last = 0

        def note(_: object) -> None:
            nonlocal last
            for photo, name in reader._rows("SELECT id, path FROM photos WHERE id > ? ORDER BY id", last):
                acknowledge(root, f"photo {photo} {os.fsdecode(name)}")
                last = photo

        every = sorted(Path(photos).rglob("*.jpg"))
        opened.add(every[:8], progress=note)
        acknowledge(root, f"removing {every[0]}")  # from here on it may be gone
        opened.remove(every[0])
        acknowledge(root, f"removed {every[0]}")
        acknowledge(root, "adding all")  # which brings the removed photo back
        opened.add([photos], progress=note)
        catalog = Catalog(path, write=True)
        IndexMirror.of(path, catalog.metadata()).save(catalog, force=True)
        catalog.close()
        reader.close()


def install(root: Path, archive: str, sha256: str) -> None:
    """Install a model."""
    from sketchseek.models.install import install_model

    made = install_model(archive, sha256, folder=root / "data" / "models")
    acknowledge(root, f"installed {made.path.name}")


def repair(root: Path) -> None:
    """Repair a damaged library."""
    from sketchseek.search.repair import repair

    acknowledge(root, f"repaired {repair(root / 'library').kept}")


if __name__ == "__main__":
    scenarios: dict[str, Callable[..., None]] = {"library": library, "install": install, "repair": repair}
    scenarios[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
