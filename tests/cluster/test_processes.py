"""Indexing into object storage by real processes: killed, resumed, and two at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cli_runs import RunningCommand
from object_store import ObjectStore, need_cluster
from served import picture
from sketchseek.errors import LibraryNotFoundError
from sketchseek.models.package import ModelPackage

need_cluster()

from sketchseek.cluster.library import LanceLibrary
from sketchseek.cluster.table import IS_PHOTO

COUNT = 40
TIMEOUT = 400

# Small blocks, each committed at once, and storage that answers late, so that there is time for a kill.
SLOWLY = """
import time
from sketchseek.cluster import embedding, indexing, storage

def read(path):
    time.sleep(0.3)
    return storage.read(path)

indexing.COMMIT_EVERY, indexing.SMALLEST, embedding.READERS, embedding.read = 0.0, 4, 1, read
from sketchseek.cli import main
main()
"""


@pytest.fixture
def bucket(object_store: ObjectStore, tmp_path: Path) -> str:
    """A bucket with photos, and a file that is none."""
    made = object_store.bucket()
    for number in range(COUNT):
        picture(number).save(tmp_path / "photo.png")
        object_store.put(f"{made}/photos/{number % 3}/{number:02}.png", (tmp_path / "photo.png").read_bytes())
    object_store.put(f"{made}/photos/bad.png", b"no picture")
    return made


def indexed(address: str) -> int:
    """Return the number of photos; 0 if there is no library yet."""
    try:
        with LanceLibrary.open(address, readonly=True) as library:
            return len(library)
    except LibraryNotFoundError:
        return 0


@pytest.mark.slow
def test_a_killed_command_is_resumed_by_two_at_once(bucket: str, tiny_model: ModelPackage) -> None:
    address = f"{bucket}/library"
    arguments = ["index", f"{bucket}/photos", "--library", address, "--model", str(tiny_model.path)]
    commands = [RunningCommand(*arguments, script=SLOWLY)]
    try:
        end = time.monotonic() + TIMEOUT
        while not (before := indexed(address)) and time.monotonic() < end:
            assert commands[0].process.poll() is None
            time.sleep(0.1)
        commands[0].kill()
        before = indexed(address)
        assert 0 < before < COUNT
        commands += [RunningCommand(*arguments, script=SLOWLY) for _ in range(2)]
        reports = [command.report() for command in commands[1:]]
    finally:
        for command in commands:
            command.kill()
    # Nothing that was committed is embedded again, nothing is lost, and nothing is there twice.
    assert sum(report["indexed"] for report in reports) == COUNT - before
    assert all(report["indexed"] + report["unchanged"] == COUNT for report in reports)
    with LanceLibrary.open(address, readonly=True) as library:
        paths = library._table.latest().rows(["path"], IS_PHOTO)["path"].to_pylist()
        assert len(paths) == len(set(paths)) == COUNT
        assert [one.path.name for one in library.failures()] == ["bad.png"]
        assert library.verify(sample=COUNT).problems == []
