"""Run the server: bind a socket, print the address, and shut down cleanly."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sketchseek.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from sketchseek.search.library import Library
    from sketchseek.server.sharing import Sharing

DEFAULT_PORT = 8765
_TRIES = 20


def bind(host: str, port: int | None) -> socket.socket:
    """Return a listening socket.

    Args:
        host: Address to listen on.
        port: Port; None takes the first free port from ``DEFAULT_PORT`` on.

    Raises:
        ConfigError: The port is in use, or the address does not belong to this machine.
    """
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + _TRIES) if port is None else [port]:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, candidate, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except OSError as error:
            raise ConfigError(
                f"--host {host}: there is no such address ({error.strerror}).", remedy="Check its spelling."
            ) from error
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # on Windows this option can take over a port in use
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(512)  # from here on no other program can take the port
            return listener
        except OverflowError as error:
            listener.close()
            raise ConfigError(f"--port {candidate} is not a port.", remedy="Choose a port from 0 to 65535.") from error
        except OSError as error:
            listener.close()
            if port is not None:
                raise ConfigError(
                    f"--port {port}: cannot listen on {host}:{port} ({error.strerror}).",
                    remedy="Choose another --port, or leave it out to use a free one.",
                ) from error
    raise ConfigError(
        f"Cannot listen on {host}: ports {DEFAULT_PORT} to {DEFAULT_PORT + _TRIES - 1} are in use.",
        remedy="Choose another port with --port.",
    )


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context of TLS connections.

    Args:
        certificate: PEM file of the server's certificate and those that signed it.
        key: PEM file of its private key, without a passphrase.

    Raises:
        ConfigError: The files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A passphrase would be asked for on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ConfigError(
            f"--cert {certificate}, --key {key}: they cannot be used ({reason}).",
            remedy="Use PEM files of a certificate and its key without a passphrase.",
        ) from error
    return context


def url_of(listener: socket.socket, *, tls: bool = False) -> str:
    """Return the URL at which a browser on this machine reaches a socket."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


def serve(
    library: Library,
    listener: socket.socket,
    *others: Library,
    host: str,
    allow_hosts: Iterable[str] = (),
    roots: Iterable[Path] = (),
    thumbnails: Path | None = None,
    sharing: Sharing | None = None,
    tls: ssl.SSLContext | None = None,
    root_path: str = "",
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve libraries until interrupted.

    Args:
        library: An open library; the caller closes it.
        listener: From ``bind``.
        others: More libraries.
        host: The address that the server listens on; requests may name it.
        allow_hosts: More host names that requests may name.
        roots: Folders whose subfolders can be added; see ``create_app``.
        thumbnails: Folder of the thumbnail cache; by default in the user's cache folder.
        sharing: Users, origins, proxies and the audit log.
        tls: Context of TLS connections, from ``tls_context``; by default, the server speaks plain HTTP.
        root_path: Path below which a proxy serves the application.
        ready: Called with the URL when the server accepts requests.

    Raises:
        ModelPackageError: A library's model is missing or unusable.
    """
    from sketchseek.server.app import create_app
    from sketchseek.server.http_server import HttpServer
    from sketchseek.server.security import allowed_hosts
    from sketchseek.server.thumbnails import ThumbnailCache
    from sketchseek.user_dirs import user_cache_dir

    for one in (library, *others):
        one.encoder  # noqa: B018  fail now rather than at the first search
    hosts, any_address = allowed_hosts(host, allow_hosts)
    cache = ThumbnailCache(thumbnails or user_cache_dir() / "thumbnails")
    app = create_app(
        library, *others, thumbnails=cache, roots=roots, hosts=hosts, any_address=any_address, sharing=sharing
    )
    for chore in (lambda: _warm_up(library), cache.prune, app.state.server.decoders.warm_up):
        threading.Thread(target=chore, daemon=True).start()
    url = url_of(listener, tls=tls is not None)
    server = HttpServer(app, tls=tls, root_path=root_path, on_ready=lambda: ready(url))
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def _warm_up(library: Library) -> None:
    """Search once, so that the first user does not wait for the encoder and the index to load."""
    with contextlib.suppress(Exception):  # a real search reports the error
        library.search([[[0, 1], [0, 1]]], k=1)
