"""What every request needs, and the threads in which the work is done."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Query
from starlette.requests import Request

from sketchseek.server.background_indexing import Indexer
from sketchseek.server.errors import ApiError
from sketchseek.server.security import Limits
from sketchseek.server.thumbnails import ThumbnailCache

if TYPE_CHECKING:
    from sketchseek.search.library import Library

T = TypeVar("T")


@dataclass(frozen=True)
class ServerState:
    """The server's parts, as one request sees them.

    Searches and thumbnails have threads of their own, so that a page full of thumbnails cannot hold up a search.

    Attributes:
        libraries: Every library by name; the first is searched where none is named.
        name, library: The one that the request is about.
        roots: Folders below which folders may be added; where there are none, libraries are only read.
        indexer: Runs indexing in the background.
    """

    libraries: dict[str, Library]
    name: str
    library: Library
    roots: tuple[Path, ...]
    indexer: Indexer
    thumbnails: ThumbnailCache
    limits: Limits
    search_slots: CapacityLimiter
    picture_threads: ThreadPoolExecutor

    @property
    def writable(self) -> bool:
        """Whether libraries may be changed."""
        return bool(self.roots)

    async def in_search_thread(self, work: Callable[[], T]) -> T:
        """Run a search or another read of the library beside the event loop."""
        return await to_thread.run_sync(work, limiter=self.search_slots)

    async def in_thumbnail_thread(self, work: Callable[[], T]) -> T:
        """Run work on picture files beside the event loop, in threads that give way to searches."""
        return await asyncio.get_running_loop().run_in_executor(self.picture_threads, work)


def picture_threads(count: int) -> ThreadPoolExecutor:
    """Threads for thumbnails: whoever draws on gets the next answer before the photos of the last one are made."""
    return ThreadPoolExecutor(count, thread_name_prefix="pictures", initializer=_give_way)


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere the whole process would give way
        mine = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, mine, max(10, os.getpriority(os.PRIO_PROCESS, mine)))


def server_state(
    request: Request,
    library: Annotated[str | None, Query(description="Name of the library; by default the first.")] = None,
) -> ServerState:
    """The state of the server that a request came to, with the library that it names."""
    state: ServerState = request.app.state.server
    if not library or library == state.name:
        return state
    if library not in state.libraries:
        raise ApiError(
            404, "LibraryNotServed", "This server has no library of that name.", "/api/v1/libraries lists them."
        )
    return replace(state, name=library, library=state.libraries[library])


State = Annotated[ServerState, Depends(server_state)]


def named(libraries: Sequence[Library]) -> dict[str, Library]:
    """Libraries by the names of their folders; equal names are numbered."""
    names: dict[str, Library] = {}
    for library in libraries:
        stem = library.path.resolve().name.encode("utf-8", "replace").decode().removesuffix(".library") or "library"
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem} {number}"
        names[name] = library
    return names
