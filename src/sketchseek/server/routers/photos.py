"""Routes about photos and the library. Photos are named by their id; no request can name a path."""

from __future__ import annotations

import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from starlette.requests import Request
from starlette.responses import FileResponse, Response

import sketchseek
from sketchseek.errors import ImageError
from sketchseek.images import read_header
from sketchseek.server.dependencies import ServerState, State
from sketchseek.server.errors import ApiError
from sketchseek.server.file_manager import can_show, is_local, show_in_folder
from sketchseek.server.schemas import ErrorAnswer, Json
from sketchseek.server.thumbnails import MEDIA_TYPE, SIZES

if TYPE_CHECKING:
    from sketchseek.search.results import LibraryPhoto

_ERRORS: dict[int | str, dict[str, Any]] = {code: {"model": ErrorAnswer} for code in (404, 422)}

photo_routes = APIRouter(tags=["photos"], responses=_ERRORS)

PhotoId = Annotated[int, PathParameter(ge=1, le=2**63 - 1, description="A photo's id, from a result.")]

# An address holds an id, and a photo behind an id may change: browsers ask again after this time, by ETag.
_FRESH = "private, max-age=60"

_DATED = 250_000_000_000 * 10**9  # in nanoseconds: about the years before 9892, which every platform can tell


def shown(path: str | Path) -> str:
    """A path as text; bytes that are no UTF-8, which Linux allows in names, become replacement characters."""
    return os.fsencode(path).decode("utf-8", "replace")


@photo_routes.get("/photos/{photo_id}")
async def photo(photo_id: PhotoId, state: State) -> Json:
    """What the library knows of a photo."""
    return await state.in_search_thread(lambda: _describe(state, photo_id))


@photo_routes.get("/photos/{photo_id}/thumbnail", response_class=Response)
async def thumbnail(
    photo_id: PhotoId,
    state: State,
    request: Request,
    size: Annotated[int, Query(description=f"Longest side in pixels: one of {SIZES}.")] = 320,
) -> Response:
    """A small copy of a photo, turned upright; WebP."""
    if size not in SIZES:
        choices = ", ".join(map(str, SIZES))
        raise ApiError(422, "SizeNotOffered", f"No thumbnails of size {size}.", f"Ask for one of {choices}.")
    path = await state.in_search_thread(lambda: _path(state, photo_id))
    known = request.headers.get("if-none-match", "")

    def work() -> Response:
        if f'"{state.thumbnails.tag(path, size)}"' in known:
            return Response(status_code=304, headers={"ETag": known, "Cache-Control": _FRESH})
        made = state.thumbnails.get(path, size)
        headers = {"ETag": f'"{made.tag}"', "Cache-Control": _FRESH}
        return Response(made.data, media_type=MEDIA_TYPE, headers=headers)

    try:
        return await state.in_thumbnail_thread(work)
    except OSError as error:
        raise _gone(path) from error


@photo_routes.get("/photos/{photo_id}/file", response_class=FileResponse)
async def original(
    photo_id: PhotoId,
    state: State,
    download: Annotated[bool, Query(description="Have the browser save it instead of showing it.")] = False,
) -> Response:
    """The photo's own file, if it still is a picture."""
    path = await state.in_search_thread(lambda: _path(state, photo_id))
    media_type = await state.in_thumbnail_thread(lambda: _media_type(path))
    return FileResponse(
        path,
        media_type=media_type,
        filename=shown(path.name),
        content_disposition_type="attachment" if download else "inline",
        headers={"Cache-Control": _FRESH, "Content-Security-Policy": "default-src 'none'; sandbox"},
    )


@photo_routes.post("/photos/{photo_id}/open")
async def open_folder(photo_id: PhotoId, state: State, request: Request) -> Json:
    """Show a photo's folder in the file manager of the server's machine: for browsers on that machine only."""
    if not is_local(request):
        raise ApiError(
            403,
            "NotThisMachine",
            "Only a browser on the server's own machine can have folders opened there.",
            "Copy the path, or download the photo.",
        )
    path = await state.in_search_thread(lambda: _path(state, photo_id))
    await state.in_thumbnail_thread(lambda: show_in_folder(path))
    return {"opened": shown(path.parent)}


@photo_routes.get("/status")
async def status(state: State, request: Request) -> Json:
    """What the library holds, and what this browser may do."""

    def work() -> Json:
        return {
            "version": sketchseek.__version__,
            "name": state.name,
            "library": plain(state.library.status()),
            "may": {"open": is_local(request) and can_show(), "write": state.writable},
        }

    return await state.in_search_thread(work)


@photo_routes.get("/failures")
async def failures(
    state: State,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Json:
    """Files that could not be indexed, each with its reason."""

    def work() -> Json:
        found = list(state.library.failures())
        return {"total": len(found), "failures": [plain(one) for one in found[:limit]]}

    return await state.in_search_thread(work)


def plain(value: Any) -> Any:
    """Dataclasses, tuples and paths as what JSON has."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, Path):
        return shown(value)
    return value


def _describe(state: ServerState, photo_id: int) -> Json:
    found = known_photo(state, photo_id)
    date = datetime.fromtimestamp(found.mtime_ns // 10**9, UTC) if abs(found.mtime_ns) < _DATED else None
    return {
        **plain(found),
        "name": shown(found.path.name),
        "folder": shown(found.path.parent),
        "date": None if date is None else date.isoformat(),
        "missing": not found.path.is_file(),
    }


def known_photo(state: ServerState, photo_id: int) -> LibraryPhoto:
    """A photo of the library.

    Raises:
        ApiError: 404, where it has none with this id.
    """
    found = state.library.photo(photo_id)
    if found is None:
        raise ApiError(404, "PhotoNotFound", f"The library has no photo {photo_id}.", "Search again.")
    return found


def _path(state: ServerState, photo_id: int) -> Path:
    return known_photo(state, photo_id).path


def _media_type(path: Path) -> str:
    """The type that a picture's bytes show; its name is not believed."""
    if not path.is_file():  # gone, or become something that blocks when it is opened
        raise _gone(path)
    try:
        return read_header(path).media_type
    except ImageError as error:
        raise ImageError(f"no longer a picture ({error.reason.rstrip('.')}).", subject=shown(path)) from error


def _gone(path: Path) -> ApiError:
    return ApiError(
        404,
        "PhotoFileMissing",
        f"{shown(path)}: the file is gone or cannot be read.",
        "Put it back, or run `sketchseek sync` to bring the library up to date.",
    )
