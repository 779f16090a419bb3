"""What routes need to answer a request: the server's state, its libraries, and threads for blocking work."""

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
from typing import TYPE_CHECKING, Annotated, BinaryIO, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Header, Query
from fastapi import Path as PathParameter
from starlette.requests import Request

from sketchseek.search_times import observed_stages, stage
from sketchseek.server import API_PREFIX
from sketchseek.server.access import TOKEN_HEADER
from sketchseek.server.background_indexing import Indexer
from sketchseek.server.decoding import Decoders
from sketchseek.server.errors import ApiError, busy
from sketchseek.server.metrics import Metrics
from sketchseek.server.security import Limits
from sketchseek.server.thumbnails import ThumbnailCache
from sketchseek.server.uploads import read_upload

if TYPE_CHECKING:
    from PIL import Image

    from sketchseek.search.library import Library
    from sketchseek.search.object_path import PhotoPath
    from sketchseek.search.results import LibraryPhoto

T = TypeVar("T")

PhotoId = Annotated[
    int, PathParameter(ge=1, le=2**63 - 1, description="Id of a photo, from a search result.", examples=[3])
]


@dataclass(frozen=True)
class ServerState:
    """State of the server for one request.

    Searches and thumbnails have separate threads, so that a page full of thumbnails cannot delay a search.

    Attributes:
        libraries: Every library by name; the first is the default.
        name: Name of the library that the request is about.
        library: That library.
        roots: Folders whose subfolders can be added; without roots the server is read-only.
        indexer: Runs indexing in the background.
        thumbnails: The cache of thumbnails.
        limits: Limits on requests.
        token: Token for requests that change something.
        metrics: The server's metrics.
        has_users: Whether users have to log in.
        search_slots: Limits the number of concurrent searches.
        decoders: Decode uploads.
        decode_slots: Limits the number of concurrent decoders.
        thumbnail_threads: Threads for work on picture files.
    """

    libraries: dict[str, Library]
    name: str
    library: Library
    roots: tuple[Path, ...]
    indexer: Indexer
    thumbnails: ThumbnailCache
    limits: Limits
    token: str
    metrics: Metrics
    has_users: bool
    search_slots: CapacityLimiter
    decoders: Decoders
    decode_slots: CapacityLimiter
    thumbnail_threads: ThreadPoolExecutor

    @property
    def writable(self) -> bool:
        """Whether libraries can be changed."""
        return bool(self.roots)

    async def in_search_thread(self, work: Callable[[], T]) -> T:
        """Run a search, or another read of the library, outside the event loop.

        Raises:
            ApiError: 503, too many others wait.
        """

        def observed() -> T:
            with observed_stages(self.metrics.observe_stage):
                return work()

        return await self._in_slot(observed, self.search_slots)

    async def read_upload(self, file: BinaryIO, size: int) -> bytes | Image.Image:
        """Read an uploaded sketch or photo; pictures are decoded to small ones. See ``uploads.read_upload``.

        Raises:
            ApiError: 503, too many others wait.
            InputError: It cannot be read.
        """

        def timed() -> bytes | Image.Image:
            with observed_stages(self.metrics.observe_stage), stage("decode"):
                return read_upload(file, self.decoders, size)

        return await self._in_slot(timed, self.decode_slots)

    async def _in_slot(self, work: Callable[[], T], slots: CapacityLimiter) -> T:
        if slots.statistics().tasks_waiting >= self.limits.waiting:
            raise busy()
        return await to_thread.run_sync(work, limiter=slots)

    async def in_thumbnail_thread(self, work: Callable[[], T]) -> T:
        """Run work on picture files outside the event loop, at a lower priority than searches."""
        return await asyncio.get_running_loop().run_in_executor(self.thumbnail_threads, work)


def thumbnail_threads(count: int) -> ThreadPoolExecutor:
    """Return threads of low priority, so that a new search runs before the thumbnails of the last one."""
    return ThreadPoolExecutor(count, thread_name_prefix="thumbnails", initializer=_lower_priority)


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere this would lower the priority of the whole process
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(10, os.getpriority(os.PRIO_PROCESS, thread)))


def server_state(
    request: Request,
    library: Annotated[str | None, Query(description="Name of the library; by default, the first.")] = None,
) -> ServerState:
    """Return the server's state with the library that a request names."""
    state: ServerState = request.app.state.server
    if not library or library == state.name:
        return state
    if library not in state.libraries:
        raise ApiError(
            404,
            "LibraryNotServed",
            "The server has no library with this name.",
            f"Choose one from {API_PREFIX}/libraries.",
        )
    return replace(state, name=library, library=state.libraries[library])


State = Annotated[ServerState, Depends(server_state)]


ChangeToken = Annotated[
    str,
    Header(
        alias=TOKEN_HEADER,
        description="Token for changes, from getSession. Requests with a bearer token need none.",
    ),
]
"""The token for changes as a parameter, so that the schema has it; ``ChangeCheck`` compares it."""


def require_photo(state: ServerState, photo_id: int) -> LibraryPhoto:
    """Return a photo of the library.

    Raises:
        ApiError: 404, the library has no photo with this id.
    """
    photo = state.library.photo(photo_id)
    if photo is None:
        raise ApiError(404, "PhotoNotFound", f"The library has no photo {photo_id}.", "Search again.")
    return photo


def _name_of(path: PhotoPath) -> str:
    return path.resolve().name if isinstance(path, Path) else path.name


def name_libraries(libraries: Sequence[Library]) -> dict[str, Library]:
    """Return libraries by the names of their folders; duplicate names are numbered."""
    names: dict[str, Library] = {}
    for library in libraries:
        stem = _name_of(library.path).encode("utf-8", "replace").decode().removesuffix(".library") or "library"
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem} {number}"
        names[name] = library
    return names
