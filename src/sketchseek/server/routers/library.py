"""The served libraries: which there are, their state, and the files that could not be indexed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request

import sketchseek
from sketchseek.server.access import access_of
from sketchseek.server.dependencies import State
from sketchseek.server.file_manager import can_show, is_local
from sketchseek.server.schemas.base import display_path
from sketchseek.server.schemas.errors import error_responses
from sketchseek.server.schemas.library import (
    FailureList,
    IndexingFailure,
    LibraryFolder,
    LibraryFolderList,
    LibraryList,
    LibraryStatus,
    LibrarySummary,
    Permissions,
    ServerStatus,
)

router = APIRouter(tags=["library"], responses=error_responses(404, 422))


@router.get("/libraries")
async def list_libraries(state: State) -> LibraryList:
    """List the libraries. Their names are values of the ``library`` parameter that every route takes."""

    def work() -> LibraryList:
        return LibraryList(
            libraries=[
                LibrarySummary(name=name, path=display_path(library.path), photos=len(library))
                for name, library in state.libraries.items()
            ],
            default=next(iter(state.libraries)),
            writable=state.writable,
        )

    return await state.in_search_thread(work)


@router.get("/status")
async def get_status(state: State, request: Request) -> ServerStatus:
    """Return the state of a library and what the client may do."""
    manages = "manage" in access_of(request).scopes

    def work() -> ServerStatus:
        return ServerStatus(
            version=sketchseek.__version__,
            name=state.name,
            library=LibraryStatus.model_validate(state.library.status()),
            may=Permissions(open=manages and is_local(request) and can_show(), write=manages and state.writable),
        )

    return await state.in_search_thread(work)


@router.get("/photo-folders")
async def list_photo_folders(
    state: State,
    contains: Annotated[
        str, Query(max_length=4096, description="Only folders whose path contains this text, ignoring case.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of folders.", examples=[20])] = 100,
) -> LibraryFolderList:
    """List folders that hold photos: first those whose own names contain the text."""

    def work() -> LibraryFolderList:
        found = state.library.folders(contains, limit)
        return LibraryFolderList(folders=[LibraryFolder.model_validate(one) for one in found])

    return await state.in_search_thread(work)


@router.get("/failures")
async def list_failures(
    state: State,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Maximum number of failures.", examples=[100])] = 1000,
) -> FailureList:
    """List the files that could not be indexed, each with its reason."""

    def work() -> FailureList:
        found = list(state.library.failures())
        return FailureList(total=len(found), failures=[IndexingFailure.model_validate(one) for one in found[:limit]])

    return await state.in_search_thread(work)
