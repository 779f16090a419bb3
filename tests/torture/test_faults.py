"""A clock that jumps, and file systems as on a bad network, put below a process by ``faults.c``."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from power_loss.recording import build_recorder
from search.test_crash import draw_photos
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library

pytestmark = pytest.mark.slow

CHILD = Path(__file__).with_name("fault_child.py")
PHOTOS = 24
STATE = {"kept", "problems", "found", "failures"}
REPAIRED = ("sound", "damaged")


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_recorder(tmp_path_factory.mktemp("faults"), Path(__file__).with_name("faults.c"))


@pytest.fixture
def folder(tmp_path: Path, tiny_model: ModelPackage) -> Path:
    draw_photos(tmp_path / "photos", PHOTOS)
    shutil.copytree(tiny_model.path, tmp_path / "model")
    return tmp_path


def child(action: str, folder: Path, faults: Path, **environment: object) -> Any:
    """Run an action of ``fault_child.py`` with faults; return its outcome. A traceback fails the test."""
    done = subprocess.run(
        [sys.executable, str(CHILD), action, str(folder)],
        env=os.environ
        | {"LD_PRELOAD": str(faults), "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_a_clock_that_jumps_changes_nothing(
    folder: Path, faults: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Ten years forth and back at any reading: indexing, syncs, searches, sessions, tokens, the limit on logins."""
    right = tmp_path_factory.mktemp("right")
    shutil.copytree(folder, right, dirs_exist_ok=True)
    expected = child("everything", right, faults)
    assert expected[:3] == [[PHOTOS, 0], [0, PHOTOS, 0], [0, PHOTOS - 1, 1]]
    statuses = expected[-1]
    assert statuses == [401, 303, *[200] * 21, [[401] * 5, True], 200, 200]
    assert child("everything", folder, faults, FAULTS_CLOCK=1) == expected


def test_a_file_system_without_locks_is_refused(folder: Path, faults: Path) -> None:
    outcome = child("index", folder, faults, FAULTS_ROOT=folder / "library", FAULTS_NO_LOCKS=1)
    assert "lock" in outcome["refused"]
    assert outcome["reported"] == 0
    assert child("index", folder, faults)["indexed"] == PHOTOS


def test_a_file_system_without_shared_memory_is_refused_or_right(folder: Path, faults: Path) -> None:
    outcome = child("index", folder, faults, FAULTS_ROOT=folder / "library", FAULTS_NO_MMAP=1)
    assert outcome.get("refused") or outcome["indexed"] == PHOTOS
    child("index", folder, faults)
    right = child("search", folder, faults)
    assert len(right) == PHOTOS
    found = child("search", folder, faults, FAULTS_ROOT=folder / "library", FAULTS_NO_MMAP=1)
    assert found == right or found["refused"]


@pytest.mark.parametrize("error", [errno.ESTALE, errno.EIO])
def test_photos_on_a_network_that_fails_are_indexed_later(folder: Path, faults: Path, error: int) -> None:
    outcome = child("index", folder, faults, FAULTS_ROOT=folder / "photos", FAULTS_EVERY=7, FAULTS_ERROR=error)
    assert "refused" not in outcome
    assert outcome["indexed"] < PHOTOS  # or nothing failed, and this tests nothing
    child("index", folder, faults)
    with Library.open(folder / "library") as library:
        assert (library.status().photos, library.failures()) == (PHOTOS, [])


@pytest.mark.parametrize("error", [errno.ESTALE, errno.EIO])
def test_a_library_whose_own_files_fail_says_so_and_loses_nothing(folder: Path, faults: Path, error: int) -> None:
    """Eight rates of failure below indexing, syncs, searches, checks, the REST API, and repairs."""
    outcomes = child("rounds", folder, faults, FAULTS_ROOT=folder / "library", FAULTS_ERROR=error)
    refused = answered = 0
    for first, second in outcomes.values():
        right = {photo: [score, name] for photo, score, name in first["found"]}
        assert len(right) == len({name for _, name in right.values()}) == PHOTOS
        for state in (first, *({key: second[f"{name}, {key}"] for key in first.keys() & STATE} for name in REPAIRED)):
            assert (state["problems"], state["failures"]) == ([], 0)
            assert len(state["found"]) == PHOTOS == len({name for _, _, name in state["found"]})
        assert first["kept"] >= first["index"].get("reported", 0)
        assert second["sound, kept"] == 8
        for outcome in (*first.values(), *second.values()):
            if isinstance(outcome, dict) and "refused" in outcome:
                assert outcome["subject"].startswith(str(folder / "library"))
                assert outcome["reason"]
                assert outcome["remedy"]
                assert outcome["type"] in ("LibraryError", "LibraryCorruptError")  # never that there is no library
                refused += 1
        if isinstance(first["search"], list):
            assert all(right[photo][0] == score for photo, score in first["search"])
            answered += 1
        if isinstance(first["serve"], list):
            assert all(status == 200 or (status == 500 and told["remedy"]) for status, told in first["serve"])
    assert refused > 10  # or nothing failed, and this tests nothing
    assert answered > 1
