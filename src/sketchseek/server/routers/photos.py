"""Photos of a library: lists, details, thumbnails and files. A request names a photo by id, never by path."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from sketchseek.errors import ImageError
from sketchseek.images import read_header
from sketchseek.search.browse import Order
from sketchseek.search.object_path import PhotoPath
from sketchseek.search.results import LibraryPhoto
from sketchseek.server.archive import StoredPhoto, zip_stream
from sketchseek.server.dependencies import ChangeToken, PhotoId, ServerState, State, require_photo
from sketchseek.server.errors import ApiError
from sketchseek.server.file_manager import is_local, show_in_folder
from sketchseek.server.paging import page_arguments, page_from_query
from sketchseek.server.schemas.base import display_path
from sketchseek.server.schemas.errors import error_responses
from sketchseek.server.schemas.photos import OpenedFolder, PhotoDetails, PhotoList, PhotoSummary
from sketchseek.server.schemas.search import PageRequest
from sketchseek.server.thumbnails import MEDIA_TYPE, SIZES

router = APIRouter(prefix="/photos", tags=["photos"], responses=error_responses(404, 422))

# The photo behind an id can change, so browsers revalidate by ETag after this time.
_REVALIDATE = "private, max-age=60"

# Until about the year 9892, which every platform can represent.
_LATEST_NS = 250_000_000_000 * 10**9

_BINARY = {"schema": {"type": "string", "format": "binary"}}

MAX_ARCHIVED = 500
"""Maximum number of photos in one archive."""


@router.get("")
async def list_photos(
    state: State,
    page: Annotated[PageRequest, Depends(page_from_query)],
    order: Annotated[Order, Query(description="``newest`` or ``oldest`` file time first, or by ``path``.")] = "newest",
) -> PhotoList:
    """List photos without a query."""
    arguments = page_arguments(state, page)

    def work() -> PhotoList:
        return PhotoList(
            photos=[_summary(photo) for photo in state.library.browse(order, **arguments)],
            offset=page.offset,
            total=min(state.library.count(arguments["filter"]), state.limits.depth),
        )

    return await state.in_search_thread(work)


@router.get(
    "/archive",
    response_class=StreamingResponse,
    responses={200: {"description": "The archive.", "content": {"application/zip": _BINARY}}},
)
async def get_photo_archive(
    state: State,
    ids: Annotated[
        str,
        Query(
            pattern=r"^\d{1,18}(,\d{1,18})*$",
            max_length=19 * MAX_ARCHIVED,
            description=f"Ids of at most {MAX_ARCHIVED} photos, separated by commas.",
            examples=["3,5"],
        ),
    ],
) -> Response:
    """Return the files of several photos as a ZIP archive. Files that cannot be read are listed in it."""
    chosen = dict.fromkeys(int(one) for one in ids.split(","))
    if len(chosen) > MAX_ARCHIVED:
        raise ApiError(
            422,
            "TooManyPhotos",
            f"The request asks for {len(chosen)} photos; the limit is {MAX_ARCHIVED}.",
            "Download them in several archives.",
        )

    def work() -> tuple[list[Path | StoredPhoto], list[str]]:
        readable: list[Path | StoredPhoto] = []
        missing: list[str] = []
        for photo_id in chosen:
            photo = require_photo(state, photo_id)
            try:
                path = _readable(state, photo_id)[1]
                if path is None:
                    readable.append(StoredPhoto(photo.path, partial(state.library.photo_bytes, photo_id)))
                else:
                    _media_type(path)
                    readable.append(path)
            except (ApiError, ImageError):
                missing.append(display_path(photo.path))
        return readable, missing

    readable, missing = await state.in_search_thread(work)
    return StreamingResponse(
        zip_stream(readable, missing),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="photos.zip"', "Cache-Control": "no-store"},
    )


@router.get("/{photo_id}")
async def get_photo(photo_id: PhotoId, state: State) -> PhotoDetails:
    """Return what the library knows about a photo."""
    return await state.in_search_thread(lambda: _details(state, photo_id))


@router.get(
    "/{photo_id}/thumbnail",
    response_class=Response,
    responses={200: {"description": "The thumbnail.", "content": {MEDIA_TYPE: _BINARY}}},
)
async def get_thumbnail(
    photo_id: PhotoId,
    state: State,
    request: Request,
    size: Annotated[int, Query(description=f"Longest side in pixels: one of {SIZES}.", examples=[320])] = 320,
) -> Response:
    """Return a small copy of a photo as WebP, rotated as EXIF says."""
    if size not in SIZES:
        choices = ", ".join(map(str, SIZES))
        raise ApiError(422, "SizeNotOffered", f"There are no thumbnails of size {size}.", f"Ask for one of {choices}.")
    photo, path = await state.in_search_thread(lambda: _readable(state, photo_id))
    known = request.headers.get("if-none-match", "")

    def work() -> Response:
        cache = state.thumbnails
        tag = cache.tag_of(photo, size) if path is None else cache.tag(path, size)
        if f'"{tag}"' in known:
            return Response(status_code=304, headers={"ETag": known, "Cache-Control": _REVALIDATE})
        if path is None:
            made = cache.get_object(photo, size, lambda: state.library.photo_bytes(photo_id))
        else:
            made = cache.get(path, size)
        headers = {"ETag": f'"{made.tag}"', "Cache-Control": _REVALIDATE}
        return Response(made.data, media_type=MEDIA_TYPE, headers=headers)

    try:
        return await state.in_thumbnail_thread(work)
    except OSError as error:
        raise _file_missing(photo.path) from error


@router.get(
    "/{photo_id}/file",
    response_class=FileResponse,
    responses={200: {"description": "The file, with its own media type.", "content": {"image/*": _BINARY}}},
)
async def get_photo_file(
    photo_id: PhotoId,
    state: State,
    download: Annotated[bool, Query(description="Make the browser save the file instead of showing it.")] = False,
) -> Response:
    """Return the photo's file if it still is a picture."""
    photo, path = await state.in_search_thread(lambda: _readable(state, photo_id))
    headers = {"Cache-Control": _REVALIDATE, "Content-Security-Policy": "default-src 'none'; sandbox"}
    disposition: Literal["attachment", "inline"] = "attachment" if download else "inline"
    if path is None:
        data = await state.in_thumbnail_thread(lambda: state.library.photo_bytes(photo_id))
        headers["Content-Disposition"] = f"{disposition}; filename*=utf-8''{quote(display_path(photo.path.name))}"
        return Response(data, media_type=_media_type_of(photo.path, data), headers=headers)
    media_type = await state.in_thumbnail_thread(lambda: _media_type(path))
    return FileResponse(
        path,
        media_type=media_type,
        filename=display_path(path.name),
        content_disposition_type=disposition,
        headers=headers,
    )


