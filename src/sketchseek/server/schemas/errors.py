"""Body of every response that reports an error."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sketchseek.server.schemas.base import ResponseModel, with_example


class ErrorDetail(ResponseModel):
    """What went wrong and what to do about it."""

    type: str = Field(description="Short name of the error, for programs.")
    message: str = Field(description="What went wrong, for people.")
    remedy: str = Field(description="What the user can do; empty if nothing.")


class ErrorResponse(ResponseModel):
    """Body of every response that reports an error."""

    model_config = with_example(
        {
            "error": {
                "type": "PhotoNotFound",
                "message": "The library has no photo 7.",
                "remedy": "Search again.",
            }
        }
    )

    error: ErrorDetail


def error_responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` argument of a router whose routes can answer with these status codes."""
    return {code: {"model": ErrorResponse} for code in codes}
