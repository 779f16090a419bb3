"""Routes that search: by sketch, picture, vector or photo, and again with feedback."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from fastapi import APIRouter, Depends, Form, Query, UploadFile

from sketchseek.search.params import Filter
from sketchseek.server.dependencies import ServerState, State
from sketchseek.server.errors import ApiError
from sketchseek.server.routers.model import fit_of
from sketchseek.server.routers.photos import PhotoId, known_photo, shown
from sketchseek.server.schemas import (
    DEFAULT_RESULTS,
    OFFSET,
    ONLY_AFTER,
    ONLY_BEFORE,
    ONLY_FOLDER,
    RESULTS_WANTED,
    ErrorAnswer,
    Folder,
    PhotoQuery,
    RefineQuery,
    Result,
    Results,
    SketchQuery,
    VectorQuery,
    When,
)
from sketchseek.server.security import check_points
from sketchseek.server.uploads import check_upload

if TYPE_CHECKING:
    from sketchseek.search.results import SearchResult

_ERRORS: dict[int | str, dict[str, Any]] = {code: {"model": ErrorAnswer} for code in (404, 413, 422)}

search_routes = APIRouter(prefix="/search", tags=["search"], responses=_ERRORS)


@dataclass(frozen=True)
class Page:
    """Which of the results to return; the fields are those of every search's body."""

    k: int
    folder: str | None
    after: datetime | None
    before: datetime | None
    offset: int


class Bounds(TypedDict):
    """Keyword arguments that every search of a library takes."""

    k: int
    offset: int
    filter: Filter


def _page_of_query(
    k: Annotated[int, Query(ge=1, description=RESULTS_WANTED)] = DEFAULT_RESULTS,
    folder: Annotated[Folder, Query(description=ONLY_FOLDER)] = None,
    after: Annotated[When, Query(description=ONLY_AFTER)] = None,
    before: Annotated[When, Query(description=ONLY_BEFORE)] = None,
    offset: Annotated[int, Query(ge=0, description=OFFSET)] = 0,
) -> Page:
    return Page(k=k, folder=folder, after=after, before=before, offset=offset)


def _page_of_form(
    k: Annotated[int, Form(ge=1, description=RESULTS_WANTED)] = DEFAULT_RESULTS,
    folder: Annotated[Folder, Form(description=ONLY_FOLDER)] = None,
    after: Annotated[When, Form(description=ONLY_AFTER)] = None,
    before: Annotated[When, Form(description=ONLY_BEFORE)] = None,
    offset: Annotated[int, Form(ge=0, description=OFFSET)] = 0,
) -> Page:
    return Page(k=k, folder=folder, after=after, before=before, offset=offset)


def _page_of_body(query: SketchQuery | VectorQuery | PhotoQuery | RefineQuery) -> Page:
    return Page(k=query.k, folder=query.folder, after=query.after, before=query.before, offset=query.offset)


@search_routes.post("/sketch")
async def search_sketch(query: SketchQuery, state: State) -> Results:
    """Find photos with a sketch, sent as strokes."""
    check_points(query.strokes, state.limits)
    return await _search(
        state, _page_of_body(query), lambda bounds: state.library.search(query.strokes, **bounds), drawn=True
    )


@search_routes.post("/image")
async def search_image(
    state: State,
    image: UploadFile,
    page: Annotated[Page, Depends(_page_of_form)],
    kind: Annotated[Literal["sketch", "photo"], Form(description="What the picture shows.")] = "sketch",
    right: Annotated[list[int] | None, Form(description="As in a refined search.", max_length=1000)] = None,
    wrong: Annotated[list[int] | None, Form(description="As in a refined search.", max_length=1000)] = None,
) -> Results:
    """Find photos with an uploaded picture: a sketch (SVG too), or a photo to find its like."""
    data = await image.read()
    drawn = kind == "sketch"
    check_upload(data, state.limits, sketch=drawn)
    if right or wrong:
        query = {"sketch" if drawn else "photo": data}
        return await _search(
            state,
            page,
            lambda bounds: state.library.refine(**query, positive=right or (), negative=wrong or (), **bounds),
        )
    if drawn:
        return await _search(state, page, lambda bounds: state.library.search(data, **bounds), drawn=True)
    return await _search(state, page, lambda bounds: state.library.search_photo(data, **bounds))


