"""What a library answers with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class SearchResult:
    """One photo that was found.

    Attributes:
        rank: 1 for the best.
        path: Where the photo was when it was last seen.
        score: Higher is better: the cosine, or minus the distance.
        id: The photo's id in this library; never given to another photo.
    """

    rank: int
    path: Path
    score: float
    id: int


@dataclass(frozen=True)
class Photo:
    """A photo in the catalog: its size in pixels as it is seen, and its file's size and time when it was indexed."""

    id: int
    path: Path
    width: int
    height: int
    size: int
    mtime_ns: int
    added: float


@dataclass(frozen=True)
class Failure:
    """A file that could not be indexed, or a folder that could not be read."""

    path: Path
    reason: str


@dataclass(frozen=True)
class IndexReport:
    """What an indexing run did.

    Attributes:
        indexed: Photos added or, where their content changed, replaced.
        failed: Files and folders that could not be read in this run.
        unchanged: Photos that were in the library already.
        removed: Photos whose files are gone.
        moved: Photos whose files were renamed or moved; they keep their ids.
        skipped: Files that failed before and have not changed since.
        seconds: Wall-clock time.
    """

    indexed: int
    failed: int
    unchanged: int
    removed: int
    moved: int
    skipped: int
    seconds: float


@dataclass(frozen=True)
class IndexProgress:
    """How far an indexing run is; the counts are of what is safe on disk.

    Attributes:
        stage: ``scan`` (total is not known yet: files found so far), ``embed``, or ``index``.
        done: Files dealt with.
        total: Files to deal with.
        indexed, failed, moved: As in ``IndexReport``.
    """

    stage: Literal["scan", "embed", "index"]
    done: int
    total: int
    indexed: int = 0
    failed: int = 0
    moved: int = 0


@dataclass(frozen=True)
class Status:
    """A library at a glance.

    Attributes:
        path: The library's folder.
        photos, failures: How many.
        folders: Those that ``sync`` visits.
        excluded: Files and folders below them that ``remove`` took out.
        model: Name of the package.
        fingerprint: Identity of its embedding space.
        embedding: Length of a vector.
        distance: ``cosine`` or ``euclidean``.
        engine: Of the index on disk; empty where there is none.
        pending: Changes that the index on disk does not have yet; searches see them all the same.
        bytes: Size of the library's files.
    """

    path: Path
    photos: int
    failures: int
    folders: list[Path]
    excluded: list[Path]
    model: str
    fingerprint: str
    embedding: int
    distance: str
    engine: str
    pending: int
    bytes: int


@dataclass(frozen=True)
class Verification:
    """The outcome of ``Library.verify``: the checks that were made, and what is wrong, empty where nothing is."""

    checks: list[str]
    problems: list[str]

    @property
    def ok(self) -> bool:
        return not self.problems
