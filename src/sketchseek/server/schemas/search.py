"""Request and response bodies of searches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field

from sketchseek.search.colors import MAX_COLORS
from sketchseek.search.combined_query import MAX_EXAMPLES, MAX_TEXT, MAX_WEIGHT, TextMode
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
FOLDER_CONTAINS = "Only find photos whose folder's path contains this text, ignoring case."
AFTER = (
    "Only find photos with this file time or a later one: ISO 8601, such as 2024-05-01 or 2024-05-01T12:00:00Z. "
    "A time without a zone is the server's local time."
)
BEFORE = "Only find photos with an earlier file time."
OFFSET = "Number of results to skip, to continue where another page of results ended."
GROUP_COPIES = (
    "Make one result of copies of one photo, with the others in ``copies``; k and offset count groups then, and total "
    "is the number of photos."
)
POSITIVE = "Ids of photos to find more of."
NEGATIVE = "Ids of photos to exclude; photos that resemble them rank lower."

FolderFilter = Annotated[str | None, Field(max_length=4096)]


class PageRequest(RequestModel):
    """Which results to return: the filter and the page."""

    model_config = with_example({"k": 20, "after": "2024-05-01"})

    k: int = Field(DEFAULT_K, ge=1, description=K)
    folder: FolderFilter = Field(default=None, description=FOLDER)
    folder_contains: FolderFilter = Field(default=None, description=FOLDER_CONTAINS)
    after: FileTime = Field(default=None, description=AFTER)
    before: FileTime = Field(default=None, description=BEFORE)
    offset: int = Field(0, ge=0, description=OFFSET)
    group_copies: bool = Field(default=False, description=GROUP_COPIES)


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


class QueryExample(RequestModel):
    """A sketch, a photo or an embedding: exactly one of ``strokes``, ``image``, ``photo_id`` and ``embedding``."""

    strokes: OptionalStrokes = Field(default=None, description="A sketch, as in a search by sketch.")
    image: Base64Bytes | None = Field(
        default=None, description="A picture's bytes as Base64: a sketch (also as SVG) or a photo; see ``image_kind``."
    )
    image_kind: Literal["sketch", "photo"] = Field("sketch", description="What the image shows.")
    photo_id: int | None = Field(default=None, ge=1, le=2**63 - 1, description="A photo of the library.")
    embedding: OptionalEmbedding = Field(default=None, description="An embedding, as in a search by embedding.")
    weight: float = Field(1.0, gt=0, le=MAX_WEIGHT, description="Weight among the examples.")
    negative: bool = Field(False, description="Whether results should not look like it.")


class QueryColor(RequestModel):
    """A color of a palette."""

    color: str = Field(max_length=30, description="``#rrggbb``, ``#rgb`` or a CSS color name.")
    weight: float = Field(1.0, gt=0, le=MAX_WEIGHT, description="How much of it there is, relative to the others.")


class CombinedSearchRequest(PageRequest):
    """A query of several sketches and photos, words and colors. At least one positive example, word or color."""

    model_config = with_example(
        {
            "examples": [{"strokes": EXAMPLE_STROKES}, {"photo_id": 5, "weight": 0.5}],
            "text": "garden 2019",
            "colors": [{"color": "#c02020"}],
            "k": 20,
        }
    )

    examples: list[QueryExample] = Field(default_factory=list, max_length=MAX_EXAMPLES, description="See QueryExample.")
    text: str = Field(
        "",
        max_length=MAX_TEXT,
        description="Words in file and folder names, captions, keywords, camera, date and place.",
    )
    text_mode: TextMode = Field(
        "rank",
        description="``rank`` moves photos with these words up; ``require`` finds only photos that have all of them.",
    )
    text_weight: float = Field(
        1.0, ge=0, le=MAX_WEIGHT, description="With ``rank``, weight of the words relative to the examples."
    )
    colors: list[QueryColor] = Field(
        default_factory=list, max_length=MAX_COLORS, description="Colors that photos should have, such as of strokes."
    )
    color_weight: float = Field(0.5, ge=0, le=MAX_WEIGHT, description="Weight of the colors relative to the examples.")
    parts: bool = Field(
        False,
        description="Whether a sketch that shows two separate objects is also searched by each of them, in their "
        "places if the library was indexed with regions. Nothing changes if it does not, or is not the only example.",
    )


class ExplainRequest(RequestModel):
    """The query whose match is explained."""

    model_config = with_example({"examples": [{"strokes": EXAMPLE_STROKES}]})

    examples: list[QueryExample] = Field(min_length=1, max_length=MAX_EXAMPLES, description="As in a search by query.")


class SplitScore(ResponseModel):
    """A score, split over a grid that covers a picture. The sum of the shares and ``rest`` is the score."""

    shares: list[list[float]] = Field(description="Each cell's share, row by row from the top left.")
    rest: float = Field(description="What depends on no place in the picture.")


class SketchShares(ResponseModel):
    """What parts of a sketch contribute."""

    split: SplitScore = Field(
        description="The split over the sketch's raster, a square around it: see ``rasterization`` of the model."
    )
    strokes: list[float] = Field(description="Each stroke's share, in their order; empty for a picture of a sketch.")


class PhotoExplanation(ResponseModel):
    """Why a photo matches a query."""

    model_config = with_example(
        {
            "photo": 3,
            "score": 0.5,
            "photo_split": {"shares": [[0.0, 0.1], [0.3, 0.1]], "rest": 0.0},
            "examples": [0.5],
            "sketches": [{"split": {"shares": [[0.2, 0.1], [0.1, 0.1]], "rest": 0.0}, "strokes": [0.4, 0.1]}],
        }
    )

    photo: int = Field(description="Id of the photo.")
    score: float = Field(description="Cosine similarity or negative distance of the photo and the examples.")
    photo_split: SplitScore = Field(description="The split over the whole photo, rotated as EXIF says.")
    examples: list[float] = Field(description="Each example's part of the score; their sum is the score.")
    sketches: list[SketchShares | None] = Field(description="For each example, its split; null if it is no sketch.")


class CopyOfHit(ResponseModel):
    """A further photo of a group of copies."""

    id: int = Field(description="Id of the photo, for the routes below /photos.")
    path: DisplayPath
    name: DisplayPath = Field(description="File name.")


class SearchHit(ResponseModel):
    """One photo that a search found."""

    rank: int = Field(description="1 for the best result.")
    id: int = Field(description="Id of the photo, for the routes below /photos.")
    path: DisplayPath
    name: DisplayPath = Field(description="File name.")
    score: float = Field(
        description="Cosine similarity or negative distance; of a query with several criteria, their fused score from "
        "0 to 1. Higher is better."
    )
    parts: dict[str, float] = Field(
        default_factory=dict,
        description="Of a query with several criteria: what each of ``examples``, ``text`` and ``colors`` contributed.",
    )
    copies: list[CopyOfHit] = Field(default_factory=list, description="With ``group_copies``: the photo's copies.")
    time: float | None = Field(
        None,
        description="Of a video or an animated picture, in a library with frames: where the frame that matched best "
        "is, in seconds from the beginning; null if it is the one that the thumbnail shows.",
    )


class SearchResponse(ResponseModel):
    """One page of results, best first."""

    model_config = with_example(
        {
            "results": [
                {"rank": 1, "id": 3, "path": EXAMPLE_PHOTO, "name": "cat.jpg", "score": 0.71, "parts": {}, "copies": []}
            ],
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
