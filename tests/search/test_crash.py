"""``kill -9`` at random moments while indexing, and going on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchseek.models.package import ModelPackage
from sketchseek.search.local_library import LocalLibrary

pytestmark = pytest.mark.slow

CHILD = Path(__file__).with_name("indexing_child.py")


def draw_photos(folder: Path, count: int) -> None:
    """Small JPEGs, all different, in folders of a hundred."""
    rng = np.random.default_rng(0)
    for i in range(count):
        path = folder / f"{i // 100:03d}" / f"{i:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(cells).resize((64, 48), Image.Resampling.BILINEAR).save(path, quality=80)


def crash_and_resume(
    folder: Path,
    library: Path,
    model: Path,
    log: Path,
    *,
    shortest: float = 0.0,
    longest: float,
    crashes: int,
    seed: int,
) -> tuple[int, int]:
    """Start, kill after a random time in seconds, and start again, until a run ends by itself or was spared.

    Returns:
        How many runs were killed, and how many of those with photos reported.
    """
    rng = random.Random(seed)
    killed = with_photos = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, str(CHILD), str(folder), str(library), str(model), str(log)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            out, err = process.communicate(timeout=rng.uniform(shortest, longest) if killed < crashes else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            with_photos += log.exists() and log.stat().st_size > 0
            check(library, log)
            continue
        assert process.returncode == 0, err.decode()
        assert out == b"finished\n"
        return killed, with_photos


def check(library: Path, log: Path) -> None:
    """Every photo that was reported is in the library, and the library is whole."""
    reported = log.read_bytes().splitlines() if log.exists() else []
    if not reported:
        return
    if not log.read_bytes().endswith(b"\n"):
        reported.pop()  # the log itself was cut off
    with LocalLibrary.open(library) as opened:
        paths = {
            photo: os.fsencode(facts.path)
            for photo, facts in opened._catalog.photos(opened._catalog.ids().tolist()).items()
        }
        assert len(set(paths.values())) == len(paths)
        for line in reported:
            photo, _, path = line.partition(b" ")
            assert paths.get(int(photo)) == path
        found = [result.id for result in opened.search_embedding(np.ones(16), k=10**6)]
        assert sorted(found) == sorted(paths)
        assert opened.verify().problems == []


def assert_all_are_found(folder: Path, library: Path, log: Path, count: int) -> None:
    check(library, log)
    with LocalLibrary.open(library) as opened:
        found = sorted(result.path for result in opened.search_embedding(np.ones(16), k=10**6))
        assert found == sorted(folder.rglob("*.jpg"))
        assert len(found) == count
        # Each under its own embedding: a photo finds itself.
        for path in random.Random(0).sample(found, 50):
            best = opened.search_embedding(opened.encoder.encode_photo(path), k=1)[0]
            assert best.path == path
        assert opened.sync().unchanged == count
        assert opened.verify().ok


def test_a_killed_run_loses_nothing_that_it_reported(tmp_path: Path, tiny_model: ModelPackage) -> None:
    draw_photos(tmp_path / "photos", 400)
    log, library = tmp_path / "log", tmp_path / "library"
    crash_and_resume(tmp_path / "photos", library, tiny_model.path, log, longest=1.0, crashes=8, seed=os.getpid())
    assert_all_are_found(tmp_path / "photos", library, log, 400)


_DIE_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
from sketchseek.search.index import snapshots
from sketchseek.search.catalog import Catalog
from sketchseek.search.index_mirror import IndexMirror

left = int(sys.argv[2])

def or_die(function):
    def counted(*arguments, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return counted

folder = Path(sys.argv[1])
catalog = Catalog(folder, write=True)
os.fsync = or_die(os.fsync)
Path.replace, Path.unlink, Path.write_bytes = or_die(Path.replace), or_die(Path.unlink), or_die(Path.write_bytes)
Catalog.set_snapshot, Catalog.close = or_die(Catalog.set_snapshot), or_die(Catalog.close)
snapshots.file_digest = or_die(snapshots.file_digest)
IndexMirror(folder, 16, "cosine").save(catalog, force=True)
catalog.close()
"""


def test_a_crash_at_any_step_of_writing_the_index(tmp_path: Path, tiny_model: ModelPackage) -> None:
    draw_photos(tmp_path / "photos", 30)
    path = tmp_path / "library"
    with LocalLibrary.create(path, tiny_model.path) as library:
        library.add([tmp_path / "photos"])
    for step in range(1, 100):
        done = subprocess.run(
            [sys.executable, "-c", _DIE_WHILE_SAVING, str(path), str(step)],
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
        with LocalLibrary.open(path) as library:
            assert len(library.search_embedding(np.ones(16), k=100)) == 30
            assert library.verify().problems == []
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert step > 10
    assert len(list((path / "index").iterdir())) == 2


_WITH_FILES_UP_TO = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
del sys.argv[1]
from sketchseek.cli import main
main()
"""


def test_a_full_disk_is_named_searching_goes_on_and_so_does_indexing(tmp_path: Path, tiny_model: ModelPackage) -> None:
    """A cap on the size of files stands for a disk that is full, or fills up on the way."""
    draw_photos(tmp_path / "photos", 300)
    path = tmp_path / "library"
    with LocalLibrary.create(path, tiny_model.path) as library:
        library.add([tmp_path / "photos" / "000"])

    def run(most: int, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", _WITH_FILES_UP_TO, str(most), *map(str, arguments), "--library", str(path)],
            input="[[[0, 9], [0, 9]]]",
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )

    for most in (0, 40_000):
        done = run(most, "index", tmp_path / "photos")
        assert (done.returncode, done.stdout) == (1, "")
        assert "Free some space" in done.stderr
        assert "Traceback" not in done.stderr
        if most == 0:
            found = run(0, "search", "-", "-k", "1000", "--json")
            assert found.returncode == 0, found.stderr
            assert len(json.loads(found.stdout)) == 100
    with LocalLibrary.open(path) as library:
        assert library.add([tmp_path / "photos"]).indexed == 200
        assert library.verify().ok


@pytest.mark.skipif(not os.environ.get("SKETCHSEEK_SLOW"), reason="takes minutes: set SKETCHSEEK_SLOW=1")
def test_ten_thousand_photos_through_many_crashes(tmp_path: Path, tiny_model: ModelPackage) -> None:
    draw_photos(tmp_path / "photos", 10_000)
    log, library = tmp_path / "log", tmp_path / "library"
    start = time.monotonic()
    killed, with_photos = crash_and_resume(
        tmp_path / "photos", library, tiny_model.path, log, shortest=0.2, longest=0.9, crashes=100, seed=1
    )
    assert_all_are_found(tmp_path / "photos", library, log, 10_000)
    print(f"{killed} kills, {with_photos} after photos were reported, {time.monotonic() - start:.0f} s")  # noqa: T201
    assert with_photos > 0
