"""Errors as JSON: ``{"error": {"type", "message", "remedy"}}`` with a matching status code."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from sketchseek.errors import (
    ImageTooLargeError,
    InputError,
    LibraryLockedError,
    ModelMismatchError,
    SketchseekError,
    StorageError,
)
from sketchseek.server import API_PREFIX

if TYPE_CHECKING:
    from fastapi import FastAPI

_log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[SketchseekError], int], ...] = (
    (ImageTooLargeError, 413),
    (InputError, 422),
    (ModelMismatchError, 409),
    (LibraryLockedError, 503),
    (StorageError, 503),
    (SketchseekError, 500),
)
"""Status code by error class; the first match counts."""


class ApiError(HTTPException):
    """A request that the server cannot answer.

    Args:
        status: HTTP status code.
        kind: Short name of the error, for programs.
        message: What went wrong.
        remedy: What the user can do.
        headers: Headers of the response.
    """

    def __init__(
        self, status: int, kind: str, message: str, remedy: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, message, headers)
        self.kind = kind
        self.remedy = remedy


def busy() -> ApiError:
    """Return the error of a server that has too much to do."""
    return ApiError(503, "Busy", "The server is busy.", "Try again in a second.", {"Retry-After": "1"})


def error_response(error: HTTPException) -> JSONResponse:
    """Return an HTTP error as a JSON response."""
    kind = error.kind if isinstance(error, ApiError) else f"Http{error.status_code}"
    remedy = error.remedy if isinstance(error, ApiError) else ""
    return _json(error.status_code, kind, str(error.detail), remedy, dict(error.headers or {}))


def add_error_handlers(app: FastAPI) -> None:
    """Make an application answer every error, expected or not, as JSON without a traceback."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        return error_response(error)

    @app.exception_handler(SketchseekError)
    async def sketchseek_error(request: Request, error: SketchseekError) -> JSONResponse:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        return _json(status, type(error).__name__, error.message, error.remedy)

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = " → ".join(str(part) for part in first["loc"])
        return _json(422, "RequestInvalid", f"{where}: {first['msg']}.", f"See {API_PREFIX}/openapi.json.")

    @app.exception_handler(OSError)
    async def system_error(request: Request, error: OSError) -> JSONResponse:
        reason = error.strerror or type(error).__name__
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP):
            return _json(422, "PathInvalid", f"The path cannot be used: {reason}.", "Check the request.")
        _log.error("A request failed: %s.", reason)
        return _json(500, "SystemError", f"The server could not answer: {reason}.", "See the server's log.")


def internal_error(request_id: str) -> JSONResponse:
    """Return the answer to an error that nobody expected. The log has its traceback under the same id."""
    return _json(500, "InternalError", "The server failed.", f"Look for request {request_id} in the server's log.")


def _json(status: int, kind: str, message: str, remedy: str, headers: dict[str, str] | None = None) -> JSONResponse:
    # Paths on Linux may contain bytes that are not UTF-8, which JSON cannot hold.
    message, remedy = (text.encode("utf-8", "replace").decode() for text in (message, remedy))
    body = {"error": {"type": kind, "message": message, "remedy": remedy}}
    return JSONResponse(body, status, {"Cache-Control": "no-store", **(headers or {})})
