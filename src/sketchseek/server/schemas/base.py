"""Base classes and types that several schemas share."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, FiniteFloat


def with_example(example: dict[str, Any]) -> ConfigDict:
    """Return the configuration of a model that shows an example in the OpenAPI schema."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class RequestModel(BaseModel):
    """A request body. Unknown fields are errors, so that a misspelled option is not ignored."""

    model_config = ConfigDict(extra="forbid")


class ResponseModel(BaseModel):
    """A response body. It reads its fields from a mapping or from an object's attributes.

    Every field is required in the schema, even one that may be null: clients then need no check for a missing key.
    """

    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


def display_path(path: str | os.PathLike[str]) -> str:
    """Return a path as valid UTF-8 text.

    File names on Linux may contain bytes that are not UTF-8; they become replacement characters.
    """
    return os.fsencode(path).decode("utf-8", "replace")


DisplayPath = Annotated[str, BeforeValidator(display_path)]
"""A path that is safe to write as JSON."""


def _parse_time(value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return value
    # pydantic reads a number as seconds or milliseconds since 1970, depending on its size.
    if not isinstance(value, str):
        raise ValueError("a time is ISO 8601 text")  # noqa: TRY004  pydantic does not catch TypeError
    return datetime.fromisoformat(value) if value else None


FileTime = Annotated[datetime | None, BeforeValidator(_parse_time)]
"""An ISO 8601 time; empty text means no time."""

Axis = Annotated[list[FiniteFloat], FailFast()]
Stroke = Annotated[list[Axis], FailFast()]
Strokes = Annotated[list[Stroke], FailFast()]
OptionalStrokes = Annotated[list[Stroke] | None, FailFast()]
Embedding = Annotated[list[FiniteFloat], FailFast()]
OptionalEmbedding = Annotated[list[FiniteFloat] | None, FailFast()]
PhotoIds = Annotated[list[Annotated[int, Field(ge=1, le=2**63 - 1)]], Field(max_length=1000), FailFast()]

EXAMPLE_STROKES = [[[10, 200, 200], [10, 10, 90]], [[40, 40], [60, 200]]]
EXAMPLE_EMBEDDING = [0.6, 0.0, -0.8]
EXAMPLE_PHOTO = "/home/ada/Pictures/2024/cat.jpg"
