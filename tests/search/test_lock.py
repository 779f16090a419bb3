from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sketchseek.errors import LibraryError, LibraryLockedError
from sketchseek.search import lock
from sketchseek.search.lock import FILE, WriterLock

_HOLD = """
import sys
from pathlib import Path
from sketchseek.search.lock import WriterLock
with WriterLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_is_exclusive_within_a_process_and_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            WriterLock(tmp_path),
            pytest.raises(LibraryLockedError, match=f"process {os.getpid()} "),
            WriterLock(tmp_path),
        ):
            pass
    assert (tmp_path / FILE).read_bytes() == b""


def test_another_process_is_named_and_its_death_frees_the_lock(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(LibraryLockedError, match=f"process {process.pid} "), WriterLock(tmp_path):
            pass
        process.kill()
        process.wait()
    with WriterLock(tmp_path):
        assert (tmp_path / FILE).read_text() == f"{os.getpid()}\n"


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="cannot be written to"), WriterLock(tmp_path / "none"):
        pass


def test_a_full_disk_does_not_keep_the_lock_from_working(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    for _ in range(2):
        with WriterLock(tmp_path), pytest.raises(LibraryLockedError, match="process unknown "), WriterLock(tmp_path):
            pass


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "lock_file", refuse)
    with pytest.raises(LibraryError, match="cannot lock files") as caught, WriterLock(tmp_path):
        pass
    assert not isinstance(caught.value, LibraryLockedError)
