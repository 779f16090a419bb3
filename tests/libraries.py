"""Libraries of every kind with the same photos, for tests that compare them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from object_store import ObjectStore, need_cluster
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.results import SearchResults

need_cluster()

from sketchseek.cluster.library import LanceLibrary
from sketchseek.cluster.runners import run_here

LINES = [[[10, 200, 200], [10, 10, 90]]]
ARC = [[[0, 60, 120], [90, 20, 90]], [[30, 90], [60, 60]]]
KINDS = ("local", "folder", "searched by Lance", "object storage")


@dataclass
class Made:
    """A library of one kind, and its photos.

    Attributes:
        library: The library; nothing is indexed yet.
        root: Its photos' folder, a path or a URI.
        write: Writes a photo under a name, or deletes it.
    """

    kind: str
    library: Library
    root: str
    write: Callable[[str, bytes | None], None]

    def names(self, results: SearchResults) -> list[str]:
        """Return the names of results below the root."""
        return [str(one.path).removeprefix(self.root + "/") for one in results]

    def id_of(self, name: str) -> int:
        """Return the id of a photo."""
        found = self.library.search_embedding(np.ones(16), k=1000)
        return next(one.id for one in found if str(one.path) == f"{self.root}/{name}")


def make(
    kind: str, folder: Path, pictures: Path, model: ModelPackage, store: Callable[[], ObjectStore]
) -> Iterator[Made]:
    """Make an empty library of a kind, beside a copy of the pictures."""
    if kind == "object storage":
        objects = store()
        bucket = objects.bucket()
        root, address = f"{bucket}/photos", f"{bucket}/library"
        objects.upload(pictures, root)

        def write(name: str, data: bytes | None) -> None:
            if data is None:
                objects.delete(f"{root}/{name}")
            else:
                objects.put(f"{root}/{name}", data)
    else:
        root, address = str(folder / "photos"), str(folder / "library")
        shutil.copytree(pictures, root)

        def write(name: str, data: bytes | None) -> None:
            if data is None:
                (Path(root) / name).unlink()
            else:
                (Path(root) / name).write_bytes(data)

    if kind == "local":
        opened: Library = LocalLibrary.open(address, model.path, create=True)
    else:
        exact = 0 if kind == "searched by Lance" else 1000
        opened = LanceLibrary.open(address, model.path, create=True, runner=run_here, exact_below=exact)
    with opened:
        yield Made(kind, opened, root, write)


def assert_same(made: Made, found: SearchResults, local: Made, expected: SearchResults) -> None:
    """Same photos in the same order, with the same ranks and, but for rounding, the same scores."""
    assert made.names(found) == local.names(expected)
    assert [one.rank for one in found] == [one.rank for one in expected]
    np.testing.assert_allclose([one.score for one in found], [one.score for one in expected], atol=1e-3)
