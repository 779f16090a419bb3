"""Connections that cannot be kept for ever: time limits for each phase of a request, and a maximum number.

asyncio and uvicorn keep a connection as long as a client sends nothing. At the limit of file descriptors, asyncio's own
accept loop takes a whole core and logs each attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from uvicorn import Config
    from uvicorn.server import ServerState

_log = logging.getLogger(__name__)

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TRIES = 25
_RESERVED_FILES = 128  # for catalogs, models, photos and logs
_WANTED_FILES = 4096


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits on connections. All times are in seconds.

    Attributes:
        connections: Maximum number. For a further one, the connection that has waited longest for a request is closed.
        grace: Time that a new connection is kept at least, if there are too many.
        head: Time to send the head of a request, TLS handshake included.
        body_pause: Longest pause while sending a body.
        body: Time to send a whole body.
        write_pause: Longest time that a client may read nothing of a response.
        closing: Time for a closed connection to take its last bytes.
    """

    connections: int = 512
    grace: float = 0.1
    head: float = 10.0
    body_pause: float = 20.0
    body: float = 300.0
    write_pause: float = 60.0
    closing: float = 10.0


class Connections:
    """The open connections of a server.

    Attributes:
        evicted: Number of connections that were closed for new ones.
        refused: Number of new connections that were closed at once, since all others were in use.
        expired: Number of connections that exceeded a time limit.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.evicted = self.refused = self.expired = 0
        self._open: dict[LimitedProtocol, None] = {}  # in the order of their opening
        self._handshakes: dict[asyncio.Task[None], float] = {}  # the time of each start

    def __len__(self) -> int:
        return len(self._open) + len(self._handshakes)

    def add(self, connection: LimitedProtocol) -> None:
        """Add an open connection, which is no handshake any more."""
        self._open[connection] = None
        if connection.handshake is not None:
            self._handshakes.pop(connection.handshake, None)

    def remove(self, connection: LimitedProtocol) -> None:
        """Remove a connection that was closed."""
        self._open.pop(connection, None)

    def add_handshake(self, task: asyncio.Task[None]) -> None:
        """Count a connection that is not open yet."""
        self._handshakes[task] = asyncio.get_running_loop().time()
        task.add_done_callback(lambda done: self._handshakes.pop(done, None))

    def cancel_handshakes(self) -> None:
        """Close the connections that are not open yet."""
        for task in list(self._handshakes):
            task.cancel()

    async def make_room(self) -> bool:
        """Wait until another connection may be opened, and close the longest waiting one if there are too many.

        New connections queue in the system meanwhile. Each open one gets ``ConnectionLimits.grace`` to send something.

        Returns:
            False if all connections are in use.
        """
        for _ in range(_TRIES):
            if len(self) < self.limits.connections or self.evict():
                return True
            await asyncio.sleep(self.limits.grace / 5)
        self.refused += 1
        return False

    def evict(self) -> bool:
        """Close the connection that has waited longest for a request, or else for a handshake or a body.

        Returns:
            Whether there was one that has waited longer than ``ConnectionLimits.grace``.
        """
        opened_before = asyncio.get_running_loop().time() - self.limits.grace
        connection = self._first(LimitedProtocol.waits_for_head) or self._first(LimitedProtocol.waits_for_body)
        if connection is not None and connection.opened < opened_before:
            connection.abort()
        elif (task := next(iter(self._handshakes), None)) and self._handshakes[task] < opened_before:
            del self._handshakes[task]
            task.cancel()
        else:
            return False
        self.evicted += 1
        return True

    def _first(self, condition: Callable[[LimitedProtocol], bool]) -> LimitedProtocol | None:
        return next((connection for connection in self._open if condition(connection)), None)

    def expire(self, now: float) -> None:
        """Close the connections that have exceeded a time limit."""
        for connection in [one for one in self._open if one.has_expired(now, self.limits)]:
            self.expired += 1
            connection.abort()


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 with time limits, which ``Connections.expire`` enforces.

    Args:
        open_connections: The server's connections.
        config, state: Of the server.
        app_state: State that every request gets a copy of.

    Attributes:
        opened: When the connection was opened, in the event loop's time.
        handshake: The task that opens it.
    """

    def __init__(
        self, open_connections: Connections, config: Config, state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, state, app_state, asyncio.get_running_loop())
        self._open = open_connections
        self.opened = self.loop.time()
        self.handshake = asyncio.current_task()
        self._head_since: float | None = None  # None while no head is being sent
        self._body_since: float | None = None
        self._last_read = 0.0
        self._stalled_since: float | None = None
        self._closing_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._head_since = self.loop.time()
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._last_read = self.loop.time()
        if self.waits_for_head() and self._head_since is None:
            self._head_since = self._last_read
        super().data_received(data)
        if not self.waits_for_head():
            self._head_since = None
            self._body_since = self._body_since or self._last_read

    def on_response_complete(self) -> None:
        self._body_since = None
        super().on_response_complete()

    def pause_writing(self) -> None:
        self._stalled_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stalled_since = None
        super().resume_writing()

    def waits_for_head(self) -> bool:
        """Return whether no request is in progress."""
        return self.cycle is None or self.cycle.response_complete

    def waits_for_body(self) -> bool:
        """Return whether the client has not sent the whole body yet."""
        return not self.waits_for_head() and self.cycle.more_body

    def has_expired(self, now: float, limits: ConnectionLimits) -> bool:
        """Return whether the connection has exceeded one of its time limits."""

        def longer(since: float | None, seconds: float) -> bool:
            return since is not None and now - since > seconds

        if self.transport.is_closing():
            self._closing_since = self._closing_since or now
            return longer(self._closing_since, limits.closing)
        if longer(self._stalled_since, limits.write_pause):
            return True
        if self.waits_for_head():
            return longer(self._head_since, limits.head)
        if self.waits_for_body():
            return longer(self._last_read, limits.body_pause) or longer(self._body_since, limits.body)
        return False

    def abort(self) -> None:
        """Close the connection without sending what is left."""
        self._open.remove(self)
        self.transport.abort()


