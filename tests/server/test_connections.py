"""Connections with a real server: none is kept for ever, and there are never too many."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sketchseek.search.library import Library
from sketchseek.server.app import create_app
from sketchseek.server.connections import ConnectionLimits, Connections, accept
from sketchseek.server.http_server import HttpServer
from sketchseek.server.running import bind
from sketchseek.server.thumbnails import ThumbnailCache

pytestmark = pytest.mark.slow

SHORT = ConnectionLimits(connections=20, grace=0.05, head=0.4, body_pause=0.4, body=1.5, write_pause=0.4, closing=0.4)
HEAD = b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = (
    b"POST /api/v1/search/sketch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n"
)
PATIENCE = 20.0


@contextmanager
def running(library: Library, folder: Path, limits: ConnectionLimits = SHORT) -> Iterator[tuple[int, HttpServer]]:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        server = HttpServer(create_app(library, thumbnails=ThumbnailCache(folder)), limits=limits)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield port, server
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture
def port(library: Library, tmp_path: Path) -> Iterator[int]:
    with running(library, tmp_path) as (number, _):
        yield number


def ended(connection: socket.socket) -> bool:
    """Whether the server closes a connection, after what it may answer."""
    connection.settimeout(PATIENCE)
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "sent",
    [b"", b"G", HEAD, HEAD + b"\r\n" + HEAD, POST, POST + b"{", b"x" * 1000],
    ids=["nothing", "one byte", "half a head", "half of the next head", "no body", "half a body", "no HTTP"],
)
def test_a_silent_connection_ends(port: int, sent: bytes) -> None:
    """The old code kept half-sent heads for ever."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)
        assert ended(connection)


@pytest.mark.parametrize(("head", "drop"), [(HEAD, b"X: y\r\n"), (POST, b" ")], ids=["head", "body"])
def test_a_trickle_does_not_keep_a_connection(port: int, head: bytes, drop: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head)
        with contextlib.suppress(OSError):
            for _ in range(int(PATIENCE / 0.1)):
                connection.sendall(drop)
                time.sleep(0.1)
            pytest.fail("it was kept")


def test_a_client_that_reads_nothing_is_dropped(library: Library, tmp_path: Path) -> None:
    with running(library, tmp_path) as (port, server), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        wasm = b"GET /vendor/ort-wasm-simd-threaded.wasm HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        connection.sendall(wasm)
        for _ in range(int(PATIENCE / 0.05)):
            if server.connections.expired:
                break
            time.sleep(0.05)
        assert server.connections.expired == 1


def test_others_are_answered_while_connections_wait(library: Library, tmp_path: Path) -> None:
    """More of them than the server may have: the longest waiting are closed."""
    with ExitStack() as stack, running(library, tmp_path) as (port, server):
        url = f"http://127.0.0.1:{port}/api/v1/status"
        for number in range(3 * SHORT.connections):
            waiting = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
            waiting.sendall(HEAD)
            if number % 10 == 0:
                assert httpx.get(url, timeout=PATIENCE).status_code == 200
            assert len(server.connections) <= SHORT.connections + 1
        for _ in range(int(PATIENCE / 0.05)):
            if len(server.connections) <= SHORT.connections:
                break
            time.sleep(0.05)
        assert len(server.connections) <= SHORT.connections
        assert server.connections.evicted + server.connections.expired > SHORT.connections
        assert server.connections.refused == 0


def test_a_busy_connection_is_kept(library: Library, tmp_path: Path) -> None:
    """A stream of progress is in use, however long it is silent."""
    with running(library, tmp_path) as (port, server), socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(b"GET /api/v1/progress HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"200 OK" in stream.recv(4096)
        time.sleep(2.5)
        assert len(server.connections) == 1
        assert server.connections.expired == 0


class _Listener:
    """A listener whose accept fails like that of a process without free descriptors."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.tries = 0

    def setblocking(self, _: bool) -> None: ...

    def fileno(self) -> int:
        return 0


def test_accepting_backs_off_when_no_descriptor_is_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The old code used a core and logged 234 MB a minute."""
    listener = _Listener(6)
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def paused(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    async def sock_accept(_: Any) -> Any:
        listener.tries += 1
        if listener.tries <= listener.failures:
            raise OSError(errno.EMFILE, "Too many open files")
        await sleep(3600)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "sock_accept", sock_accept)
        monkeypatch.setattr(asyncio, "sleep", paused)
        new_protocol: Callable[[], Any] = lambda: None  # noqa: E731
        task = loop.create_task(accept(listener, Connections(SHORT), new_protocol))  # type: ignore[arg-type]
        while listener.tries <= listener.failures:
            await sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0]
    assert len(caplog.records) == 6
