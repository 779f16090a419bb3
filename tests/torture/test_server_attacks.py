"""Attacks on a real server while another client searches: each is refused or survived, in little memory and time.

The time limits are generous, since test machines are busy; ``pytest -s`` prints what was measured.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import hostile_requests as make
from served import as_bytes, picture
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of processes as Linux has it"),
]

MEMORY = 512e6
PATIENCE = 120.0
"""Seconds that an attack, or the other client, may take on a busy machine. The aim on a free one is 1 s."""

FILES = 256  # the server's limit of open files
SEARCH = b'{"strokes":[[[1,5],[1,9]]]}'


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    process: psutil.Process
    log: Path
    root: Path

    def post(self, path: str, body: bytes, kind: str = "application/json", **headers: str) -> tuple[int, bytes]:
        """Send a request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2 * PATIENCE)
        try:
            connection.request("POST", f"/api/v1/{path}", body, {"Content-Type": kind, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (BrokenPipeError, ConnectionResetError):  # refused before the body was sent
            return 0, b""
        finally:
            connection.close()

    def upload(self, image: bytes, kind: str = "sketch") -> tuple[int, bytes]:
        """Search with an uploaded picture."""
        body, content_type = make.form(image, kind)
        return self.post("search/image", body, content_type)

    def memory(self) -> int:
        """Bytes that the server and its processes have in memory."""
        total = 0
        for process in [self.process, *self.process.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total


@pytest.fixture(scope="module")
def server(tiny_model: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "photos").mkdir()
    for number in range(20):
        picture(number).save(folder / "photos" / f"{number}.png")
    with Library.open(folder / "library", tiny_model.path, create=True) as library:
        library.add([folder / "photos"])
    log = folder / "log"
    command = [sys.executable, "-m", "sketchseek", "serve", "--library", folder / "library", "--port", "0", "--json"]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*map(str, command), "--root", str(folder / "photos")],
            stdout=subprocess.PIPE,
            stderr=errors,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "XDG_CACHE_HOME": str(folder),
                "OMP_NUM_THREADS": "1",
            },
        )
    try:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        running = Server(int(url.rsplit(":", 1)[1].strip("/")), psutil.Process(process.pid), log, folder / "photos")
        for kind in ("sketch", "photo"):  # load encoders, index and decoder
            assert running.upload(as_bytes(picture(1)), kind)[0] == 200
        yield running
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@contextmanager
def watched(server: Server, name: str) -> Iterator[None]:
    """Search as another client while an attack runs; check its answers, its waits and the server's memory."""
    command = [sys.executable, str(Path(__file__).with_name("other_client.py")), str(server.port)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"
    baseline = server.memory()
    peak, done = baseline, threading.Event()
    used = sum(server.process.cpu_times()[:2])

    def measure() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, server.memory())

    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(measure)
        start = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - start
            done.set()
            task.result()
            told, _ = other.communicate(timeout=2 * PATIENCE)
    found = json.loads(told)
    waits = found["waits"][1:] or [0.0]
    used = sum(server.process.cpu_times()[:2]) - used
    say(
        f"\n{name}: {seconds:.2f} s, {(peak - baseline) / 1e6:.0f} MB above {baseline / 1e6:.0f} MB, "
        f"the server itself used {used:.2f} s of CPU, "
        f"the other client waited at most {max(waits):.2f} s ({len(waits)} searches)"
    )
    assert found["answers"] == [200]
    assert peak - baseline < MEMORY
    assert max(waits) < PATIENCE
    assert seconds < PATIENCE
    assert b"Traceback" not in server.log.read_bytes()


def say(text: str) -> None:
    """Print a figure; pytest shows it with -s."""
    sys.stdout.write(text)
    sys.stdout.flush()


def at_once(attack: Callable[[], tuple[int, bytes]], count: int = 4) -> list[int]:
    """Run an attack several times at once; return the status codes."""
    with ThreadPoolExecutor(count) as pool:
        return [task.result()[0] for task in [pool.submit(attack) for _ in range(count)]]


