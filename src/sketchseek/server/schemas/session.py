"""Response body about the sender of a request."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sketchseek.server.schemas.base import ResponseModel, with_example


class Session(ResponseModel):
    """Who sends the request, and what they may do."""

    model_config = with_example(
        {"user": None, "scopes": ["manage", "read", "search"], "login": False, "token": "bGlnaHQgYXMgYSBmZWF0aGVy"}
    )

    user: str | None = Field(description="Name of the user or token; null if nobody is logged in.")
    scopes: list[Literal["read", "search", "manage"]] = Field(description="What they may do.")
    login: bool = Field(description="Whether the server has users.")
    token: str = Field(
        description="Value of the header ``X-Sketchseek-Token`` for requests that change something; empty if they may "
        "not change anything. It changes when the server starts."
    )
