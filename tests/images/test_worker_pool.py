"""Processes that decode: their errors, deadlines, limits and end."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images.worker_pool import PoolClosedError, WorkerPool, WorkerStartError

pytestmark = pytest.mark.slow

WORKER = """
import hashlib, os, sys, time
from sketchseek.errors import ImageTooLargeError
from sketchseek.images.worker import answer_requests

def answer(request):
    what = request.decode()
    if what == "refuse":
        raise ImageTooLargeError("it is large.", remedy="Make it small.")
    if what == "die":
        os._exit(3)
    if what == "fail":
        raise RuntimeError
    if what == "print":
        print("noise", flush=True)
        os.write(1, b"noise")
    if what == "spin":  # native code that knows no signals
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)
    if what == "sleep":
        time.sleep(600)
    if what == "allocate":
        return str(len(bytearray(3_000_000_000))).encode()
    return what.upper().encode() + b" %d" % os.getpid()

answer_requests(answer, max_bytes=500_000_000, cpu_seconds=float(sys.argv[1]))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module that the processes run."""
    (tmp_path / "worker_of_a_test.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    return "worker_of_a_test"


@pytest.fixture
def pool(module: str) -> Iterator[WorkerPool]:
    made = WorkerPool(module, ["0.3"], seconds=300.0, limit=0.3)
    yield made
    made.close()


def test_requests_are_answered_by_one_process_as_long_as_it_lives(pool: WorkerPool) -> None:
    answers = [pool.ask(b"a", b"bc", subject="x") for _ in range(3)]
    assert answers[0].startswith(b"ABC ")
    assert len(set(answers)) == 1
    assert pool.ask(b"print", subject="x").startswith(b"PRINT ")
    with pytest.raises(ImageTooLargeError) as caught:
        pool.ask(b"refuse", subject="photo.jpg")
    assert (caught.value.subject, caught.value.reason, caught.value.remedy) == (
        "photo.jpg",
        "it is large.",
        "Make it small.",
    )
    assert pool.ask(b"abc", subject="x") == answers[0]


@pytest.mark.parametrize("what", [b"die", b"fail", b"allocate"])
def test_a_process_that_ends_is_replaced(pool: WorkerPool, what: bytes) -> None:
    before = pool.ask(b"a", subject="x")
    with pytest.raises(ImageError, match=r"photo\.jpg: damaged: the decoder ended"):
        pool.ask(what, subject="photo.jpg")
    assert pool.ask(b"a", subject="x") != before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on CPU time")
def test_native_code_that_takes_too_much_cpu_time_is_ended(pool: WorkerPool) -> None:
    with pytest.raises(ImageTooLargeError, match=r"takes longer than 0\.3 seconds"):
        pool.ask(b"spin", subject="photo.jpg")
    assert pool.ask(b"a", subject="x").startswith(b"A ")


def test_a_process_that_takes_too_long_without_working_is_killed(module: str) -> None:
    pool = WorkerPool(module, ["0"], seconds=0.2)
    try:
        with pytest.raises(ImageTooLargeError, match=r"takes longer than 0\.2 seconds"):
            pool.ask(b"sleep", subject="photo.jpg")
    finally:
        pool.close()


def test_closing_ends_a_busy_process_at_once(module: str) -> None:
    pool = WorkerPool(module, ["0"], seconds=300.0)
    pool.warm_up()
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            pool.ask(b"spin", subject="x")
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    pool.close()
    thread.join(60)
    assert [type(error) for error in caught] == [PoolClosedError]
    with pytest.raises(PoolClosedError):
        pool.ask(b"a", subject="x")


def test_a_process_that_does_not_start_says_nothing_about_the_picture() -> None:
    pool = WorkerPool("sketchseek.no_such_module", [], seconds=9.0)
    with pytest.raises(WorkerStartError):
        pool.ask(b"a", subject="x")
    pool.warm_up()
    pool.close()