# Where 200 and 413 are expected, a busy machine may reach the deadline for decoding.
UPLOADS: dict[str, tuple[Callable[[], bytes], str, set[int]]] = {
    "SVG whose document type has default attributes": (make.svg_with_default_attributes, "sketch", {422}),
    "progressive JPEG of 79 megapixels and 8,000 scans": (make.progressive_jpeg, "photo", {413}),
    "the same as a sketch": (make.progressive_jpeg, "sketch", {413}),
    "the same with ten scans": (lambda: make.progressive_jpeg(scans=1), "photo", {200, 413}),
    "WebP of 79 megapixels": (make.webp_of_one_color, "photo", {413}),
    "WebP of 24 megapixels": (lambda: make.webp_of_one_color(4900, 4900), "photo", {413, 422}),
    "PNG of 200 megapixels of 16-bit gray": (make.deep_png, "photo", {413}),
    "PNG of 79 megapixels of 16-bit gray": (lambda: make.deep_png(8900, 8900), "photo", {200, 413}),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_upload(server: Server, name: str) -> None:
    build, kind, expected = UPLOADS[name]
    image = build()
    with watched(server, f"4 × {name} ({len(image):,} bytes)"):
        codes = at_once(lambda: server.upload(image, kind))
    assert set(codes) <= expected | {503}


BODIES: dict[str, tuple[Callable[[], bytes], set[int]]] = {
    "JSON of 31 MB with 2.9 million keys": (lambda: make.json_of_keys(2_900_000)[:31_000_000], {0, 413}),
    "JSON of 1.9 MB with 150,000 keys": (lambda: make.json_of_keys(150_000), {422}),
    "JSON of 2 MB with 900 keys": (lambda: make.json_of_keys(900) + b" " * 1_900_000, {422}),
    "JSON of 2 MB with a million numbers": (lambda: make.json_of_numbers(1_990_000), {422}),
    "JSON of 440 kB with 100,000 numbers": (lambda: make.json_of_numbers(200_000), {200, 422}),
    "JSON of 2 MB with 660,000 strokes": (lambda: make.json_of_lists(1_990_000), {422}),
    "JSON of 58 kB with 19,000 strokes": (lambda: make.json_of_lists(57_000), {422}),
    "JSON nested 900,000 deep": (lambda: b'{"strokes":' + b"[" * 900_000, {400, 422}),
}


@pytest.mark.parametrize("name", BODIES)
def test_body(server: Server, name: str) -> None:
    build, expected = BODIES[name]
    body = build()
    with watched(server, f"4 × {name}"):
        codes = at_once(lambda: server.post("search/sketch", body))
    assert set(codes) <= expected


def test_half_sent_heads(server: Server) -> None:
    """Twice as many connections as the server may have open files: the others are answered, and the log stays short."""
    size = server.log.stat().st_size
    with ExitStack() as stack, watched(server, f"{2 * FILES} half-sent heads, {FILES} descriptors"):
        start, used = time.monotonic(), server.process.cpu_times().user
        for _ in range(2 * FILES):
            waiting = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
            waiting.sendall(b"GET / HTTP/1.1\r\nHost: 127")
        time.sleep(2.0)
        assert server.process.num_fds() < FILES
    share = (server.process.cpu_times().user - used) / (time.monotonic() - start)
    say(f"; {share:.0%} of a core, {server.log.stat().st_size - size:,} bytes of log")
    assert server.log.stat().st_size - size < 20_000


def test_half_sent_bodies(server: Server) -> None:
    """Uploads and JSON that stop before their end."""
    head = (
        b"POST /api/v1/search/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: %s\r\nContent-Length: 1900000\r\n\r\n"
    )
    with ExitStack() as stack, watched(server, "100 half-sent bodies"):
        for number in range(100):
            where = (b"image", b"multipart/form-data; boundary=x") if number % 2 else (b"sketch", b"application/json")
            waiting = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
            waiting.sendall(head % (where[0], server.port, where[1]) + b"--x\r\n" + b" " * 100_000)


def test_requests_of_other_sites(server: Server) -> None:
    with watched(server, "changes by another site's page"):
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": f"https://127.0.0.1:{server.port}"},
            {"Sec-Fetch-Site": "cross-site"},
            {},  # no token
        ):
            for path in ("photos/1/open", "sync", "folders", "indexing/stop"):
                assert server.post(path, b"{}", **headers)[0] == 403
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            assert server.post("search/sketch", SEARCH, kind)[0] == 415
