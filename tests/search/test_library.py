from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from raw_files import dng
from sketchseek.encoder import Encoder
from sketchseek.errors import (
    EmptySketchError,
    InputError,
    LibraryError,
    LibraryLockedError,
    LibraryNotFoundError,
    ModelMismatchError,
    ModelPackageError,
)
from sketchseek.images import open_image
from sketchseek.models.package import ModelPackage, write_manifest
from sketchseek.search import pipeline
from sketchseek.search.catalog import Catalog, Row
from sketchseek.search.library import Library
from sketchseek.search.params import Filter
from sketchseek.search.results import IndexProgress
from sketchseek.sketches import SketchSource
from tiny_model import write_tiny_package
from video_files import video

Paint = Callable[..., Path]
TRIANGLE = [[[0, 50, 100, 0], [100, 0, 100, 100]]]


@pytest.fixture
def paint(tmp_path: Path) -> Paint:
    """Write a small JPEG whose pattern is its seed's, below ``photos``."""

    def paint(name: str, seed: int) -> Path:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3))
        Image.fromarray(cells.astype(np.uint8)).resize((40, 32), Image.Resampling.NEAREST).save(path)
        return path

    return paint


@pytest.fixture
def library(tmp_path: Path, tiny_model: ModelPackage, paint: Paint) -> Iterator[Library]:
    """A library of six photos in two folders."""
    for seed in range(6):
        paint(f"{'even' if seed % 2 == 0 else 'odd'}/{seed}.jpg", seed)
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as library:
        library.add([tmp_path / "photos"])
        yield library


def names(library: Library) -> list[str]:
    """Names of all photos that a search finds, sorted."""
    return sorted(result.path.name for result in library.search(TRIANGLE, k=1000))


def test_every_indexed_photo_is_found_once(library: Library) -> None:
    results = library.search(TRIANGLE, k=1000)
    assert [result.rank for result in results] == [1, 2, 3, 4, 5, 6]
    assert len({result.id for result in results}) == len({result.path for result in results}) == len(library) == 6
    assert [result.score for result in results] == sorted((result.score for result in results), reverse=True)


def test_ranks_and_scores_are_those_of_the_embeddings(library: Library) -> None:
    query = library.encoder.encode_sketch(TRIANGLE)
    results = library.search(TRIANGLE, k=3)
    paths = sorted((library.path.parent / "photos").rglob("*.jpg"))
    scores = {path: float(query @ library.encoder.encode_photo(path)) for path in paths}
    assert [result.path for result in results] == sorted(paths, key=lambda path: -scores[path])[:3]
    np.testing.assert_allclose([r.score for r in results], [scores[r.path] for r in results], atol=2e-3)


def test_a_photo_finds_its_like_but_not_itself(library: Library, paint: Paint) -> None:
    photo = paint("even/0.jpg", 0)
    duplicate = paint("duplicate.jpg", 0)
    library.sync()
    by_path = library.search_photo(photo, k=10)
    assert by_path[0].path == duplicate
    assert by_path[0].score == pytest.approx(1.0, abs=2e-3)
    assert photo not in [result.path for result in by_path]
    photo_id = next(r.id for r in library.search(TRIANGLE, k=10) if r.path == photo)
    assert library.search_photo(photo_id, k=10) == by_path
    assert library.search_photo(photo, k=2) == by_path[:2]
    outside = library.search_photo(photo.read_bytes(), k=2)
    assert {result.path for result in outside} == {photo, duplicate}


@pytest.mark.parametrize("k", [1, 2, 3, 100])
def test_a_folder_filter_loses_nothing(library: Library, tmp_path: Path, k: int) -> None:
    everything = library.search(TRIANGLE, k=100)
    odd = [result.path for result in everything if result.path.parent.name == "odd"]
    assert [result.path for result in library.search(TRIANGLE, k=k, filter=Filter(tmp_path / "photos" / "odd"))] == odd[
        :k
    ]


def test_a_folder_s_name_is_no_prefix_of_another_s(library: Library, tmp_path: Path, paint: Paint) -> None:
    paint("odd-ones/9.jpg", 9)
    paint("odd0/8.jpg", 8)
    library.sync()
    assert len(library.search(TRIANGLE, k=100, filter=Filter(tmp_path / "photos" / "odd"))) == 3
    assert len(library.search(TRIANGLE, k=100, filter=Filter("/"))) == 8
    assert library.search(TRIANGLE, filter=Filter(tmp_path / "nowhere")) == []


