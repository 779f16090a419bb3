"""Indexing from the browser: choose folders, add them, sync, and follow the progress."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import StreamingResponse

from sketchseek.server.background_indexing import Indexer
from sketchseek.server.dependencies import ChangeToken, ServerState, State
from sketchseek.server.errors import ApiError, busy
from sketchseek.server.schemas.base import display_path
from sketchseek.server.schemas.errors import error_responses
from sketchseek.server.schemas.indexing import AddFolderRequest, EmptyRequest, FolderList, IndexingState

router = APIRouter(tags=["indexing"], responses=error_responses(403, 404, 409, 422))

_KEEP_ALIVE = 15.0  # seconds of silence after which a stream sends a comment, so that a broken connection is noticed
_MAX_FOLDERS = 1000


@router.get(
    "/progress",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events; the data of each is an IndexingState as JSON.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def stream_progress(state: State) -> StreamingResponse:
    """Stream the state of indexing as server-sent events: once now, and again after every change."""
    if state.indexer.listeners >= state.limits.streams:
        raise busy()
    return StreamingResponse(
        event_stream(state.indexer),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get("/indexing")
async def get_indexing(state: State) -> IndexingState:
    """Return the state of indexing."""
    return state.indexer.state()


@router.get("/folders")
async def list_folders(
    state: State,
    below: Annotated[
        str | None, Query(max_length=4096, description="Folder whose subfolders to list; by default, list the roots.")
    ] = None,
) -> FolderList:
    """List folders that can be added: the server's roots, or the subfolders of one folder."""

    def work() -> FolderList:
        if below is None:
            return FolderList(adding=state.writable, path=None, folders=[display_path(root) for root in state.roots])
        path = allowed_folder(state, below)
        try:
            with os.scandir(path) as entries:
                found = [
                    display_path(entry.path)
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
                ]
        except OSError as error:
            raise ApiError(422, "FolderUnreadable", f"Cannot read {display_path(path)}: {error.strerror}.") from error
        return FolderList(adding=True, path=display_path(path), folders=sorted(found)[:_MAX_FOLDERS])

    return await state.in_thumbnail_thread(work)


@router.post("/folders", status_code=202)
async def add_folder(new: AddFolderRequest, state: State, request: Request, token: ChangeToken = "") -> IndexingState:
    """Index a folder in the background and add it to the folders that a sync scans. Follow it with streamProgress."""
    library = state.library
    request.scope["sketchseek.details"] = {"library": state.name, "folder": new.folder}  # for the audit log
    path = await state.in_thumbnail_thread(lambda: allowed_folder(state, new.folder))
    return state.indexer.start(
        state.name, "add", display_path(path), lambda on_progress: library.add([path], on_progress, within=state.roots)
    )


@router.post("/sync", status_code=202)
async def sync_library(body: EmptyRequest, state: State, token: ChangeToken = "") -> IndexingState:
    """Bring the library up to date with its folders, in the background."""
    _require_writable(state)
    library = state.library
    # Folders that were added without the server may lie elsewhere. One below a root may have become a link meanwhile.
    roots = [Path(os.path.realpath(root)) for root in state.roots]
    others = [folder for folder in library.status().folders if not any(folder.is_relative_to(root) for root in roots)]
    within = [*roots, *others]
    return state.indexer.start(state.name, "sync", None, lambda on_progress: library.sync(on_progress, within=within))


@router.post("/indexing/stop", status_code=202)
async def stop_indexing(body: EmptyRequest, state: State, token: ChangeToken = "") -> IndexingState:
    """Stop indexing. Finished work is kept, and the next run continues from there."""
    _require_writable(state)
    state.indexer.stop()
    return state.indexer.state()


def allowed_folder(state: ServerState, text: str) -> Path:
    """Return the real path of a folder at or below one of the roots.

    Raises:
        ApiError: The server is read-only, the folder is not allowed, or it does not exist. Outside the roots, the
            error does not reveal whether the folder exists.
    """
    _require_writable(state)
    if not Path(text).is_absolute() or "\0" in text:
        raise ApiError(422, "FolderNotAbsolute", "The folder is not an absolute path.", "Send the full path.")
    real = Path(os.path.realpath(text))
    if not any(real.is_relative_to(os.path.realpath(root)) for root in state.roots):
        roots = ", ".join(display_path(root) for root in state.roots)
        raise ApiError(
            403, "FolderNotAllowed", "The folder is outside the folders that can be added.", f"Choose one in {roots}."
        )
    if not real.is_dir():
        raise ApiError(422, "FolderNotFound", f"Cannot find the folder {display_path(real)}.", "Check its spelling.")
    return real


def _require_writable(state: ServerState) -> None:
    if not state.writable:
        raise ApiError(
            403,
            "ReadOnly",
            "The server is read-only: it was started without --root.",
            'Run "sketchseek serve --root FOLDER" to add folders in FOLDER and to sync libraries.',
        )


async def event_stream(indexer: Indexer) -> AsyncIterator[str]:
    """Yield the states of indexing as server-sent events until the server stops."""
    states = indexer.states()
    pending: asyncio.Task[IndexingState] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(states))
            done, _ = await asyncio.wait({pending}, timeout=_KEEP_ALIVE)
            if not done:
                yield ": keep-alive\n\n"
                continue
            state = pending.result()
            pending = None
            yield f"data: {state.model_dump_json()}\n\n"
    except StopAsyncIteration:
        return
    finally:
        if pending is not None:
            pending.cancel()
