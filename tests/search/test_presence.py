"""A path that cannot be reached is not a path that is not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sketchseek.errors import LibraryError, LibraryNotFoundError
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.presence import CHECK_DISK, is_there, remedy_for


def test_only_a_missing_path_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    assert is_there(tmp_path / "file")
    assert not is_there(tmp_path / "none")
    assert not is_there(tmp_path / "file" / "below")
    monkeypatch.setattr(os, "stat", fail)
    with pytest.raises(OSError, match="Stale"):
        is_there(tmp_path / "file")


def test_no_library_is_created_over_one_that_cannot_be_reached(
    tmp_path: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ``Path.exists`` says: from Python 3.14 on, it takes every error for a no."""
    library = tmp_path / "library"
    Library.create(library, tiny_model.path).close()
    before = (library / "catalog.db").read_bytes()
    for name in ("exists", "is_file", "is_dir"):
        monkeypatch.setattr(Path, name, lambda *_, **__: False)
    with monkeypatch.context() as patch:
        patch.setattr("sketchseek.search.presence.os.stat", fail)
        with pytest.raises(LibraryError, match="cannot be opened") as caught:
            Library.open(library, tiny_model.path, create=True)
    assert not isinstance(caught.value, LibraryNotFoundError)
    assert caught.value.remedy == CHECK_DISK
    assert (library / "catalog.db").read_bytes() == before
    Library.open(library, create=True).close()
    assert (library / "catalog.db").read_bytes() == before


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "Free some space"), (errno.EACCES, "permissions"), (errno.EIO, "Check the disk")],
)
def test_the_remedy_fits_the_error(number: int, words: str) -> None:
    assert words in remedy_for(OSError(number, os.strerror(number)))


def fail(*_: object, **__: object) -> os.stat_result:
    """Fail as a network file system does."""
    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
