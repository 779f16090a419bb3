"""Which results a request asks for: the filter and the page, as parameters, form fields or JSON."""

from __future__ import annotations

from typing import Annotated, TypedDict

from fastapi import Form, Query

from sketchseek.search.params import Filter
from sketchseek.server.dependencies import ServerState
from sketchseek.server.errors import ApiError
from sketchseek.server.schemas.base import FileTime
from sketchseek.server.schemas.search import (
    AFTER,
    BEFORE,
    DEFAULT_K,
    FOLDER,
    FOLDER_CONTAINS,
    OFFSET,
    FolderFilter,
    K,
    PageRequest,
)


class SearchArguments(TypedDict):
    """Keyword arguments of every search method of ``Library``."""

    k: int
    offset: int
    filter: Filter


def page_from_query(
    k: Annotated[int, Query(ge=1, description=K, examples=[20])] = DEFAULT_K,
    folder: Annotated[FolderFilter, Query(description=FOLDER)] = None,
    folder_contains: Annotated[FolderFilter, Query(description=FOLDER_CONTAINS)] = None,
    after: Annotated[FileTime, Query(description=AFTER)] = None,
    before: Annotated[FileTime, Query(description=BEFORE)] = None,
    offset: Annotated[int, Query(ge=0, description=OFFSET)] = 0,
) -> PageRequest:
    """Return which results the parameters of a URL ask for."""
    return PageRequest(k=k, folder=folder, folder_contains=folder_contains, after=after, before=before, offset=offset)


def page_from_form(
    k: Annotated[int, Form(ge=1, description=K, examples=[20])] = DEFAULT_K,
    folder: Annotated[FolderFilter, Form(description=FOLDER)] = None,
    folder_contains: Annotated[FolderFilter, Form(description=FOLDER_CONTAINS)] = None,
    after: Annotated[FileTime, Form(description=AFTER)] = None,
    before: Annotated[FileTime, Form(description=BEFORE)] = None,
    offset: Annotated[int, Form(ge=0, description=OFFSET)] = 0,
) -> PageRequest:
    """Return which results the fields of a form ask for."""
    return PageRequest(k=k, folder=folder, folder_contains=folder_contains, after=after, before=before, offset=offset)


def page_arguments(state: ServerState, page: PageRequest) -> SearchArguments:
    """Return the arguments of the library's search.

    Raises:
        ApiError: 422, the request exceeds a limit.
    """
    limits = state.limits
    if page.k > limits.results:
        raise ApiError(
            422,
            "TooManyResults",
            f"The request asks for {page.k:,} results; the limit is {limits.results:,}.",
            f"Ask for at most {limits.results:,} and use offset for more.",
        )
    if page.offset >= limits.depth:
        raise ApiError(
            422,
            "TooFarDown",
            f"The request asks for results from rank {page.offset + 1:,}; the last available rank is {limits.depth:,}.",
            "Filter by folder or date, or add detail to the sketch.",
        )
    return {
        "k": min(page.k, limits.depth - page.offset),
        "offset": page.offset,
        "filter": Filter(page.folder or None, page.after, page.before, page.folder_contains or None),
    }