async def accept(
    listener: socket.socket,
    connections: Connections,
    new_protocol: Callable[[], LimitedProtocol],
    tls: ssl.SSLContext | None = None,
) -> None:
    """Accept connections until cancelled. Waits, longer each time, while the system has no descriptors left.

    Args:
        listener: A listening socket.
        connections: The server's connections.
        new_protocol: Returns the protocol of a new connection.
        tls: Context of TLS connections.
    """
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    pause = 0.0
    try:
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                pause = min(1.0, 2 * pause or 0.05)
                _log.warning("Cannot accept a connection: %s.", error.strerror)
                if error.errno in _EXHAUSTED:
                    connections.evict()
                await asyncio.sleep(pause)
                continue
            pause = 0.0
            if not await connections.make_room():
                connection.close()
                _log.warning("Refused a connection: all %d are in use.", connections.limits.connections)
                continue
            connections.add_handshake(loop.create_task(_open(connection, connections.limits, new_protocol, tls)))
    finally:
        connections.cancel_handshakes()


async def _open(
    connection: socket.socket,
    limits: ConnectionLimits,
    new_protocol: Callable[[], LimitedProtocol],
    tls: ssl.SSLContext | None,
) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, asyncio.TimeoutError):  # asyncio has closed it
        if tls is None:
            await loop.connect_accepted_socket(new_protocol, connection)
        else:
            await loop.connect_accepted_socket(
                new_protocol,
                connection,
                ssl=tls,
                ssl_handshake_timeout=limits.head,
                ssl_shutdown_timeout=limits.closing,
            )


def raise_file_limit() -> int:
    """Raise this process's limit of open files, and return how many connections it allows."""
    try:
        import resource
    except ImportError:  # Windows
        return ConnectionLimits().connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft == resource.RLIM_INFINITY:
        return ConnectionLimits().connections
    # Each connection may have a photo open.
    return max(8, min(ConnectionLimits().connections, (soft - _RESERVED_FILES) // 2))
