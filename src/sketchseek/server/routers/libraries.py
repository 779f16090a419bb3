"""Routes about libraries: which there are, adding folders, keeping up with them, and how far that is."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from sketchseek.server.background_indexing import Indexer
from sketchseek.server.dependencies import ServerState, State
from sketchseek.server.errors import ApiError
from sketchseek.server.routers.photos import shown
from sketchseek.server.schemas import ErrorAnswer, Json

if TYPE_CHECKING:
    from sketchseek.search.library import Library

_ERRORS: dict[int | str, dict[str, Any]] = {code: {"model": ErrorAnswer} for code in (403, 404, 409, 422)}

library_routes = APIRouter(tags=["libraries"], responses=_ERRORS)

_STILL_THERE = 15.0  # seconds after which a silent stream sends a comment, so that a connection that broke is noticed
_MOST_FOLDERS = 1000


class NewFolder(BaseModel):
    """A folder to index."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(min_length=1, max_length=4096, description="Absolute path, below one of the server's roots.")


class Nothing(BaseModel):
    """An empty object: a body of JSON, which other sites' forms cannot send."""

    model_config = ConfigDict(extra="forbid")


@library_routes.get("/libraries")
async def libraries(state: State) -> Json:
    """The libraries that can be searched; each address under /api takes ``?library=`` and a name."""

    def work() -> Json:
        return {
            "libraries": [
                {"name": name, "path": shown(library.path), "photos": len(library)}
                for name, library in state.libraries.items()
            ],
            "default": next(iter(state.libraries)),
            "writable": state.writable,
        }

    return await state.in_search_thread(work)


@library_routes.get("/progress", response_class=StreamingResponse)
async def progress(state: State) -> StreamingResponse:
    """How far indexing is, as server-sent events: the state now, and again after every change, each as JSON."""
    return StreamingResponse(
        _events(state.indexer),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@library_routes.get("/indexing")
async def indexing(state: State) -> Json:
    """How far indexing is, once."""
    return state.indexer.state()


@library_routes.get("/folders")
async def folders(
    state: State,
    below: Annotated[str | None, Query(max_length=4096, description="List the folders in this one.")] = None,
) -> Json:
    """Folders that may be added: the server's roots, or the folders in one at or below them."""

    def work() -> Json:
        if below is None:
            return {"adding": state.writable, "path": None, "folders": [shown(root) for root in state.roots]}
        path = allowed_folder(state, below)
        try:
            with os.scandir(path) as entries:
                found = [
                    shown(entry.path)
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
                ]
        except OSError as error:
            raise ApiError(422, "FolderUnreadable", f"{shown(path)}: {error.strerror}.") from error
        return {"adding": True, "path": shown(path), "folders": sorted(found)[:_MOST_FOLDERS]}

    return await state.in_thumbnail_thread(work)


@library_routes.post("/folders", status_code=202)
async def add_folder(new: NewFolder, state: State) -> Json:
    """Index a folder and keep up with it. It runs in the background; /api/v1/progress tells how far it is."""
    library = state.library
    path = await state.in_thumbnail_thread(lambda: allowed_folder(state, new.folder))
    return state.indexer.start(state.name, "add", shown(path), lambda tell: library.add([path], tell))


@library_routes.post("/sync", status_code=202)
async def sync(nothing: Nothing, state: State) -> Json:
    """Bring the library up to date with its folders, in the background."""
    _check_writable(state)
    library: Library = state.library
    return state.indexer.start(state.name, "sync", None, lambda tell: library.sync(tell))


@library_routes.post("/indexing/stop", status_code=202)
async def stop(nothing: Nothing, state: State) -> Json:
    """End indexing soon; what is done stays, and the next run goes on from there."""
    _check_writable(state)
    state.indexer.stop()
    return state.indexer.state()


def allowed_folder(state: ServerState, text: str) -> Path:
    """The real path of a folder at or below one of the roots.

    Raises:
        ApiError: Folders cannot be added, this one may not be, or there is none. Outside the roots the answer is the
            same whether there is something or not.
    """
    _check_writable(state)
    if not Path(text).is_absolute() or "\0" in text:
        raise ApiError(422, "FolderNotAbsolute", "A folder is named by its whole path.", "Begin it at the root.")
    real = Path(os.path.realpath(text))
    if not any(real.is_relative_to(os.path.realpath(root)) for root in state.roots):
        roots = ", ".join(shown(root) for root in state.roots)
        raise ApiError(
            403, "FolderNotAllowed", "This folder lies outside those that may be added.", f"Choose one in {roots}."
        )
    if not real.is_dir():
        raise ApiError(422, "FolderNotFound", f"{shown(real)}: no such folder.", "Check its spelling.")
    return real


def _check_writable(state: ServerState) -> None:
    if not state.writable:
        raise ApiError(
            403,
            "ReadOnly",
            "This server only searches: it was started without --root.",
            "Start it with sketchseek serve --root FOLDER to add folders in FOLDER and to bring libraries up to date.",
        )


async def _events(indexer: Indexer) -> AsyncIterator[str]:
    states = indexer.states()
    waiting: asyncio.Task[Json] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(states))
            done, _ = await asyncio.wait({waiting}, timeout=_STILL_THERE)
            if not done:
                yield ": still there\n\n"
                continue
            state = waiting.result()
            waiting = None
            yield f"data: {json.dumps(state)}\n\n"
    except StopAsyncIteration:
        return
    finally:
        if waiting is not None:
            waiting.cancel()
