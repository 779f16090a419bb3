"""Middleware that limits request bodies: their size, their kind, and the number of keys in JSON.

JSON is small: strokes, ids and filters. Parsing holds Python's interpreter lock wherever it runs, so a large body would
stop every other request. The limit for JSON therefore is much lower than that for uploaded pictures.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from fastapi import params
from fastapi.routing import APIRoute
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchseek.server import API_PREFIX
from sketchseek.server.errors import ApiError, busy, error_response
from sketchseek.server.security import Limits

_MAX_KEYS = 1_000  # each unknown key costs an error message
_MAX_LISTS = 20_000
_OTHER_VALUES = 20_000  # besides the two numbers of each point

_LARGE = 64_000
_MAX_LARGE = 32  # JSON bodies above _LARGE bytes that are in memory at a time

_JSON = re.compile(r"application/([\w.-]+\+)?json\s*(;|$)", re.ASCII | re.IGNORECASE)
_FORM = re.compile(r"multipart/form-data\s*;", re.ASCII | re.IGNORECASE)


class BodyCheck:
    """Middleware that answers 413 as soon as a body exceeds its limit, with or without Content-Length.

    Bodies of JSON routes are read here as a whole; uploads are passed on as they arrive.

    Args:
        app: The application to protect.
        limits: ``body`` applies to uploads, ``json_images`` to JSON with images, ``json`` to everything else.
        uploads: Patterns of the paths that take an upload; see ``upload_paths``.
        images: Templates of the paths, below ``API_PREFIX``, that take JSON with images in Base64.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, uploads: Iterable[re.Pattern[str]], images: Collection[str] = ()
    ) -> None:
        self.app = app
        self.limits = limits
        self.images = tuple(compile_path(f"{API_PREFIX}/{path}")[0] for path in images)
        self.uploads = tuple(uploads)
        self._uploading = 0
        self._large = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = get_route_path(scope)
        upload = any(pattern.match(path) for pattern in self.uploads)
        images = any(pattern.match(path) for pattern in self.images)
        limit = self.limits.body if upload else self.limits.json_images if images else self.limits.json
        announced = Headers(scope=scope).get("content-length", "")
        if not (upload or images):
            await self._pass_on(scope, receive, send, limit, announced, upload=False)
        elif self._uploading >= self.limits.uploads:
            await error_response(busy())(scope, receive, send)
        else:
            self._uploading += 1
            try:
                await self._pass_on(scope, receive, send, limit, announced, upload=upload)
            finally:
                self._uploading -= 1

    async def _pass_on(
        self, scope: Scope, receive: Receive, send: Send, limit: int, announced: str, *, upload: bool
    ) -> None:
        headers = Headers(scope=scope)
        try:
            if announced.isdecimal() and int(announced[:20]) > limit:
                raise _too_large(limit)
            if upload:
                _check_kind(headers, _FORM, "multipart/form-data")
                receive = _counted(receive, limit)
            elif scope["method"] not in ("GET", "HEAD", "OPTIONS") or announced not in ("", "0"):
                body = await self._read(receive, limit)
                if body is None:
                    return  # the client is gone
                if body and get_route_path(scope).startswith(f"{API_PREFIX}/"):
                    _check_kind(headers, _JSON, "application/json")
                self._check_values(body)
                receive = _replayed(body, receive)
        except ApiError as error:
            await error_response(error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _check_values(self, body: bytes) -> None:
        """Reject JSON that is costly to parse. Punctuation in texts counts too, which no request has that much of."""
        counts = ((b":", _MAX_KEYS), (b"[", _MAX_LISTS), (b",", 2 * self.limits.points + _OTHER_VALUES))
        if any(body.count(mark) > most for mark, most in counts):
            raise ApiError(
                422, "TooManyValues", "The body has too many fields, lists or numbers.", "Send a simpler sketch."
            )

    async def _read(self, receive: Receive, limit: int) -> bytes | None:
        """Read a body as a whole; None if the client goes away."""
        parts: list[bytes] = []
        size = 0
        large = False
        try:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise _too_large(limit)
                if size > _LARGE and not large:
                    if self._large >= _MAX_LARGE:
                        raise busy()
                    large = True
                    self._large += 1
                if not message.get("more_body", False):
                    return b"".join(parts)
        finally:
            self._large -= large


def upload_paths(routes: Iterable[object]) -> list[re.Pattern[str]]:
    """Return patterns of the paths of routes that take a form, below ``API_PREFIX``."""
    return [
        compile_path(API_PREFIX + route.path)[0]
        for route in routes
        if isinstance(route, APIRoute)
        and any(isinstance(field.field_info, params.Form) for field in route.dependant.body_params)
    ]


def _check_kind(headers: Headers, pattern: re.Pattern[str], kind: str) -> None:
    if not pattern.match(headers.get("content-type", "")):
        raise ApiError(415, "WrongContentType", f"The body is not {kind}.", f"Send it as Content-Type: {kind}.")


def _replayed(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _counted(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return counted


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "BodyTooLarge", f"The request has more than {limit:,} bytes.", "Send a smaller one.")
