"""What a library returns: results, reports and progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sketchseek.search.object_path import PhotoPath


@dataclass(frozen=True)
class PhotoCopy:
    """A further photo of a group of copies."""

    id: int
    path: PhotoPath


@dataclass(frozen=True)
class SearchResult:
    """One photo that was found.

    Attributes:
        rank: 1 for the best.
        path: Path of the photo when it was last seen; an ``ObjectPath`` if it is in object storage.
        score: Cosine similarity, or negative Euclidean distance; higher is better. Of a search with several criteria,
            such as a sketch and words: their fused score, from 0 to 1 (``sketchseek.search.fusion``).
        id: The photo's id in this library, which is never reused.
        parts: Of a search with several criteria: what each contributed to the score, by criterion (``examples``,
            ``text``, ``colors``); the values sum to the score. Empty otherwise.
        copies: Of a search with ``group_copies``: the photo's copies.
        time: Of a video or an animated picture in a library with frames: where the frame that matched best is, in
            seconds from the beginning. None if it is the one by which the file is shown.
    """

    rank: int
    path: PhotoPath
    score: float
    id: int
    parts: Mapping[str, float] = field(default_factory=dict)
    copies: tuple[PhotoCopy, ...] = ()
    time: float | None = None

    def _repr_html_(self) -> str:
        from sketchseek.search.results_html import result_html

        return result_html(self)


class SearchResults(list[SearchResult]):
    """A list of results, best first. Notebooks show them with small copies of the photos."""

    def _repr_html_(self) -> str:
        from sketchseek.search.results_html import results_html

        return results_html(self)


@dataclass(frozen=True)
class LibraryPhoto:
    """A photo in a library.

    Attributes:
        id: Never reused in this library.
        path: Absolute path.
        width, height: In pixels, with the EXIF orientation applied.
        size, mtime_ns: The file's size in bytes and modification time when it was indexed.
        added: When it was indexed, in seconds since 1970.
    """

    id: int
    path: PhotoPath
    width: int
    height: int
    size: int
    mtime_ns: int
    added: float


@dataclass(frozen=True)
class PhotoFolder:
    """A folder that holds photos of a library.

    Attributes:
        path: Absolute path.
        photos: Number of photos in it, without those in its subfolders.
    """

    path: PhotoPath
    photos: int


@dataclass(frozen=True)
class Failure:
    """A file that could not be indexed, or a folder that could not be read."""

    path: PhotoPath
    reason: str


@dataclass(frozen=True)
class IndexReport:
    """What an indexing run did.

    Attributes:
        indexed: Photos added or, where their content changed, replaced.
        failed: Files and folders that could not be read in this run.
        unchanged: Photos that were already in the library.
        removed: Photos whose files were deleted.
        moved: Photos whose files were renamed or moved; they keep their ids.
        skipped: Files that failed before and have not changed since.
        seconds: Wall-clock time.
        unread: Photos, pictures and videos in formats that are not read: their number by suffix, such as ``heic``.
        links: Symbolic links to folders that were not followed.
        missing: Indexed folders that were not there (on a drive that is not connected, for example); their photos stay.
    """

    indexed: int
    failed: int
    unchanged: int
    removed: int
    moved: int
    skipped: int
    seconds: float
    unread: dict[str, int] = field(default_factory=dict)
    links: int = 0
    missing: list[PhotoPath] = field(default_factory=list)


@dataclass(frozen=True)
class IndexProgress:
    """Progress of an indexing run. The counts include only what was committed.

    Attributes:
        stage: ``scan`` (``done`` counts the files found so far, the total is unknown), ``embed``,
            ``describe`` (words and colors are read of photos that lack them, after ``repair``, for example, and of
            sidecars that changed), ``regions`` and ``frames`` (halves of photos, and frames of videos, are
            embedded, if the library has them), or ``index``.
        done: Number of files processed.
        total: Number of files to process.
        indexed, failed, moved: As in ``IndexReport``.
    """

    stage: Literal["scan", "embed", "describe", "regions", "frames", "index"]
    done: int
    total: int
    indexed: int = 0
    failed: int = 0
    moved: int = 0


class ProgressCallback(Protocol):
    """Is called with the progress of an indexing run; an exception that it raises ends the run."""

    def __call__(self, progress: IndexProgress, /) -> object: ...


@dataclass(frozen=True)
class Status:
    """Status of a library.

    Attributes:
        path: The library's folder.
        photos, failures: Their numbers.
        folders: Folders that ``sync`` visits.
        excluded: Files and folders in them that ``remove`` took out.
        model: Name of the model.
        fingerprint: Identity of the embedding space.
        dimensions: Length of an embedding.
        distance: ``cosine`` or ``euclidean``.
        engine: Engine of the index snapshot on disk; empty if there is none.
        pending: Number of changes that the snapshot lacks; searches apply them in memory.
        revision: Catalog revision: number of changes to photos so far.
        bytes: Size of the library's files.
        unread: Files in the folders in formats that are not read: their number by suffix, such as ``heic``.
        exclude: Patterns of files and folders that scans skip, beside the default ones.
        follow_symlinks: Whether scans follow symbolic links to folders.
        hidden: Whether scans look at files and folders whose names begin with a dot.
    """

    path: PhotoPath
    photos: int
    failures: int
    folders: list[PhotoPath]
    excluded: list[PhotoPath]
    model: str
    fingerprint: str
    dimensions: int
    distance: str
    engine: str
    pending: int
    revision: int
    bytes: int
    unread: dict[str, int] = field(default_factory=dict)
    exclude: list[str] = field(default_factory=list)
    follow_symlinks: bool = False
    hidden: bool = False


@dataclass(frozen=True)
class Verification:
    """Result of ``Library.verify``: the checks that ran, and the problems they found."""

    checks: list[str]
    problems: list[str]

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return not self.problems