def test_an_empty_library_finds_nothing(tmp_path: Path, tiny_model: ModelPackage) -> None:
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        assert library.search(TRIANGLE) == []
        assert library.search_embedding(np.ones(16)) == []
        assert library.verify().ok


@pytest.mark.parametrize(
    "embedding", [np.ones(15), np.ones((1, 16)), np.zeros(16), np.full(16, np.nan), np.full(16, np.inf)]
)
def test_an_embedding_that_cannot_be_searched_by_is_refused(library: Library, embedding: np.ndarray) -> None:
    with pytest.raises(InputError):
        library.search_embedding(embedding)


def test_an_embedding_of_any_length_has_a_direction(library: Library) -> None:
    embedding = np.random.default_rng(0).standard_normal(16)
    assert [r.id for r in library.search_embedding(1000 * embedding)] == [
        r.id for r in library.search_embedding(embedding)
    ]
    assert all(-1.01 < result.score < 1.01 for result in library.search_embedding(1000 * embedding))


def test_questions_without_an_answer_are_refused(library: Library) -> None:
    with pytest.raises(InputError, match="k is 0"):
        library.search(TRIANGLE, k=0)
    with pytest.raises(InputError, match="id 99"):
        library.search_photo(99)
    with pytest.raises(EmptySketchError):
        library.search([])
    with pytest.raises(InputError, match="no such folder"):
        library.add(["/no/such/folder"])


def test_indexing_again_changes_nothing(library: Library, tmp_path: Path) -> None:
    before = library.search(TRIANGLE, k=10)
    report = library.add([tmp_path / "photos"])
    assert (report.indexed, report.unchanged, report.removed, report.failed) == (0, 6, 0, 0)
    assert library.search(TRIANGLE, k=10) == before


