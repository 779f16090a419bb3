"""A library as a whole: readers and a writer, write access, status, names."""

from __future__ import annotations

import os
import shutil
import tempfile
import traceback
from pathlib import Path

import pytest

from search.painted import TRIANGLE, Paint, names
from sketchseek.errors import (
    InputError,
    LibraryError,
    LibraryLockedError,
    LibraryNotFoundError,
    ModelPackageError,
)
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.params import Filter
from sketchseek.search.results import IndexProgress
from tiny_model import write_tiny_package


def test_one_writer_at_a_time_and_readers_go_on(library: Library, tmp_path: Path, paint: Paint) -> None:
    paint("new.jpg", 77)
    found: list[int] = []

    def meanwhile(now: IndexProgress) -> None:
        with Library.open(library.path) as other:
            with pytest.raises(LibraryLockedError, match="process"):
                other.sync()
            found.append(len(other.search(TRIANGLE, k=100)))

    library.sync(progress=meanwhile)
    assert found[0] == 6
    assert found[-1] == 7


def test_an_open_library_sees_what_others_write(library: Library, tmp_path: Path, paint: Paint) -> None:
    with Library.open(library.path) as reader:
        assert len(reader.search(TRIANGLE, k=100)) == 6
        paint("new.jpg", 77)
        (tmp_path / "photos" / "odd" / "1.jpg").unlink()
        library.sync()
        assert names(reader) == ["0.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "new.jpg"]
        library.remove(tmp_path / "photos")
        assert reader.search(TRIANGLE) == []


def test_readonly_never_writes(library: Library, tmp_path: Path) -> None:
    with Library.open(library.path, readonly=True) as reader:
        assert len(reader.search(TRIANGLE)) == 6
        with pytest.raises(LibraryError, match="readonly"):
            reader.sync()
    with pytest.raises(LibraryNotFoundError, match="sketchseek index"):
        Library.open(tmp_path / "nowhere")


def test_status_counts(library: Library, tmp_path: Path) -> None:
    (tmp_path / "photos" / "bad.jpg").touch()
    library.sync()
    status = library.status()
    assert (status.photos, status.failures, status.folders) == (6, 1, [tmp_path / "photos"])
    assert (status.model, status.dimensions, status.distance, status.engine) == ("tiny", 16, "cosine", "exact")
    assert status.bytes > 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.parametrize("closed", [True, False])
def test_a_library_that_one_may_read_but_not_write(library: Library, closed: bool) -> None:
    place = Path(tempfile.mkdtemp(prefix="sketchseek-"))  # pytest's own folders are closed to others
    place.chmod(0o755)
    model = write_tiny_package(place / "model")
    copy = place / "library"
    shutil.copytree(library.path, copy)
    query = library.embedding(library.search(TRIANGLE)[0].id)
    writer = None if closed else Library.open(copy)  # its connection keeps SQLite's shared memory there
    if writer is not None:
        writer.search_embedding(query)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setuid(65534)
            with Library.open(copy, readonly=True) as other:
                assert [len(other.search_embedding(query)), len(other), other.status().photos] == [6, 6, 6]
            with Library.open(copy) as other:
                assert len(other.search_embedding(query)) == 6
                with pytest.raises(LibraryError, match="cannot be written to"):
                    other.sync()
            with pytest.raises(LibraryError, match="cannot be created"):
                Library.create(place / "new", model.path)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if writer is not None:
        writer.close()
    shutil.rmtree(place)
    assert status == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become somebody else")
def test_an_unfinished_journal_that_may_not_be_mended_is_refused(library: Library) -> None:
    place = Path(tempfile.mkdtemp(prefix="sketchseek-"))
    place.chmod(0o755)
    copy = place / "library"
    copy.mkdir()
    library.remove([library.search(TRIANGLE)[0].path])
    for file in ("catalog.db", "catalog.db-wal"):
        shutil.copy(library.path / file, copy / file)
    assert (copy / "catalog.db-wal").stat().st_size > 0
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setuid(65534)
            with pytest.raises(LibraryError, match="interrupted"):
                Library.open(copy, readonly=True)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    with Library.open(copy) as mended:
        assert len(mended) == 5
    shutil.rmtree(place)
    assert status == 0


def test_a_name_that_begins_like_a_home(
    tmp_path: Path, tiny_model: ModelPackage, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint("~no-such-user/1.jpg", 1)
    monkeypatch.chdir(tmp_path / "photos")
    with Library.open("~no-such-user/library", tiny_model.path, create=True) as library:
        assert library.add("~no-such-user").indexed == 1
        assert len(library.search(TRIANGLE, filter=Filter("~no-such-user"))) == 1
        assert library.remove(["~no-such-user"]) == 1


def test_names_that_no_file_has_are_errors_of_ours(library: Library, tmp_path: Path, tiny_model: ModelPackage) -> None:
    with pytest.raises(InputError, match=r"\\ud800: not the name of a file"):
        library.search(TRIANGLE, filter=Filter("\ud800"))
    with pytest.raises(InputError, match="no such folder"):
        library.add(["a\0b"])
    for name in ("a\0b", "a" * 5000):
        with pytest.raises(LibraryError):
            Library.open(tmp_path / name)
        with pytest.raises(LibraryError):
            Library.open(tmp_path / name, tiny_model.path, create=True)
        with pytest.raises(ModelPackageError):
            Library.open(tmp_path / "new", name, create=True)


def test_no_score_exceeds_that_of_equal_embeddings(library: Library) -> None:
    # Stored embeddings are rounded to half precision: about one in two is longer than 1 by up to 0.0005.
    scores = []
    for photo in [result.id for result in library.search(TRIANGLE, k=100)]:
        found = library.search_embedding(library.embedding(photo), k=2)
        assert found[0].score >= found[1].score
        scores.append(found[0].score)
    assert max(scores) <= 1
    assert min(scores) > 0.999
