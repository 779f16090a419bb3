"""Response body of the health routes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sketchseek.server.schemas.base import ResponseModel, with_example


class Health(ResponseModel):
    """State of the server."""

    model_config = with_example({"status": "ready"})

    status: Literal["live", "ready"] = Field(description="``live``: it answers. ``ready``: it can search.")
