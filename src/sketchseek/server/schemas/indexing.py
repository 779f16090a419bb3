"""Request and response bodies of the indexing routes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sketchseek.server.schemas.base import DisplayPath, RequestModel, ResponseModel, with_example
from sketchseek.server.schemas.errors import ErrorDetail


class AddFolderRequest(RequestModel):
    """A folder to index."""

    model_config = with_example({"folder": "/home/ada/Pictures/2024"})

    folder: str = Field(min_length=1, max_length=4096, description="Absolute path at or below a root of the server.")


class EmptyRequest(RequestModel):
    """An empty object. A body of type JSON is required because an HTML form of another site cannot send one."""

    model_config = with_example({})


class FolderList(ResponseModel):
    """Folders that can be added."""

    model_config = with_example({"adding": True, "path": None, "folders": ["/home/ada/Pictures"]})

    adding: bool = Field(description="Whether folders can be added.")
    path: DisplayPath | None = Field(description="The folder whose subfolders are listed; null for the roots.")
    folders: list[DisplayPath]


class IndexingProgress(ResponseModel):
    """Progress of a run. The counts include only work that is stored on disk."""

    stage: Literal["scan", "embed", "describe", "regions", "frames", "index"]
    done: int = Field(description="Files processed.")
    total: int = Field(description="Files to process; during ``scan``, the files found so far.")
    indexed: int = Field(description="Photos added or replaced.")
    failed: int = Field(description="Files and folders that could not be read.")
    moved: int = Field(description="Photos whose files were renamed or moved.")


class IndexingReport(ResponseModel):
    """Outcome of a run."""

    indexed: int = Field(description="Photos added, or replaced because their content changed.")
    failed: int = Field(description="Files and folders that could not be read in this run.")
    unchanged: int = Field(description="Photos that were already in the library.")
    removed: int = Field(description="Photos whose files are gone.")
    moved: int = Field(description="Photos whose files were renamed or moved; they keep their ids.")
    skipped: int = Field(description="Files that failed before and have not changed since.")
    seconds: float = Field(description="Wall-clock time.")
    unread: dict[str, int] = Field(description="Files in formats that are not read: their number by suffix.")
    missing: list[DisplayPath] = Field(description="Indexed folders that were not there; their photos stay.")
    links: int = Field(description="Symbolic links to folders that were not followed.")


class IndexingState(ResponseModel):
    """State of the current or latest indexing run."""

    model_config = with_example(
        {
            "running": True,
            "library": "library",
            "what": "add",
            "folder": "/home/ada/Pictures/2024",
            "progress": {"stage": "embed", "done": 40, "total": 100, "indexed": 39, "failed": 1, "moved": 0},
            "report": None,
            "stopped": False,
            "error": None,
        }
    )

    running: bool = False
    library: str | None = Field(default=None, description="Name of the library; null before the first run.")
    what: Literal["add", "sync"] | None = Field(default=None, description="What the run does: add a folder, or sync.")
    folder: DisplayPath | None = Field(default=None, description="The folder that ``add`` indexes.")
    progress: IndexingProgress | None = Field(default=None, description="Latest progress of the run.")
    report: IndexingReport | None = Field(default=None, description="Outcome, once the run has finished.")
    stopped: bool = Field(default=False, description="Whether the run was stopped by a request.")
    error: ErrorDetail | None = Field(default=None, description="Why the run failed.")
