"""Random changes to files, and calls of the library, against a model of what must come out."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from PIL import Image

from sketchseek.errors import InputError
from sketchseek.search.library import Library
from sketchseek.search.params import Filter
from tiny_model import write_tiny_package

pytestmark = pytest.mark.slow

NAMES = [f"{folder}/{name}.png" for folder in ("a", "a/b", "ab") for name in ("1", "2", "3")]
FOLDERS = ["a", "a/b", "ab"]
BAD = -1


def encoded(seed: int) -> bytes:
    """The bytes of a picture of a seed's pattern."""
    if seed == BAD:
        return b"no picture"
    data = io.BytesIO()
    cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(cells).resize((32, 32), Image.Resampling.NEAREST).save(data, "PNG")
    return data.getvalue()


class SyncMachine(RuleBasedStateMachine):
    """``files`` is what lies on disk, ``known`` what the library must hold: a seed for each path."""

    @initialize()
    def start(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="sketchseek-"))
        self.photos = self.home / "photos"
        self.photos.mkdir()
        self.files: dict[str, int] = {}
        self.known: dict[str, int] = {}
        self.excluded: set[str] = set()
        self.clock = 10**18
        self.library = Library.create(self.home / "library", write_tiny_package(self.home / "model").path)
        self.library.add([self.photos])
        self.reader = Library.open(self.home / "library", readonly=True)

    def teardown(self) -> None:
        if hasattr(self, "home"):
            self.library.close()
            self.reader.close()
            shutil.rmtree(self.home)

    @rule(name=st.sampled_from(NAMES), seed=st.integers(BAD, 5))
    def write(self, name: str, seed: int) -> None:
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(seed))
        self.clock += 1  # a file system's clock may stand still between two writes
        os.utime(path, ns=(self.clock, self.clock))
        self.files[name] = seed

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.files)))
        (self.photos / name).unlink()
        del self.files[name]

    @precondition(lambda self: self.files)
    @rule(data=st.data(), to=st.sampled_from(NAMES))
    def rename(self, data: st.DataObject, to: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.files)))
        (self.photos / to).parent.mkdir(parents=True, exist_ok=True)
        (self.photos / name).rename(self.photos / to)
        self.files[to] = self.files.pop(name)

    def is_excluded(self, name: str) -> bool:
        return any(name == path or name.startswith(path + "/") for path in self.excluded)

    @rule()
    def sync(self) -> None:
        before = {str(r.path): r.id for r in self.library.search_embedding(np.ones(16), k=100)}
        ids = set(before.values())
        self.library.sync()
        visible = {name: seed for name, seed in self.files.items() if not self.is_excluded(name)}
        self.known = {name: seed for name, seed in visible.items() if seed != BAD}
        bad = {name for name, seed in visible.items() if seed == BAD}
        assert {str(failure.path) for failure in self.library.failures()} == {str(self.photos / name) for name in bad}
        after = {str(r.path): r.id for r in self.library.search_embedding(np.ones(16), k=100)}
        # A new id is newer than every old one.
        assert all(i > max(ids) for i in set(after.values()) - ids) if ids else True

    @rule(target_name=st.sampled_from(FOLDERS + NAMES))
    def remove(self, target_name: str) -> None:
        gone = [name for name in self.known if name == target_name or name.startswith(target_name + "/")]
        path = self.photos / target_name
        try:
            removed = self.library.remove([path])
        except InputError:  # the library has never heard of it, and no such file exists
            assert not gone
            assert not path.exists()
            return
        assert removed == len(gone)
        for name in gone:
            del self.known[name]
        self.excluded = {
            path for path in self.excluded if not (path == target_name or path.startswith(target_name + "/"))
        } | {target_name}

    @rule()
    def reopen(self) -> None:
        self.library.close()
        self.library = Library.open(self.home / "library")

    @rule()
    def lose_the_index(self) -> None:
        for file in (self.home / "library" / "index").glob("*.faiss"):
            file.write_bytes(b"damaged")

    @invariant()
    def finds_what_it_should(self) -> None:
        if not hasattr(self, "home"):
            return
        for library in (self.library, self.reader):
            found = library.search_embedding(np.ones(16), k=100)
            assert sorted(str(result.path.relative_to(self.photos)) for result in found) == sorted(self.known)
            for result in found:
                seed = self.known[str(result.path.relative_to(self.photos))]
                expected = library.encoder.encode_photo(encoded(seed))
                np.testing.assert_allclose(library.embedding(result.id), expected, atol=2e-3)
        below = self.library.search_embedding(np.ones(16), k=100, filter=Filter(self.photos / "a"))
        assert len(below) == sum(name.startswith("a/") for name in self.known)


SyncMachine.TestCase.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@pytest.mark.filterwarnings("ignore")
class TestSync(SyncMachine.TestCase):  # type: ignore[misc, valid-type]
    """Runs the machine."""
