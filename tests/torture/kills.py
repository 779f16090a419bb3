"""``kill -9`` at random moments of indexing, in forked processes, so that a thousand kills take minutes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

from search.indexing_child import main as index_and_log
from search.test_crash import draw_photos
from sketchseek.search.local_library import LocalLibrary
from tiny_model import write_tiny_package

PHOTOS = 40


def missing_photos(library: Path, log: Path) -> list[str]:
    """Return what is wrong after a crash: photos that were reported and are not there, or twice there, or damaged."""
    lines = log.read_bytes().splitlines(keepends=True) if log.exists() else []
    lines = [line for line in lines if line.endswith(b"\n")]
    if not lines:
        return []
    with LocalLibrary.open(library) as opened:
        catalog = opened._catalog
        rows = [(photo.id, os.fsencode(photo.path)) for photo in catalog.photos(catalog.ids().tolist()).values()]
        wrong = [f"lost: {line!r}" for line in lines if tuple_of(line) not in rows]
        if len({path for _, path in rows}) != len(rows):
            wrong.append("a photo is there twice")
        return wrong + catalog.check()


def tuple_of(line: bytes) -> tuple[int, bytes]:
    photo, _, path = line.rstrip(b"\n").partition(b" ")
    return int(photo), path


def run(folder: Path, *, kills: int, seconds: float, seed: int) -> dict[str, object]:
    """Kill and check until there were enough kills, or the time is over."""
    model = write_tiny_package(folder / "model").path
    draw_photos(folder / "photos", PHOTOS)
    # A detector that finds nothing may be broken: it must find a photo that is taken out behind its back.
    _index(folder, model, None)
    with LocalLibrary.open(folder / "library") as opened:
        opened.remove(sorted((folder / "photos").rglob("*.jpg"))[7])
    planted = missing_photos(folder / "library", folder / "log")
    assert any("lost" in one for one in planted), "the detector does not find a planted loss"
    rng = random.Random(seed)
    started = time.monotonic()
    _restart(folder)
    typical = _index(folder, model, None)
    _restart(folder)
    killed = with_photos = finished = 0
    wrong: list[str] = []
    while killed < kills and time.monotonic() - started < seconds:
        took = _index(folder, model, rng.uniform(0, typical))
        if took >= 0:
            finished += 1
            wrong += missing_photos(folder / "library", folder / "log")
            _restart(folder)
            continue
        killed += 1
        with_photos += (folder / "log").exists() and (folder / "log").stat().st_size > 0
        wrong += missing_photos(folder / "library", folder / "log")
    return {
        "kills": killed,
        "with photos reported": with_photos,
        "runs that finished": finished,
        "lost or twice": len(wrong),
        "planted loss found": True,
        "problems": wrong[:5],
    }


def _restart(folder: Path) -> None:
    shutil.rmtree(folder / "library", ignore_errors=True)
    (folder / "log").unlink(missing_ok=True)


def _index(folder: Path, model: Path, kill_after: float | None) -> float:
    """Index in a forked process; return its seconds, or -1 if it was killed."""
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.environ["COMMIT_EVERY"] = "0"
            index_and_log(str(folder / "photos"), str(folder / "library"), str(model), str(folder / "log"))
            code = 0
        finally:
            os._exit(code)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        took = time.monotonic() - start
        if done:
            assert os.waitstatus_to_exitcode(status) == 0, "indexing failed by itself"
            return took
        if kill_after is not None and took > kill_after:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -1.0
        time.sleep(0.002)
