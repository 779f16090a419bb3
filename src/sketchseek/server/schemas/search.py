"""Request and response bodies of searches."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sketchseek.server.schemas.base import (
    EXAMPLE_EMBEDDING,
    EXAMPLE_PHOTO,
    EXAMPLE_STROKES,
    DisplayPath,
    Embedding,
    FileTime,
    OptionalEmbedding,
    OptionalStrokes,
    PhotoIds,
    RequestModel,
    ResponseModel,
    Strokes,
    with_example,
)

DEFAULT_K = 48

K = "Maximum number of results."
FOLDER = "Only find photos in this folder and below it."
AFTER = (
    "Only find photos with this file time or a later one: ISO 8601, such as 2024-05-01 or 2024-05-01T12:00:00Z. "
    "A time without a zone is the server's local time."
)
BEFORE = "Only find photos with an earlier file time."
OFFSET = "Number of results to skip, to continue where another page of results ended."
POSITIVE = "Ids of photos to find more of."
NEGATIVE = "Ids of photos to exclude; photos that resemble them rank lower."

FolderFilter = Annotated[str | None, Field(max_length=4096)]


class PageRequest(RequestModel):
    """Which results to return: the filter and the page."""

    model_config = with_example({"k": 20, "after": "2024-05-01"})

    k: int = Field(DEFAULT_K, ge=1, description=K)
    folder: FolderFilter = Field(default=None, description=FOLDER)
    after: FileTime = Field(default=None, description=AFTER)
    before: FileTime = Field(default=None, description=BEFORE)
    offset: int = Field(0, ge=0, description=OFFSET)


class SketchSearchRequest(PageRequest):
    """A search by sketch."""

    model_config = with_example({"strokes": EXAMPLE_STROKES, "k": 20})

    strokes: Strokes = Field(description="[[[x, …], [y, …]], …] in any unit; y grows downward.")


class EmbeddingSearchRequest(PageRequest):
    """A search by the embedding of a sketch, made elsewhere with the same model."""

    model_config = with_example({"embedding": EXAMPLE_EMBEDDING, "k": 20})

    embedding: Embedding = Field(description="The embedding; its length is the model's ``embedding``.")


class RefinedSearchRequest(PageRequest):
    """A query with feedback. The query is one of ``strokes``, ``embedding`` and ``photo_id``."""

    model_config = with_example({"strokes": EXAMPLE_STROKES, "positive": [3, 8], "negative": [5]})

    strokes: OptionalStrokes = Field(default=None, description="The sketch, as in a search by sketch.")
    embedding: OptionalEmbedding = Field(default=None, description="The embedding, as in a search by embedding.")
    photo_id: int | None = Field(default=None, ge=1, le=2**63 - 1, description="The photo, as in a search by photo.")
    positive: PhotoIds = Field(default_factory=list, description=POSITIVE)
    negative: PhotoIds = Field(default_factory=list, description=NEGATIVE)


class SearchHit(ResponseModel):
    """One photo that a search found."""

    rank: int = Field(description="1 for the best result.")
    id: int = Field(description="Id of the photo, for the routes below /photos.")
    path: DisplayPath
    name: DisplayPath = Field(description="File name.")
    score: float = Field(description="Cosine similarity or negative distance; higher is better.")


class SearchResponse(ResponseModel):
    """One page of results, best first."""

    model_config = with_example(
        {
            "results": [{"rank": 1, "id": 3, "path": EXAMPLE_PHOTO, "name": "cat.jpg", "score": 0.71}],
            "seconds": 0.012,
            "offset": 0,
            "total": 1,
            "more": False,
        }
    )

    results: list[SearchHit]
    seconds: float = Field(description="Time for encoding and searching, in seconds.")
    offset: int = Field(description="Number of results skipped.")
    total: int = Field(
        description="Number of results on all pages. Photos excluded by negative feedback count until the last page."
    )
    more: bool = Field(description="Whether a further page may have results.")
