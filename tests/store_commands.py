"""Commands and servers in processes of their own, with libraries in an object store that may be killed."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from object_store import ObjectStore
from served import as_bytes, picture

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


def filled_bucket(store: ObjectStore) -> str:
    """Make a bucket with photos, and a file that is none; return its URI."""
    made = store.bucket()
    files = {f"photos/{number:02}.png": as_bytes(picture(number)) for number in range(COUNT)}
    for name, data in (files | {"photos/bad.png": b"no picture"}).items():
        with store.files.open_output_stream(f"{made.removeprefix('s3://')}/{name}") as file:
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
