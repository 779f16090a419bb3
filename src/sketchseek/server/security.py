"""Protection against hostile requests: limits, allowed host names, and security headers.

A web page can make a visitor's browser send requests to a server on the visitor's machine. With DNS rebinding it can
even read the responses: the browser then resolves ``evil.example`` to 127.0.0.1. Such a request has the foreign name in
its ``Host`` header, so the server answers only to its own names.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchseek.errors import SketchError
from sketchseek.server import API_PREFIX
from sketchseek.server.errors import ApiError, error_response

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",  # allows WebAssembly (the sketch encoder), not eval
        "worker-src 'self'",
        "img-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "geolocation=(), microphone=()",
}


@dataclass(frozen=True)
class Limits:
    """Limits that keep one request from exhausting the machine.

    Attributes:
        body: Bytes of an upload's request body.
        json_images: Bytes of a JSON body with images in it.
        json: Bytes of any other request body.
        text: Bytes of an uploaded text (SVG or strokes).
        pixels: Width × height of an uploaded picture.
        points: Points in a sketch sent as strokes.
        results: Results per search.
        depth: Rank of the last result that paging can reach.
        decode_bytes: Memory that decoding an uploaded picture may take.
        decode_seconds: Time that decoding an uploaded picture may take.
        uploads: Concurrent uploads; further ones are answered 503.
        decoders: Processes that decode uploads; further uploads wait.
        searches: Concurrent searches; further ones wait.
        waiting: Requests that may wait for a search or a decoder; further ones are answered 503.
        streams: Concurrent streams of progress; further ones are answered 503.
        thumbnails: Thumbnails made concurrently; further ones wait.
    """

    body: int = 32_000_000
    json_images: int = 8_000_000
    json: int = 2_000_000
    text: int = 2_000_000
    pixels: int = 80_000_000
    points: int = 50_000
    results: int = 500
    depth: int = 1_000_000
    decode_bytes: int = 400_000_000
    decode_seconds: float = 10.0
    uploads: int = 16
    decoders: int = 2
    searches: int = 4
    waiting: int = 64
    streams: int = 64
    thumbnails: int = 4


def check_points(strokes: Sequence[Sequence[Sequence[float]]], limits: Limits) -> None:
    """Raise SketchError if strokes have more points than the limit."""
    points = sum(len(stroke[0]) if stroke else 0 for stroke in strokes)
    if points > limits.points:
        raise SketchError(
            f"The sketch has {points:,} points; the limit is {limits.points:,}.",
            remedy="Send fewer points; one for every few pixels is enough.",
        )


class HostCheck:
    """Middleware that rejects requests to a foreign host name and requests that another site's page started.

    Browsers name the origin of a page in ``Origin``; newer ones also say in ``Sec-Fetch-Site`` how it relates to the
    server. Either is enough to reject a request.

    Args:
        app: The application to protect.
        hosts: Names and addresses of the server, without ports; IPv6 in brackets.
        origins: Other origins whose pages may use the REST API, such as ``https://photos.example``.
        any_address: Whether to answer to any literal IP address too, for servers that listen on all addresses. DNS
            rebinding needs a name, so this does not allow it.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str], *, origins: Collection[str] = (), any_address: bool = False
    ) -> None:
        self.app = app
        self.origins = frozenset(origin.lower() for origin in origins)
        self.hosts = frozenset(host.lower() for host in hosts)
        self.any_address = any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = Headers(scope=scope)
            host = host_name(headers.get("host", ""))
            if host not in self.hosts and not (self.any_address and is_address(host)):
                error = ApiError(
                    421,
                    "HostNotAllowed",
                    f"This server does not answer to the name {host or '(none)'!r}.",
                    "Use the address that the server printed, or start the server with --allow-host and this name.",
                )
                await error_response(error)(scope, receive, send)
                return
            if self._is_foreign(scope, headers):
                error = ApiError(
                    403,
                    "CrossSite",
                    "Another site's page sent this request.",
                    "Use the server's own page, or start the server with --allow-origin and the page's origin.",
                )
                await error_response(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _is_foreign(self, scope: Scope, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is not None:
            own = f"{scope['scheme']}://{headers.get('host', '')}"
            return origin.lower() not in self.origins | {own.lower()}
        # Any site may link to the page; only the API is closed to it.
        path = get_route_path(scope)
        return headers.get("sec-fetch-site") == "cross-site" and path.startswith(f"{API_PREFIX}/")


class SecurityHeaders:
    """Middleware that adds security headers to every response that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)


def host_name(header: str) -> str:
    """Return the ``Host`` header without its port, in lower case."""
    header = header.strip().lower()
    if header.startswith("["):
        return header.partition("]")[0] + "]" if "]" in header else ""
    return header.partition(":")[0]


def is_address(host: str) -> bool:
    """Return whether a host is a literal IP address; IPv6 in brackets."""
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def allowed_hosts(bind: str, more: Iterable[str] = ()) -> tuple[list[str], bool]:
    """Return the names that a server bound to ``bind`` answers to, and whether it answers to any literal address."""
    hosts = list(LOOPBACK)
    all_addresses = bind in ("0.0.0.0", "::", "")
    if all_addresses:
        import socket

        hosts.append(socket.gethostname())
    else:
        hosts.append(f"[{bind}]" if ":" in bind and not bind.startswith("[") else bind)
    return [*hosts, *more], all_addresses
