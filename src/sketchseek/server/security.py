"""What a request may be: caps on its size and contents, and the names that it may call the server by.

A page on the internet can make a visitor's browser send requests to a server on the visitor's own machine, and with DNS
rebinding it can read the answers: the browser then thinks that ``evil.example`` is 127.0.0.1. Such requests carry the
foreign name in ``Host``, so only names that belong to this server are answered.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchseek.errors import SketchError
from sketchseek.server.errors import ApiError, error_response

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",  # WebAssembly, which encodes sketches in the browser; not eval
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
    """Caps that keep one request from taking the machine.

    Attributes:
        body: Bytes of any request's body.
        text: Bytes of an upload that is text (SVG or strokes).
        pixels: Width × height of an uploaded picture.
        points: Points in a sketch sent as strokes.
        results: Results that one search may ask for.
        depth: Rank of the last result that can be had, page by page.
        searches: Searches that run at the same time; more wait.
        thumbnails: Thumbnails that are made at the same time; more wait.
    """

    body: int = 32_000_000
    text: int = 2_000_000
    pixels: int = 80_000_000
    points: int = 50_000
    results: int = 500
    depth: int = 1_000_000
    searches: int = 4
    thumbnails: int = 4


def check_points(strokes: Sequence[Sequence[Sequence[float]]], limits: Limits) -> None:
    """Raise SketchError if strokes have more points than the cap."""
    points = sum(len(stroke[0]) if stroke else 0 for stroke in strokes)
    if points > limits.points:
        raise SketchError(
            f"the sketch has {points:,} points, more than the cap of {limits.points:,}.",
            remedy="Send fewer points: one for every few pixels is enough.",
        )


class BodyLimit:
    """Answer 413 as soon as a body proves too large, announced or not.

    Args:
        app: The application to guard.
        limit: Most bytes that a body may have.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self.limit:
            await error_response(self._error())(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit:
                raise self._error()
            return message

        await self.app(scope, counted, send)

    def _error(self) -> ApiError:
        return ApiError(413, "BodyTooLarge", f"The request is larger than {self.limit:,} bytes.", "Send a smaller one.")


class HostCheck:
    """Answer only requests that call the server by one of its own names and that no other site's page started.

    Args:
        app: The application to guard.
        hosts: Names and addresses, IPv6 in brackets, without ports.
        any_address: Answer to any literal IP address too: for servers that listen on all addresses. A rebinding attack
            needs a name, so it stays shut out.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], *, any_address: bool = False) -> None:
        self.app = app
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
                    "Use the address that it printed, or start it with --allow-host and this name.",
                )
                await error_response(error)(scope, receive, send)
                return
            if headers.get("sec-fetch-site") == "cross-site" and scope["path"].startswith("/api/v1/"):
                error = ApiError(403, "CrossSite", "Another site's page sent this request.")
                await error_response(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class SecurityHeaders:
    """Add the headers that keep foreign scripts and pages out to every answer that does not set its own."""

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
    """The ``Host`` header without its port, in lower case."""
    header = header.strip().lower()
    if header.startswith("["):
        return header.partition("]")[0] + "]" if "]" in header else ""
    return header.partition(":")[0]


def is_address(host: str) -> bool:
    """Whether a host is a literal IP address, IPv6 in brackets."""
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def allowed_hosts(bind: str, more: Iterable[str] = ()) -> tuple[list[str], bool]:
    """Names that a server bound to ``bind`` answers to, and whether it answers to any literal address."""
    hosts = list(LOOPBACK)
    everywhere = bind in ("0.0.0.0", "::", "")
    if everywhere:
        import socket

        hosts.append(socket.gethostname())
    else:
        hosts.append(f"[{bind}]" if ":" in bind and not bind.startswith("[") else bind)
    return [*hosts, *more], everywhere
