from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

import hostile_requests as make
from sketchseek.encoder import Encoder
from sketchseek.images import cost
from sketchseek.models.package import ModelPackage
from sketchseek.search import pipeline
from sketchseek.search.catalog import Row
from sketchseek.search.photo_reader import PhotoReader
from sketchseek.search.pipeline import BATCH, Failed, Gone, Known, Outcome, embed_files
from sketchseek.search.scan import LEADS_OUT


@pytest.fixture
def encoder(tiny_model: ModelPackage) -> Encoder:
    """The tiny encoders."""
    return Encoder(tiny_model, threads=1)


def draw(folder: Path, count: int) -> list[bytes]:
    paths = []
    for i in range(count):
        path = folder / f"{i:03d}.png"
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (9, 12, 3)).astype(np.uint8)).save(path)
        paths.append(os.fsencode(path))
    return paths


def embed(encoder: Encoder, paths: list[bytes], workers: int = 2) -> list[Outcome]:
    return [outcome for batch in embed_files(encoder, paths, lambda _: False, workers=workers) for outcome in batch]


def test_outcomes_come_in_order_each_with_its_own_embedding(tmp_path: Path, encoder: Encoder) -> None:
    paths = draw(tmp_path, 3 * BATCH + 5)
    bad, gone = tmp_path / "bad.png", os.fsencode(tmp_path / "gone.png")
    bad.write_bytes(b"bad")
    paths[7:7] = [os.fsencode(bad), gone]
    outcomes = embed(encoder, paths)
    assert [outcome.path for outcome in outcomes] == paths
    for outcome in outcomes:
        if isinstance(outcome, Row):
            expected = encoder.encode_photo(os.fsdecode(outcome.path))
            np.testing.assert_allclose(np.frombuffer(outcome.embedding, np.float16), expected, atol=2e-3)
            assert (outcome.width, outcome.height, outcome.size) == (
                12,
                9,
                Path(os.fsdecode(outcome.path)).stat().st_size,
            )
    assert isinstance(outcomes[7], Failed)
    assert outcomes[7].size == 3
    assert outcomes[8] == Gone(gone)


def test_known_files_are_not_decoded(tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = draw(tmp_path, 3)
    monkeypatch.setattr(PhotoReader, "read", lambda *_: pytest.fail("decoded"))
    batches = embed_files(encoder, paths, lambda digest: len(digest) == 32, workers=1)
    assert all(isinstance(outcome, Known) for batch in batches for outcome in batch)


def test_paths_are_taken_only_as_they_are_worked_on(tmp_path: Path, encoder: Encoder) -> None:
    (path,) = draw(tmp_path, 1)
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield path

    batches = embed_files(encoder, endless(), lambda _: False, workers=2)
    for _ in range(3):
        next(batches)
    batches.close()
    assert taken <= (3 + 2 * 2 + 2) * BATCH
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sketchseek-embed")]


def test_an_error_that_is_no_picture_s_ends_the_run(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Encoder, "encode_photo_pixels", lambda *_: (_ for _ in ()).throw(RuntimeError("broken")))
    with pytest.raises(RuntimeError, match="broken"):
        embed(encoder, draw(tmp_path, 40))


def test_a_large_file_and_a_large_picture_give_the_same(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = draw(tmp_path, 5)
    expected = embed(encoder, paths)
    monkeypatch.setattr(pipeline, "READ_WHOLE", 10)
    monkeypatch.setattr(cost, "LARGE_BYTES", 10)
    assert embed(encoder, paths) == expected
    (tmp_path / "bad.png").write_bytes(b"bad" * 10)
    (failed,) = embed(encoder, [os.fsencode(tmp_path / "bad.png")])
    assert isinstance(failed, Failed)
    assert str(tmp_path) not in failed.reason


def test_what_is_no_file(tmp_path: Path, encoder: Encoder) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    paths = [os.fsencode(tmp_path / name) for name in ("pipe.jpg", "folder.jpg", "loop.jpg")]
    assert all(isinstance(outcome, Failed) for outcome in embed(encoder, paths))


def test_a_picture_beyond_pillow_s_own_cap_has_its_size(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = draw(tmp_path, 1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    (row,) = embed(encoder, [path])
    assert isinstance(row, Row)
    assert (row.width, row.height) == (12, 9)


def test_a_file_that_became_a_link_out_of_the_folders_is_not_read(tmp_path: Path, encoder: Encoder) -> None:
    photos, secret = tmp_path / "photos", tmp_path / "secret"
    for folder in (photos, photos / "real", secret):
        folder.mkdir()
    paths = draw(photos, 2) + draw(photos / "real", 1)
    draw(secret, 2)
    (photos / "001.png").unlink()
    (photos / "001.png").symlink_to(secret / "001.png")  # after the scan
    (photos / "real").rename(tmp_path / "moved")
    (photos / "real").symlink_to(secret)
    within = [os.fsencode(photos)]
    outcomes = [
        one for batch in embed_files(encoder, paths, lambda _: False, workers=1, within=within) for one in batch
    ]
    assert [type(one) for one in outcomes] == [Row, Failed, Failed]
    assert [one.reason for one in outcomes if isinstance(one, Failed)] == [LEADS_OUT, LEADS_OUT]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on CPU time")
def test_a_picture_that_decodes_too_long_fails_and_the_others_do_not(tmp_path: Path, encoder: Encoder) -> None:
    paths = draw(tmp_path, 5)
    slow = tmp_path / "slow.gif"
    slow.write_bytes(make.blank_animation(4000))
    paths[2:2] = [os.fsencode(slow)]
    batches = embed_files(encoder, paths, lambda _: False, workers=1, cpu_seconds=1.0)
    outcomes = [outcome for batch in batches for outcome in batch]
    assert [outcome.path for outcome in outcomes] == paths
    (failed,) = [outcome for outcome in outcomes if not isinstance(outcome, Row)]
    assert isinstance(failed, Failed)
    assert failed.reason == "decoding it takes longer than 1 seconds."
    assert failed.size == slow.stat().st_size  # the next run does not try it again


@pytest.mark.slow
def test_closing_ends_a_slow_decoder_and_does_not_blame_the_picture(tmp_path: Path, encoder: Encoder) -> None:
    paths = draw(tmp_path, BATCH)
    slow = tmp_path / "slow.gif"
    slow.write_bytes(make.blank_animation(12_000))
    others = set(psutil.Process().children())  # another module's object store, for example
    batches = embed_files(encoder, [*paths, os.fsencode(slow)], lambda _: False, workers=1)
    outcomes = next(batches)
    for _ in range(600):
        if children := set(psutil.Process().children()) - others:
            break
        time.sleep(0.05)
    start = time.monotonic()
    batches.close()
    assert time.monotonic() - start < 20  # decoding takes 40
    assert not [child for child in children if child.is_running() and child.status() != "zombie"]
    assert [type(outcome) for outcome in outcomes] == [Row] * BATCH