def test_sync_notices_new_changed_moved_copied_and_deleted_files(
    library: Library, tmp_path: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    ids = {result.path.name: result.id for result in library.search(TRIANGLE, k=10)}
    paint("new.jpg", 100)
    paint("even/0.jpg", 200)
    (photos / "odd" / "1.jpg").rename(photos / "renamed.jpg")
    (photos / "even" / "2.jpg").unlink()
    (photos / "copy.jpg").write_bytes((photos / "even" / "4.jpg").read_bytes())
    embedded: list[int] = []
    embed = type(library.encoder).encode_photo_pixels
    monkeypatch.setattr(
        type(library.encoder),
        "encode_photo_pixels",
        lambda self, pixels: embedded.append(len(pixels)) or embed(self, pixels),  # type: ignore[func-returns-value]
    )
    report = library.sync()
    assert (report.indexed, report.unchanged, report.moved, report.removed) == (3, 3, 1, 1)
    assert sum(embedded) == 2  # neither the moved nor the copied one
    now = {result.path.name: result.id for result in library.search(TRIANGLE, k=10)}
    assert sorted(now) == ["0.jpg", "3.jpg", "4.jpg", "5.jpg", "copy.jpg", "new.jpg", "renamed.jpg"]
    assert now["renamed.jpg"] == ids["1.jpg"]
    assert now["0.jpg"] not in ids.values()
    assert library.verify().ok


def test_a_touched_file_is_not_embedded_again(library: Library, tmp_path: Path) -> None:
    os.utime(tmp_path / "photos" / "odd" / "1.jpg", ns=(1, 1))
    before = library.search(TRIANGLE, k=10)
    assert (library.sync().unchanged, library.search(TRIANGLE, k=10)) == (6, before)


def test_files_that_swap_names_swap_embeddings(library: Library, tmp_path: Path) -> None:
    one, two = tmp_path / "photos" / "odd" / "1.jpg", tmp_path / "photos" / "even" / "2.jpg"
    scores = {result.path: result.score for result in library.search(TRIANGLE, k=10)}
    one.rename(tmp_path / "aside")
    two.rename(one)
    (tmp_path / "aside").rename(two)
    library.sync()
    swapped = {result.path: result.score for result in library.search(TRIANGLE, k=10)}
    assert len(swapped) == 6
    assert (swapped[one], swapped[two]) == pytest.approx((scores[two], scores[one]))


def test_a_chain_of_renames_keeps_the_photos(library: Library, tmp_path: Path) -> None:
    odd = tmp_path / "photos" / "odd"
    (odd / "5.jpg").unlink()
    (odd / "3.jpg").rename(odd / "5.jpg")
    (odd / "1.jpg").rename(odd / "3.jpg")
    library.sync()
    assert names(library) == ["0.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert library.verify().ok


def test_a_moved_folder_keeps_every_id(library: Library, tmp_path: Path) -> None:
    before = {result.id for result in library.search(TRIANGLE, k=10)}
    (tmp_path / "photos" / "odd").rename(tmp_path / "photos" / "strange")
    report = library.sync()
    assert (report.moved, report.indexed, report.removed) == (3, 0, 0)
    assert {result.id for result in library.search(TRIANGLE, k=10)} == before


def test_a_folder_that_is_not_there_keeps_its_photos(library: Library, tmp_path: Path) -> None:
    (tmp_path / "photos").rename(tmp_path / "unplugged")
    report = library.sync()
    assert (report.removed, report.failed, len(library)) == (0, 1, 6)
    assert [failure.path for failure in library.failures()] == [tmp_path / "photos"]
    (tmp_path / "unplugged").rename(tmp_path / "photos")
    assert library.sync().unchanged == 6
    assert library.failures() == []


def test_bad_pictures_stop_nothing_and_are_retried_when_they_change(
    library: Library, tmp_path: Path, paint: Paint
) -> None:
    bad = tmp_path / "photos" / "bad.jpg"
    bad.write_bytes(b"no picture")
    (tmp_path / "photos" / "empty.png").touch()
    paint("good.jpg", 50)
    report = library.sync()
    assert (report.indexed, report.failed) == (1, 2)
    assert {failure.path.name for failure in library.failures()} == {"bad.jpg", "empty.png"}
    assert all(str(tmp_path) not in failure.reason for failure in library.failures())
    again = library.sync()
    assert (again.failed, again.skipped) == (0, 2)
    paint("bad.jpg", 51)
    assert library.sync().indexed == 1
    assert [failure.path.name for failure in library.failures()] == ["empty.png"]


def test_a_photo_that_became_unreadable_is_found_no_more(library: Library, tmp_path: Path) -> None:
    (tmp_path / "photos" / "odd" / "3.jpg").write_bytes(b"\xff\xd8\xff")
    assert library.sync().failed == 1
    assert "3.jpg" not in names(library)


def test_remove_takes_out_photos_and_folders_for_good(library: Library, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    assert library.remove([photos / "odd", photos / "even" / "0.jpg"]) == 4
    assert names(library) == ["2.jpg", "4.jpg"]
    assert library.sync().indexed == 0
    library.add([photos])
    assert names(library) == ["2.jpg", "4.jpg"]
    assert library.status().excluded == [photos / "even" / "0.jpg", photos / "odd"]
    library.add([photos / "odd"])
    assert names(library) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert library.remove(photos) == 5
    assert library.search(TRIANGLE) == []
    assert library.status().folders == []


def test_another_model_is_refused_until_photos_are_embedded_anew(
    library: Library, tmp_path: Path, tiny_model: ModelPackage
) -> None:
    other = write_tiny_package(tmp_path / "other", seed=1, name="other")
    with pytest.raises(ModelMismatchError, match="--re-embed"):
        Library.open(library.path, other.path)
    ids = {result.path: result.id for result in library.search(TRIANGLE, k=10)}
    with Library.open(library.path) as reader, Library.open(library.path, tiny_model.path) as strict:
        assert len(reader.search(TRIANGLE)) == len(strict.search(TRIANGLE)) == 6
        assert library.re_embed(other.path).indexed == 6
        # Who took the library's own model goes on with the new one; who asked for the old one is told.
        assert reader.search(TRIANGLE) == library.search(TRIANGLE)
        with pytest.raises(ModelMismatchError, match="built with model other"):
            strict.search(TRIANGLE)
    assert {result.path: result.id for result in library.search(TRIANGLE, k=10)} == ids
    best = library.search(TRIANGLE, k=1)[0]
    encoder = library.encoder
    assert encoder.manifest.name == "other"
    expected = float(encoder.encode_sketch(TRIANGLE) @ encoder.encode_photo(best.path))
    assert best.score == pytest.approx(expected, abs=2e-3)
    assert library.verify().ok


def test_a_model_of_another_length_and_metric(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiny_model.EMBEDDING", 24)
    made = write_tiny_package(tmp_path / "other", seed=1)
    other = write_manifest(made.path, dataclasses.replace(made.manifest, distance="euclidean"))
    with Library.open(library.path) as reader:
        ids = {result.id for result in reader.search(TRIANGLE)}
        library.re_embed(other.path)
        for opened in (library, reader):
            results = opened.search(TRIANGLE)
            assert {result.id for result in results} == ids
            query = opened.encoder.encode_sketch(TRIANGLE)
            for result in results:
                expected = -float(np.linalg.norm(query - opened.encoder.encode_photo(result.path)))
                assert result.score == pytest.approx(expected, abs=5e-3)
            assert [result.score for result in results] == sorted((r.score for r in results), reverse=True)
            assert len(opened.search_photo(results[0].id)) == 5
            assert opened.verify().ok


def test_embedding_anew_goes_on_where_it_was_interrupted(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_tiny_package(tmp_path / "other", seed=1)
    before = library.search(TRIANGLE, k=10)
    monkeypatch.setattr("sketchseek.search.pipeline.BATCH", 1)
    monkeypatch.setattr("sketchseek.search.re_embed.COMMIT_EVERY", 0.0)

    def stop(now: IndexProgress) -> None:
        if now.done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.re_embed(other.path, progress=stop)
    assert library.search(TRIANGLE, k=10) == before
    seen: list[int] = []
    assert library.re_embed(other.path, progress=lambda now: seen.append(now.done)).indexed == 6
    assert seen[0] > 2
    assert library.verify().ok


def test_a_query_that_was_embedded_before_and_searches_after(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_tiny_package(tmp_path / "other", seed=1)
    embed = Encoder.encode_sketch

    def slow(self: Encoder, sketch: SketchSource) -> np.ndarray:
        embedding = embed(self, sketch)
        if self.manifest.fingerprint != other.manifest.fingerprint:
            with Library.open(library.path) as writer:
                writer.re_embed(other.path)
        return embedding

    monkeypatch.setattr(Encoder, "encode_sketch", slow)
    with Library.open(library.path) as reader:
        results = reader.search(TRIANGLE)
    query = embed(Encoder(other), TRIANGLE)
    best = max(float(query @ Encoder(other).encode_photo(result.path)) for result in results)
    assert results[0].score == pytest.approx(best, abs=2e-3)


def test_embedding_anew_drops_what_cannot_be_read_any_more(library: Library, tmp_path: Path) -> None:
    aside = (tmp_path / "photos" / "odd" / "1.jpg").rename(tmp_path / "aside.jpg")
    (tmp_path / "photos" / "odd" / "3.jpg").write_bytes(b"bad")
    report = library.re_embed(write_tiny_package(tmp_path / "other", seed=1).path)
    assert (report.indexed, report.failed) == (4, 2)
    assert names(library) == ["0.jpg", "2.jpg", "4.jpg", "5.jpg"]
    aside.rename(tmp_path / "photos" / "odd" / "1.jpg")  # of the same size and time as before
    assert library.sync().indexed == 1
    (tmp_path / "photos").rename(tmp_path / "unplugged")
    with pytest.raises(LibraryError, match="not there"):
        library.re_embed(write_tiny_package(tmp_path / "third", seed=2).path)


def test_embedding_anew_takes_a_changed_file_as_it_is(library: Library, tmp_path: Path, paint: Paint) -> None:
    path = paint("odd/1.jpg", 111)
    library.re_embed(write_tiny_package(tmp_path / "other", seed=1).path)
    assert library.sync().unchanged == 6
    best = library.search_embedding(library.encoder.encode_photo(path), k=1)[0]
    assert best.path == path
    assert best.score == pytest.approx(1.0, abs=2e-3)
    paint("old.jpg", 1)  # the bytes that were there before: not to be taken for the same photo
    assert library.sync().indexed == 1
    best = library.search_embedding(library.encoder.encode_photo(tmp_path / "photos" / "old.jpg"), k=1)[0]
    assert best.path.name == "old.jpg"


def test_a_model_that_has_moved_is_named(library: Library, tmp_path: Path, tiny_model: ModelPackage) -> None:
    package = write_tiny_package(tmp_path / "mine")
    with Library.create(tmp_path / "other", package.path) as other:
        other.add([tmp_path / "photos"])
    package.path.rename(tmp_path / "elsewhere")
    with Library.open(tmp_path / "other") as other:
        assert len(other) == 6
        assert not other.verify().ok
        with pytest.raises(ModelPackageError, match="is not there any more"):
            other.search(TRIANGLE)
        other.re_embed(tmp_path / "elsewhere")  # the same model: nothing is embedded, only the path is noted
        assert len(other.search(TRIANGLE)) == 6


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


def test_an_interrupt_keeps_what_was_done(
    tmp_path: Path, tiny_model: ModelPackage, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(40):
        paint(f"{seed}.jpg", seed)
    monkeypatch.setattr("sketchseek.search.pipeline.BATCH", 2)
    monkeypatch.setattr("sketchseek.search.update.COMMIT_EVERY", 0.0)
    reported: list[int] = []

    def stop(now: IndexProgress) -> None:
        reported.append(now.indexed)
        if now.indexed >= 10:
            raise KeyboardInterrupt

    with Library.create(tmp_path / "library", tiny_model.path) as library:
        with pytest.raises(KeyboardInterrupt):
            library.add([tmp_path / "photos"], progress=stop)
        kept = len(library)
        assert 10 <= max(reported) <= kept < 40
        assert library.verify().ok
        report = library.sync()
        assert (report.indexed, report.unchanged) == (40 - kept, kept)
        assert len(names(library)) == 40


def test_what_was_rolled_back_is_not_reported(
    tmp_path: Path, tiny_model: ModelPackage, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(8):
        paint(f"{seed}.jpg", seed)
    add, calls = Catalog.add, [0]

    def interrupted(self: Catalog, row: Row) -> int:
        calls[0] += 1
        if calls[0] == 5:
            raise KeyboardInterrupt
        return add(self, row)

    monkeypatch.setattr(Catalog, "add", interrupted)
    monkeypatch.setattr("sketchseek.search.update.COMMIT_EVERY", 0.0)
    reported: list[int] = []
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        with pytest.raises(KeyboardInterrupt):
            library.add([tmp_path / "photos"], progress=lambda now: reported.append(now.indexed))
        assert reported[-1] == len(library) == 8  # the second try, on the way out, went through
        assert library.verify().ok


def test_names_that_are_no_text(tmp_path: Path, tiny_model: ModelPackage, paint: Paint) -> None:
    good = paint("plain.jpg", 1)
    odd = os.fsencode(good.parent) + b"/\xff\xfe ' \" \n.jpg"
    try:
        good.rename(os.fsdecode(odd))
    except OSError:
        pytest.skip("this file system takes no such names")
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        assert library.add([tmp_path / "photos"]).indexed == 1
        (result,) = library.search(TRIANGLE)
        assert os.fsencode(result.path) == odd
        assert library.search_photo(result.path) == []
        assert library.remove([result.path]) == 1


def test_readonly_never_writes(library: Library, tmp_path: Path) -> None:
    with Library.open(library.path, readonly=True) as reader:
        assert len(reader.search(TRIANGLE)) == 6
        with pytest.raises(LibraryError, match="readonly"):
            reader.sync()
    with pytest.raises(LibraryNotFoundError, match="sketchseek index"):
        Library.open(tmp_path / "nowhere")


def test_searches_from_several_threads_agree(library: Library) -> None:
    expected = library.search(TRIANGLE)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(lambda _: library.search(TRIANGLE), range(40)))


def test_a_photo_s_facts(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "photos" / "turned.jpg"
    image = Image.new("RGB", (30, 20), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)
    library.sync()
    photo_id = next(result.id for result in library.search(TRIANGLE, k=10) if result.path == path)
    photo = library.photo(photo_id)
    assert photo is not None
    assert (photo.path, photo.width, photo.height, photo.size) == (path, 20, 30, path.stat().st_size)
    assert library.embedding(photo_id).shape == (16,)
    assert library.photo(10_000) is None


def test_status_counts(library: Library, tmp_path: Path) -> None:
    (tmp_path / "photos" / "bad.jpg").touch()
    library.sync()
    status = library.status()
    assert (status.photos, status.failures, status.folders) == (6, 1, [tmp_path / "photos"])
    assert (status.model, status.embedding, status.distance, status.engine) == ("tiny", 16, "cosine", "exact")
    assert status.bytes > 0


def test_a_faulty_embedding_is_reported_not_stored(
    library: Library, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Encoder, "encode_photo_pixels", lambda self, pixels: np.full((len(pixels), 16), np.nan, np.float32)
    )
    paint("new.jpg", 77)
    assert library.sync().failed == 1
    assert "finite" in library.failures()[0].reason


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


@pytest.mark.parametrize("seconds", [10**10, -(10**10)])
def test_a_file_of_a_time_that_sqlite_has_no_number_for(library: Library, paint: Paint, seconds: int) -> None:
    path = paint("new.jpg", 77)
    os.utime(path, (seconds, seconds))
    if abs(path.stat().st_mtime_ns) < 2**63:
        pytest.skip("this file system has no such times")
    assert library.sync().indexed == 1
    assert library.sync().unchanged == 7


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


def test_numbers_that_are_none_or_too_large(library: Library) -> None:
    embedding: Any
    for embedding in (["a"] * 16, [[1], [1, 2]], None, [10**400] * 16):
        with pytest.raises(InputError, match="embedding"):
            library.search_embedding(embedding)
    with pytest.raises(InputError, match="no photo with id"):
        library.search_photo(10**30)
    assert library.photo(2**63) is None


def test_copies_of_one_file_are_looked_for_once_each(
    tmp_path: Path, tiny_model: ModelPackage, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 300
    data = paint("0.jpg", 0).read_bytes()
    for i in range(count):
        (tmp_path / "photos" / f"{i}.jpg").write_bytes(data)
    looked: list[bytes] = []
    lexists = os.path.lexists
    monkeypatch.setattr("os.path.lexists", lambda path: looked.append(path) or lexists(path))  # type: ignore[func-returns-value]
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        assert library.add([tmp_path / "photos"]).indexed == count
        before = {result.id for result in library.search(TRIANGLE, k=count)}
        (tmp_path / "photos").rename(tmp_path / "moved")
        looked.clear()
        report = library.add([tmp_path / "moved"])
        assert (report.moved, report.indexed) == (count, 0)
        assert len(looked) <= 2 * count
        assert {result.id for result in library.search(TRIANGLE, k=count)} == before
        (tmp_path / "moved" / "copy.jpg").write_bytes(data)
        assert library.sync().indexed == 1
        assert len(library) == count + 1


def test_a_disk_that_failed_is_tried_again(library: Library, paint: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    paint("new.jpg", 77)

    def failing(data: bytes) -> object:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(pipeline, "hashlib", SimpleNamespace(sha256=failing))
    assert library.sync().failed == 1
    assert library.failures()[0].reason == "Input/output error"
    monkeypatch.undo()
    report = library.sync()
    assert (report.indexed, report.skipped, library.failures()) == (1, 0, [])


def test_no_score_exceeds_that_of_equal_embeddings(library: Library) -> None:
    # Stored embeddings are rounded to half precision: about one in two is longer than 1 by up to 0.0005.
    scores = []
    for photo in [result.id for result in library.search(TRIANGLE, k=100)]:
        found = library.search_embedding(library.embedding(photo), k=2)
        assert found[0].score >= found[1].score
        scores.append(found[0].score)
    assert max(scores) <= 1
    assert min(scores) > 0.999


def test_videos_raw_files_and_jpeg_xl_are_photos_too(tmp_path: Path, tiny_model: ModelPackage, paint: Paint) -> None:
    for module in ("av", "rawpy"):
        pytest.importorskip(module)
    encoder = pytest.importorskip("pillow_jxl").Encoder
    files = [paint(f"{name}.png", seed) for seed, name in enumerate("abc")]
    pictures = [open_image(file).resize((480, 384)) for file in files]
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "film.mp4").write_bytes(video([pictures[0]]))
    (folder / "photo.dng").write_bytes(dng(pictures[1]))
    pictures[2].save(folder / "photo.jxl")
    assert encoder  # importing it lets Pillow write JPEG XL
    with Library.open(tmp_path / "mixed.library", tiny_model.path, create=True) as library:
        report = library.add(folder)
        assert (report.indexed, report.failed, report.unread) == (3, 0, {})
        found = [library.search_photo(file, 1)[0].path.name for file in files]
        assert found == ["film.mp4", "photo.dng", "photo.jxl"]
