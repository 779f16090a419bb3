"""What every request needs, and the threads in which the work is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Query
from starlette.requests import Request

from sketchseek.server.errors import ApiError
from sketchseek.server.indexing import Indexer
from sketchseek.server.limits import Limits
from sketchseek.server.thumbnails import ThumbnailCache

if TYPE_CHECKING:
    from sketchseek.search.library import Library

T = TypeVar("T")


@dataclass(frozen=True)
class ServerState:
    """The server's parts, as one request sees them.

    Searches and thumbnails wait for slots of their own, so that a page full of thumbnails cannot hold up a search.

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
    thumbnail_slots: CapacityLimiter

    @property
    def writable(self) -> bool:
        """Whether libraries may be changed."""
        return bool(self.roots)

    async def in_search_thread(self, work: Callable[[], T]) -> T:
        """Run a search or another read of the library beside the event loop."""
        return await to_thread.run_sync(work, limiter=self.search_slots)

    async def in_thumbnail_thread(self, work: Callable[[], T]) -> T:
        """Run work on picture files beside the event loop."""
        return await to_thread.run_sync(work, limiter=self.thumbnail_slots)


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
            404, "LibraryNotServed", "This server has no library of that name.", "/api/libraries lists them."
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
