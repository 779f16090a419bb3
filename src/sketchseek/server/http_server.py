"""The HTTP server: uvicorn with limited connections, its own accept loop, and a shutdown that ends indexing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn

from sketchseek.server.connections import ConnectionLimits, Connections, LimitedProtocol, accept, raise_file_limit

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sketchseek.server.metrics import Metrics

_TICKS = 10  # of 0.1 s, between two checks of time limits


class HttpServer(uvicorn.Server):
    """Serves an application on sockets until SIGINT or SIGTERM.

    On shutdown it first answers what it has begun to answer, for at most three seconds. Indexing stops and keeps its
    finished work.

    Args:
        app: From ``create_app``.
        limits: Limits on connections; by default as many connections as open files allow.
        tls: Context of TLS connections; without it, the server speaks plain HTTP.
        root_path: Path below which a proxy serves the application.
        on_ready: Called when the server accepts requests.
    """

    def __init__(
        self,
        app: FastAPI,
        *,
        limits: ConnectionLimits | None = None,
        tls: ssl.SSLContext | None = None,
        root_path: str = "",
        on_ready: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="on",
                ws="none",
                root_path=root_path,
                timeout_graceful_shutdown=3,
                h11_max_incomplete_event_size=64 * 1024,
            )
        )
        self._application = app
        self._tls = tls
        self._on_ready = on_ready
        self._accepting: list[asyncio.Task[None]] = []
        self.connections = Connections(limits or replace(ConnectionLimits(), connections=raise_file_limit()))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        await super().startup(sockets=[])

        def new_protocol() -> LimitedProtocol:
            return LimitedProtocol(self.connections, self.config, self.server_state, self.lifespan.state)

        self._accepting = [
            asyncio.create_task(accept(listener, self.connections, new_protocol, self._tls))
            for listener in sockets or []
        ]
        metrics: Metrics = self._application.state.server.metrics
        metrics.watch_connections(self.connections)
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Enforce time limits; called ten times a second."""
        if counter % _TICKS == 0:
            self.connections.expire(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, end indexing, and answer what is being answered."""
        for task in self._accepting:
            task.cancel()
        for task in self._accepting:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        # Before waiting for responses: the streams of progress end with the indexer.
        await asyncio.to_thread(self._application.state.server.indexer.close)
        await super().shutdown(sockets=sockets)