@search_routes.post("/vector")
async def search_vector(query: VectorQuery, state: State) -> Results:
    """Find photos with an embedding of a sketch that was made elsewhere by the same model, in the browser for one."""
    return await _search(
        state, _page_of_body(query), lambda bounds: state.library.search_vector(query.vector, **bounds), drawn=True
    )


@search_routes.post("/photo/{photo_id}")
async def search_like(photo_id: PhotoId, state: State, query: PhotoQuery | None = None) -> Results:
    """Find photos like one that is in the library."""
    return await _like(state, photo_id, _page_of_body(query or PhotoQuery.model_validate({})))


@search_routes.get("/photo/{photo_id}")
async def get_like(photo_id: PhotoId, state: State, page: Annotated[Page, Depends(_page_of_query)]) -> Results:
    """Find photos like one that is in the library."""
    return await _like(state, photo_id, page)


@search_routes.post("/refine")
async def search_refined(query: RefineQuery, state: State) -> Results:
    """Search again, nearer to photos that were right and farther from those that were wrong (Rocchio's formula)."""
    if query.strokes is not None:
        check_points(query.strokes, state.limits)
    if query.photo_id is not None:
        photo_id = query.photo_id
        await state.in_search_thread(lambda: known_photo(state, photo_id))
    return await _search(
        state,
        _page_of_body(query),
        lambda bounds: state.library.refine(
            query.strokes,
            vector=query.vector,
            photo=query.photo_id,
            positive=query.right,
            negative=query.wrong,
            **bounds,
        ),
    )


async def _like(state: ServerState, photo_id: int, page: Page) -> Results:
    await state.in_search_thread(lambda: known_photo(state, photo_id))
    return await _search(state, page, lambda bounds: state.library.search_photo(photo_id, **bounds))


async def _search(
    state: ServerState, page: Page, work: Callable[[Bounds], Sequence[SearchResult]], *, drawn: bool = False
) -> Results:
    limits = state.limits
    if page.k > limits.results:
        raise ApiError(
            422,
            "TooManyResults",
            f"{page.k:,} results asked for; the cap is {limits.results:,}.",
            f"Ask for at most {limits.results:,}, and for more with offset.",
        )
    if page.offset >= limits.depth:
        raise ApiError(
            422,
            "TooFarDown",
            f"results from rank {page.offset + 1:,} on asked for; the last to be had is {limits.depth:,}.",
            "Narrow the search by folder or date, or draw more.",
        )
    k = min(page.k, limits.depth - page.offset)
    bounds: Bounds = {
        "k": k,
        "offset": page.offset,
        "filter": Filter(page.folder or None, page.after, page.before),
    }

    def timed() -> tuple[Sequence[SearchResult], float, float | None, int]:
        start = time.perf_counter()
        found = work(bounds)
        there = state.library.count(bounds["filter"])
        return found, time.perf_counter() - start, fit_of(state) if drawn else None, there

    found, seconds, fit, there = await state.in_search_thread(timed)
    results = [
        Result(rank=one.rank, id=one.id, path=shown(one.path), name=shown(one.path.name), score=round(one.score, 6))
        for one in found
    ]
    first = found[0].score if found and page.offset == 0 else None
    return Results(
        results=results,
        seconds=round(seconds, 6),
        offset=page.offset,
        total=min(there, limits.depth, page.offset + len(found) if len(found) < k else there),
        more=len(found) == k and page.offset + k < limits.depth,
        fit=fit,
        fits=None if fit is None or first is None else first >= fit,
    )
