"""Search by sketch, picture, embedding or photo, and again with feedback."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Query, UploadFile

from sketchseek.errors import InputError
from sketchseek.search.colors import PaletteColor
from sketchseek.search.combined_query import Example
from sketchseek.search.combined_query import Query as CombinedQuery
from sketchseek.search.params import Filter
from sketchseek.server.dependencies import PhotoId, ServerState, State, require_photo
from sketchseek.server.paging import SearchArguments, page_arguments, page_from_form, page_from_query
from sketchseek.server.schemas.base import display_path
from sketchseek.server.schemas.errors import error_responses
from sketchseek.server.schemas.search import (
    GROUP_COPIES,
    NEGATIVE,
    POSITIVE,
    CombinedSearchRequest,
    CopyOfHit,
    EmbeddingSearchRequest,
    ExplainRequest,
    PageRequest,
    PhotoExplanation,
    QueryExample,
    RefinedSearchRequest,
    SearchHit,
    SearchResponse,
    SketchSearchRequest,
    SketchShares,
    SplitScore,
)
from sketchseek.server.security import check_points

if TYPE_CHECKING:
    from PIL import Image

    from sketchseek.search.explain import Explanation
    from sketchseek.search.explain import SplitScore as LibrarySplit
    from sketchseek.search.results import SearchResult

router = APIRouter(prefix="/search", tags=["search"], responses=error_responses(404, 413, 422))


class GroupedArguments(SearchArguments):
    """Keyword arguments of every search method of ``Library``."""

    group_copies: bool


@router.post("/sketch")
async def search_sketch(query: SketchSearchRequest, state: State) -> SearchResponse:
    """Find photos with a sketch, sent as strokes."""
    check_points(query.strokes, state.limits)
    return await _search(state, query, lambda arguments: state.library.search(query.strokes, **arguments))


@router.post("/image")
async def search_image(
    state: State,
    image: Annotated[UploadFile, Form(description="The picture: PNG, JPEG and so on; a sketch may also be SVG.")],
    page: Annotated[PageRequest, Depends(page_from_form)],
    kind: Annotated[
        Literal["sketch", "photo"], Form(description="What the picture shows.", examples=["sketch"])
    ] = "sketch",
    group_copies: Annotated[bool, Form(description=GROUP_COPIES)] = False,
    positive: Annotated[list[int] | None, Form(description=POSITIVE, max_length=1000)] = None,
    negative: Annotated[list[int] | None, Form(description=NEGATIVE, max_length=1000)] = None,
) -> SearchResponse:
    """Find photos with an uploaded picture: a sketch, or a photo to find similar ones."""
    page.group_copies = group_copies
    is_sketch = kind == "sketch"
    encoder = await state.in_search_thread(lambda: state.library.encoder)
    source = await state.read_upload(image.file, 0 if is_sketch else encoder.manifest.photo.size)
    if positive or negative:
        query: dict[str, Any] = {"sketch" if is_sketch else "photo": source}
        return await _search(
            state,
            page,
            lambda arguments: state.library.refine(
                **query, positive=positive or (), negative=negative or (), **arguments
            ),
        )
    if is_sketch:
        return await _search(state, page, lambda arguments: state.library.search(source, **arguments))
    return await _search(state, page, lambda arguments: state.library.search_photo(source, **arguments))


@router.post("/embedding")
async def search_embedding(query: EmbeddingSearchRequest, state: State) -> SearchResponse:
    """Find photos with the embedding of a sketch, which a client such as the web page computed with the same model."""
    return await _search(state, query, lambda arguments: state.library.search_embedding(query.embedding, **arguments))


@router.post("/photo/{photo_id}")
async def search_photo(photo_id: PhotoId, state: State, query: PageRequest | None = None) -> SearchResponse:
    """Find photos similar to one in the library."""
    return await _search_photo(state, photo_id, query or PageRequest.model_validate({}))


@router.get("/photo/{photo_id}")
async def list_similar_photos(
    photo_id: PhotoId,
    state: State,
    page: Annotated[PageRequest, Depends(page_from_query)],
    group_copies: Annotated[bool, Query(description=GROUP_COPIES)] = False,
) -> SearchResponse:
    """Find photos similar to one in the library."""
    page.group_copies = group_copies
    return await _search_photo(state, photo_id, page)


@router.post("/refine")
async def refine_search(query: RefinedSearchRequest, state: State) -> SearchResponse:
    """Search again with positive and negative feedback (Rocchio's formula)."""
    if query.strokes is not None:
        check_points(query.strokes, state.limits)
    if query.photo_id is not None:
        photo_id = query.photo_id
        await state.in_search_thread(lambda: require_photo(state, photo_id))
    return await _search(
        state,
        query,
        lambda arguments: state.library.refine(
            query.strokes,
            embedding=query.embedding,
            photo=query.photo_id,
            positive=query.positive,
            negative=query.negative,
            **arguments,
        ),
    )


@router.post("/query")
async def search_query(query: CombinedSearchRequest, state: State) -> SearchResponse:
    """Find photos with several sketches and photos, positive or negative, words and colors."""
    examples = await _examples(state, query.examples)
    combined = CombinedQuery(
        examples,
        query.text,
        query.text_mode,
        query.text_weight,
        tuple(PaletteColor(one.color, one.weight) for one in query.colors),
        query.color_weight,
        query.parts,
    )
    return await _search(
        state,
        query,
        lambda arguments: state.library.search_query(combined, **arguments),
        count=lambda allowed: state.library.count_query(combined, allowed),
    )


@router.post("/explain/{photo_id}")
async def explain_photo(photo_id: PhotoId, query: ExplainRequest, state: State) -> PhotoExplanation:
    """Explain why a photo matches a query: split its score over the photo and over each sketch."""
    combined = CombinedQuery(await _examples(state, query.examples))

    def work() -> PhotoExplanation:
        require_photo(state, photo_id)
        return _explanation(state.library.explain(photo_id, combined))

    return await state.in_search_thread(work)


def _explanation(found: Explanation) -> PhotoExplanation:
    def split(one: LibrarySplit) -> SplitScore:
        return SplitScore(shares=one.shares.round(6).tolist(), rest=round(one.rest, 6))

    return PhotoExplanation(
        photo=found.photo,
        score=round(found.score, 6),
        photo_split=split(found.photo_split),
        examples=[round(part, 6) for part in found.examples],
        sketches=[
            None
            if one is None
            else SketchShares(split=split(one.split), strokes=[round(share, 6) for share in one.strokes])
            for one in found.sketches
        ],
    )


async def _examples(state: ServerState, examples: Sequence[QueryExample]) -> tuple[Example, ...]:
    """Check and read the examples of a request, and decode their images."""
    check_points([stroke for one in examples for stroke in one.strokes or ()], state.limits)
    known = [one.photo_id for one in examples if one.photo_id is not None]
    await state.in_search_thread(lambda: [require_photo(state, photo_id) for photo_id in known])
    encoder = await state.in_search_thread(lambda: state.library.encoder)
    return tuple([await _example(state, one, encoder.manifest.photo.size) for one in examples])


async def _example(state: ServerState, one: QueryExample, photo_size: int) -> Example:
    sketch: bytes | Image.Image | list[list[list[float]]] | None = one.strokes
    photo: bytes | Image.Image | int | None = one.photo_id
    if one.image is not None:
        is_sketch = one.image_kind == "sketch"
        if (sketch if is_sketch else photo) is not None:
            raise InputError("an example must be exactly one of strokes, image, photo_id and embedding.")
        read = await state.read_upload(io.BytesIO(one.image), 0 if is_sketch else photo_size)
        if is_sketch:
            sketch = read
        else:
            photo = read
    return Example(sketch, photo, one.embedding, one.weight, one.negative)


async def _search_photo(state: ServerState, photo_id: int, page: PageRequest) -> SearchResponse:
    await state.in_search_thread(lambda: require_photo(state, photo_id))
    return await _search(state, page, lambda arguments: state.library.search_photo(photo_id, **arguments))


async def _search(
    state: ServerState,
    page: PageRequest,
    work: Callable[[GroupedArguments], Sequence[SearchResult]],
    *,
    count: Callable[[Filter], int] | None = None,
) -> SearchResponse:
    """Run a search in a thread and build its response.

    Args:
        state: The server's state.
        page: Filter and page of the results.
        work: Runs the search.
        count: Returns the number of photos that the search can find; by default, of those that the filter allows.
    """
    arguments: GroupedArguments = {**page_arguments(state, page), "group_copies": page.group_copies}

    def timed() -> tuple[Sequence[SearchResult], float, int]:
        start = time.perf_counter()
        found = work(arguments)
        available = (count or state.library.count)(arguments["filter"])
        return found, time.perf_counter() - start, available

    found, seconds, available = await state.in_search_thread(timed)
    k, depth = arguments["k"], state.limits.depth
    return SearchResponse(
        results=[
            SearchHit(
                rank=one.rank,
                id=one.id,
                path=display_path(one.path),
                name=display_path(one.path.name),
                score=round(one.score, 6),
                parts={name: round(part, 6) for name, part in one.parts.items()},
                copies=[
                    CopyOfHit(id=copy.id, path=display_path(copy.path), name=display_path(copy.path.name))
                    for copy in one.copies
                ],
                time=None if one.time is None else round(one.time, 3),
            )
            for one in found
        ],
        seconds=round(seconds, 6),
        offset=page.offset,
        total=min(available, depth, page.offset + len(found) if len(found) < k else available),
        more=len(found) == k and page.offset + k < depth,
    )
