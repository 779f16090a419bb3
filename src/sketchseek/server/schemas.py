"""Bodies of requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, FiniteFloat

DEFAULT_RESULTS = 48

RESULTS_WANTED = "Maximum number of results."
ONLY_FOLDER = "Only photos below this folder."
ONLY_AFTER = "Only photos whose file time is this one or later: ISO 8601, such as 2024-05-01 or 2024-05-01T12:00:00Z; \
the server's local time where it names no zone."
ONLY_BEFORE = "Only photos whose file time is earlier."
OFFSET = "Leave out this many of the best, to go on where another page of results ended."

Folder = Annotated[str | None, Field(max_length=4096)]


def _iso(value: Any) -> Any:
    # pydantic would take a number for seconds or milliseconds since 1970, by its size.
    if not isinstance(value, str):
        raise ValueError("a time is text in the form of ISO 8601")  # noqa: TRY004  pydantic passes on no TypeError
    return datetime.fromisoformat(value) if value else None


When = Annotated[datetime | None, BeforeValidator(lambda value: None if value is None else _iso(value))]

_Axis = Annotated[list[FiniteFloat], FailFast()]
_Stroke = Annotated[list[_Axis], FailFast()]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    k: int = Field(DEFAULT_RESULTS, ge=1, description=RESULTS_WANTED)
    folder: Folder = Field(None, description=ONLY_FOLDER)
    after: When = Field(None, description=ONLY_AFTER)
    before: When = Field(None, description=ONLY_BEFORE)
    offset: int = Field(0, ge=0, description=OFFSET)


class Strokes(BaseModel):
    """A sketch alone."""

    model_config = ConfigDict(extra="forbid")

    strokes: Annotated[list[_Stroke], FailFast()] = Field(description="As for a search by sketch.")


class SketchQuery(_Request):
    """A sketch as strokes."""

    strokes: Annotated[list[_Stroke], FailFast()] = Field(description="[[[x…],[y…]],…], y growing downwards, any unit.")


class VectorQuery(_Request):
    """An embedding that was made elsewhere, by the same model."""

    vector: Annotated[list[FiniteFloat], FailFast()] = Field(description="As long as the model's embeddings.")


class PhotoQuery(_Request):
    """How many photos that resemble another."""


PhotoIds = Annotated[list[Annotated[int, Field(ge=1, le=2**63 - 1)]], Field(max_length=1000), FailFast()]


class RefineQuery(_Request):
    """A query, one of strokes, vector and photo_id, with photos that answered it well or badly."""

    strokes: Annotated[list[_Stroke] | None, FailFast()] = Field(None, description="As for a search by sketch.")
    vector: Annotated[list[FiniteFloat] | None, FailFast()] = Field(None, description="As for a search by vector.")
    photo_id: int | None = Field(None, ge=1, le=2**63 - 1, description="As for a search by photo.")
    right: PhotoIds = Field(default_factory=list, description="Ids of photos to find more of.")
    wrong: PhotoIds = Field(default_factory=list, description="Ids of photos to leave out, and to find fewer like.")


class Result(BaseModel):
    """One photo that was found."""

    rank: int
    id: int
    path: str
    name: str
    score: float


class Results(BaseModel):
    """Photos that were found, best first."""

    results: list[Result]
    seconds: float = Field(description="Time that encoding and search took, in seconds.")
    offset: int = Field(description="Results left out before the first.")
    total: int = Field(
        description="Results that there are, those of other pages too; on all but the last page those that were "
        "excluded count as well."
    )
    more: bool = Field(description="Whether results after the last may be asked for and may be there.")
    fit: float | None = Field(
        description="Score from which on a result of a sketch is likely what was meant, where the model knows one."
    )
    fits: bool | None = Field(description="Whether the best result reaches it; null where that is not known.")


class ErrorBody(BaseModel):
    """What went wrong."""

    type: str
    message: str
    remedy: str


class ErrorAnswer(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorBody


Json = dict[str, Any]
