"""Response bodies about the served libraries."""

from __future__ import annotations

from pydantic import Field

from sketchseek.server.schemas.base import DisplayPath, ResponseModel, with_example

_LIBRARY = "/home/ada/.local/share/sketchseek/library"


class LibrarySummary(ResponseModel):
    """One library of the server."""

    name: str = Field(description="Name for the ``library`` parameter of other routes.")
    path: DisplayPath
    photos: int = Field(description="Number of photos.")


class LibraryList(ResponseModel):
    """The libraries of the server."""

    model_config = with_example(
        {
            "libraries": [{"name": "library", "path": _LIBRARY, "photos": 1200}],
            "default": "library",
            "writable": False,
        }
    )

    libraries: list[LibrarySummary]
    default: str = Field(description="Name of the library that a request without ``library`` uses.")
    writable: bool = Field(description="Whether folders can be added and synced.")


class LibraryStatus(ResponseModel):
    """State of a library."""

    path: DisplayPath
    photos: int = Field(description="Number of photos.")
    failures: int = Field(description="Number of files that could not be indexed.")
    folders: list[DisplayPath] = Field(description="Folders that a sync scans.")
    excluded: list[DisplayPath] = Field(description="Files and folders in them that were removed from the library.")
    model: str = Field(description="Name of the model package.")
    fingerprint: str = Field(description="Identity of the model's embedding space.")
    dimensions: int = Field(description="Length of an embedding.")
    distance: str = Field(description="``cosine`` or ``euclidean``.")
    engine: str = Field(description="Engine of the index on disk; empty if there is no index.")
    pending: int = Field(description="Changes that the index on disk does not contain yet; searches include them.")
    bytes: int = Field(description="Size of the library's files.")
    unread: dict[str, int] = Field(description="Files in formats that are not read: their number by suffix.")
    exclude: list[str] = Field(description="Patterns of files and folders that scans skip, beside the default ones.")
    follow_symlinks: bool = Field(description="Whether scans follow symbolic links to folders.")
    hidden: bool = Field(description="Whether scans look at files and folders whose names begin with a dot.")


class LibraryFolder(ResponseModel):
    """A folder that holds photos."""

    path: DisplayPath
    photos: int = Field(description="Number of photos in it, without those in its subfolders.")


class LibraryFolderList(ResponseModel):
    """Folders that hold photos of a library."""

    model_config = with_example({"folders": [{"path": "/home/ada/Pictures/2024", "photos": 240}]})

    folders: list[LibraryFolder]


class Permissions(ResponseModel):
    """What the client that asks may do."""

    open: bool = Field(description="Show a photo's folder in the file manager of the server's machine.")
    write: bool = Field(description="Add folders and sync.")


class ServerStatus(ResponseModel):
    """State of the server and of one library."""

    model_config = with_example(
        {
            "version": "0.1.0",
            "name": "library",
            "library": {
                "path": _LIBRARY,
                "photos": 1200,
                "failures": 1,
                "folders": ["/home/ada/Pictures"],
                "excluded": [],
                "model": "small",
                "fingerprint": "6e1f0c6b9d0a4c55",
                "dimensions": 256,
                "distance": "cosine",
                "engine": "flat",
                "pending": 0,
                "bytes": 2_000_000,
                "unread": {"heic": 3},
                "exclude": ["screenshots/"],
                "follow_symlinks": False,
                "hidden": False,
            },
            "may": {"open": True, "write": False},
        }
    )

    version: str = Field(description="Version of sketchseek.")
    name: str = Field(description="Name of the library.")
    library: LibraryStatus
    may: Permissions


class IndexingFailure(ResponseModel):
    """A file that could not be indexed, or a folder that could not be read."""

    path: DisplayPath
    reason: str


class FailureList(ResponseModel):
    """Files that could not be indexed."""

    model_config = with_example(
        {
            "total": 1,
            "failures": [{"path": "/home/ada/Pictures/broken.jpg", "reason": "the file is truncated"}],
        }
    )

    total: int = Field(description="Number of failures, including those beyond ``limit``.")
    failures: list[IndexingFailure]