@router.post("/{photo_id}/open", responses=error_responses(403, 409))
async def open_photo_folder(photo_id: PhotoId, state: State, request: Request, token: ChangeToken = "") -> OpenedFolder:
    """Show a photo's folder in the file manager of the server's machine. Only clients on that machine may ask."""
    if not is_local(request):
        raise ApiError(
            403,
            "NotThisMachine",
            "Only a browser on the server's machine can open folders.",
            "Copy the path, or download the photo.",
        )
    path = await state.in_search_thread(lambda: require_photo(state, photo_id).path)
    if not isinstance(path, Path):
        raise ApiError(409, "NotAFile", "The photo is in object storage, not in a folder.", "Download it.")
    await state.in_thumbnail_thread(lambda: show_in_folder(path))
    return OpenedFolder(opened=display_path(path.parent))


def _readable(state: ServerState, photo_id: int) -> tuple[LibraryPhoto, Path | None]:
    """Return a photo whose file may be read, and the file's path; None if the photo is in object storage.

    Raises:
        ApiError: 404, the library has no such photo, or its path leads out of the server's roots by now. Who can write
            to a root could replace photos by links to any other file.
    """
    photo = require_photo(state, photo_id)
    path = photo.path
    if not isinstance(path, Path):
        return photo, None
    roots = [Path(os.path.realpath(root)) for root in state.roots]
    if any(map(path.is_relative_to, [*roots, *state.roots])):
        real = Path(os.path.realpath(path))
        if not any(map(real.is_relative_to, roots)):
            raise _file_missing(path)
    return photo, path


def _summary(photo: LibraryPhoto) -> PhotoSummary:
    return PhotoSummary(
        id=photo.id,
        path=display_path(photo.path),
        name=display_path(photo.path.name),
        width=photo.width,
        height=photo.height,
        date=_date_of(photo),
    )


def _date_of(photo: LibraryPhoto) -> datetime | None:
    dated = abs(photo.mtime_ns) < _LATEST_NS
    return datetime.fromtimestamp(photo.mtime_ns // 10**9, UTC) if dated else None


def _details(state: ServerState, photo_id: int) -> PhotoDetails:
    photo = require_photo(state, photo_id)
    return PhotoDetails(
        id=photo.id,
        path=display_path(photo.path),
        name=display_path(photo.path.name),
        folder=display_path(photo.path.parent),
        width=photo.width,
        height=photo.height,
        size=photo.size,
        mtime_ns=photo.mtime_ns,
        added=photo.added,
        date=_date_of(photo),
        # What is in object storage is asked for when it is read.
        missing=isinstance(photo.path, Path) and not photo.path.is_file(),
    )


def _media_type(path: Path) -> str:
    """Return the media type of a picture, from its content rather than its name."""
    if not path.is_file():  # deleted, or replaced by something that blocks when it is opened
        raise _file_missing(path)
    return _media_type_of(path, path)


def _media_type_of(path: PhotoPath, source: Path | bytes) -> str:
    try:
        return read_header(source).media_type
    except ImageError as error:
        raise ImageError(f"the file is no longer a picture ({error.message}).", subject=display_path(path)) from error


def _file_missing(path: PhotoPath) -> ApiError:
    return ApiError(
        404,
        "PhotoFileMissing",
        f"Cannot read {display_path(path)}: the file is gone or unreadable.",
        'Restore it, or run "sketchseek sync" to update the library.',
    )
