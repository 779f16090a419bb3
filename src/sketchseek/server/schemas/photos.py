"""Response bodies of the photo routes."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from sketchseek.server.schemas.base import EXAMPLE_PHOTO, DisplayPath, ResponseModel, with_example


class PhotoDetails(ResponseModel):
    """What the library knows about a photo."""

    model_config = with_example(
        {
            "id": 3,
            "path": EXAMPLE_PHOTO,
            "name": "cat.jpg",
            "folder": "/home/ada/Pictures/2024",
            "width": 4032,
            "height": 3024,
            "size": 2_400_000,
            "mtime_ns": 1_714_521_600_000_000_000,
            "added": 1_714_525_200.5,
            "date": "2024-05-01T00:00:00Z",
            "missing": False,
        }
    )

    id: int
    path: DisplayPath
    name: DisplayPath = Field(description="File name.")
    folder: DisplayPath = Field(description="Folder that contains the file.")
    width: int = Field(description="Width in pixels after EXIF rotation.")
    height: int = Field(description="Height in pixels after EXIF rotation.")
    size: int = Field(description="File size in bytes when the photo was indexed.")
    mtime_ns: int = Field(description="File time in nanoseconds since 1970 when the photo was indexed.")
    added: float = Field(description="When the photo was indexed, in seconds since 1970.")
    date: datetime | None = Field(description="File time as ISO 8601; null if it is out of range.")
    missing: bool = Field(description="Whether the file is gone.")


class PhotoSummary(ResponseModel):
    """A photo in a list."""

    id: int
    path: DisplayPath
    name: DisplayPath = Field(description="File name.")
    width: int = Field(description="Width in pixels after EXIF rotation.")
    height: int = Field(description="Height in pixels after EXIF rotation.")
    date: datetime | None = Field(description="File time as ISO 8601; null if it is out of range.")


class PhotoList(ResponseModel):
    """One page of a library's photos."""

    model_config = with_example(
        {
            "photos": [
                {
                    "id": 3,
                    "path": EXAMPLE_PHOTO,
                    "name": "cat.jpg",
                    "width": 4032,
                    "height": 3024,
                    "date": "2024-05-01T00:00:00Z",
                }
            ],
            "offset": 0,
            "total": 1,
        }
    )

    photos: list[PhotoSummary]
    offset: int = Field(description="Number of photos skipped.")
    total: int = Field(description="Number of photos that the filter allows.")


class OpenedFolder(ResponseModel):
    """The folder that the file manager shows."""

    model_config = with_example({"opened": "/home/ada/Pictures/2024"})

    opened: DisplayPath
