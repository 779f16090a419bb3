"""Object storage that is killed: while a command indexes, and below two servers that share a library."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from object_store import ObjectStore, need_cluster
from served import as_bytes, picture
from sketchseek.models.package import ModelPackage

need_cluster()

pytestmark = pytest.mark.slow

COUNT = 28
TIMEOUT = 300

# Small blocks, each committed at once. After half of the photos, storage answers late: there is time for a kill.
SLOWLY = """
import os, time
from pathlib import Path
from sketchseek.cluster import embedding, indexing, storage

done = []

def read(path):
    done.append(path)
    if len(done) > 14:
        Path(os.environ["HALF"]).touch()
        time.sleep(1.5)
    return storage.read(path)

indexing.COMMIT_EVERY, indexing.SMALLEST, embedding.READERS, embedding.read = 0.0, 4, 1, read
from sketchseek.cli import main
main()
"""


@pytest.fixture
def bucket(lost_store: ObjectStore) -> str:
    """A bucket with photos, and a file that is none."""
    made = lost_store.bucket()
    files = {f"photos/{number:02}.png": as_bytes(picture(number)) for number in range(COUNT)}
    for name, data in (files | {"photos/bad.png": b"no picture"}).items():
        with lost_store.files.open_output_stream(f"{made.removeprefix('s3://')}/{name}") as file:
            file.write(data)
    return made


def started(store: ObjectStore, *arguments: str, half: Path | None = None) -> subprocess.Popen[str]:
    """Start a command; with ``half``, it is slow, and makes this file when half of the photos are read."""
    program = ["-m", "sketchseek"] if half is None else ["-c", SLOWLY]
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | store.environment | {"OMP_NUM_THREADS": "1", "HALF": str(half)},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, out, err


def run(store: ObjectStore, *arguments: str) -> tuple[int, str, str]:
    return ended(started(store, *arguments))


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + TIMEOUT
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.2)


def photos(store: ObjectStore, address: str) -> int:
    code, out, _ = run(store, "status", "--library", address, "--json")
    return int(json.loads(out)["photos"]) if code == 0 else 0


def test_the_store_is_killed_while_a_command_indexes(
    lost_store: ObjectStore, bucket: str, tiny_model: ModelPackage, tmp_path: Path
) -> None:
    address = f"{bucket}/library"
    arguments = ("index", f"{bucket}/photos", "--library", address, "--model", str(tiny_model.path), "--json")
    process = started(lost_store, *arguments, half=tmp_path / "half")
    try:
        wait_for(tmp_path / "half", process)
        time.sleep(1)  # the blocks before are committed
        lost_store.kill()
        code, _, err = ended(process)
    finally:
        process.kill()
    assert code == 1
    assert "Traceback" not in err
    assert "cannot be used" in err
    code, _, err = run(lost_store, "status", "--library", address)
    assert (code, "Traceback" in err) == (1, False)
    assert address in err
    lost_store.start()
    before = photos(lost_store, address)
    assert 0 < before < COUNT
    code, out, err = run(lost_store, *arguments)
    assert code == 0, err
    report = json.loads(out)
    assert report["indexed"] == COUNT - before  # what was committed is there, and is not embedded again
    assert photos(lost_store, address) == COUNT
    code, out, err = run(lost_store, "verify", "--library", address, "--sample", str(COUNT))
    assert code == 0, out + err  # also: no photo is there twice


@contextmanager
def server(store: ObjectStore, address: str, cache: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A running server and its port."""
    cache.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "sketchseek", "serve", "--library", address, "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | store.environment | {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield process, int(json.loads(line)["url"].rsplit(":", 1)[1].strip("/"))
    finally:
        process.kill()
        process.communicate()


def ask(port: int, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request(method, f"/api/v1/{path}", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if answer.getheader("Content-Type") == "application/json" else data
    finally:
        connection.close()


def search(port: int) -> tuple[int, Any]:
    code, found = ask(port, "POST", "search/sketch", '{"strokes":[[[1,5],[4,4],[1,9]]]}')
    return code, [(one["path"], one["score"]) for one in found["results"]] if code == 200 else found["error"]


def test_two_servers_share_a_library(
    lost_store: ObjectStore, bucket: str, tiny_model: ModelPackage, tmp_path: Path
) -> None:
    address = f"{bucket}/library"
    arguments = ("index", f"{bucket}/photos", "--library", address, "--model", str(tiny_model.path))
    code, _, err = run(lost_store, *arguments)
    assert code == 0, err
    with (
        server(lost_store, address, tmp_path / "one") as (process, one),
        server(lost_store, address, tmp_path / "two") as (_, two),
    ):
        assert ask(one, "GET", "health/ready")[0] == ask(two, "GET", "health/ready")[0] == 200
        first = search(one)
        assert first == search(two)
        assert first[0] == 200
        assert len(first[1]) > 10
        thumbnails = [ask(port, "GET", "photos/1/thumbnail?size=160") for port in (one, two)]
        assert thumbnails[0] == thumbnails[1]
        assert thumbnails[0][0] == 200
        # What another process writes is found by both.
        assert run(lost_store, "remove", f"{bucket}/photos/00.png", "--library", address)[0] == 0
        time.sleep(2.5)
        assert search(one) == search(two) != first
        # The store is away: both say so, neither ends, and both recover.
        expected = search(one)
        lost_store.kill()
        time.sleep(2.5)
        for port in (one, two):
            assert ask(port, "GET", "health/live")[0] == 200
            code, answer = ask(port, "GET", "health/ready")
            assert (code, answer["error"]["type"]) == (503, "NotReady")
            code, answer = search(port)
            assert (code, answer["type"]) == (503, "StorageError")
        lost_store.start()
        assert ask(one, "GET", "health/ready")[0] == ask(two, "GET", "health/ready")[0] == 200
        assert search(one) == search(two) == expected
        # A server that is told to end does so in a few seconds, without an error.
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
        assert search(two) == expected
