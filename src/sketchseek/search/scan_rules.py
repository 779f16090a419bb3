"""Which files and folders a scan skips: patterns in the syntax of .gitignore, and symbolic links to folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sketchseek.errors import InputError

if TYPE_CHECKING:
    import pathspec

DEFAULT_EXCLUDE = (
    "@eaDir/",
    "@Recycle/",
    r"\#recycle/",
    r"\#snapshot/",
    "$RECYCLE.BIN/",
    "System Volume Information/",
    "lost+found/",
    "node_modules/",
    "__pycache__/",
    "[Tt]humbnails/",
    "[Tt]humbs/",
    "*.lrdata/",
)
"""Folders that programs, not people, fill with pictures. A pattern such as ``!node_modules/`` brings one back."""

IGNORE_FILE = ".sketchseekignore"
"""Name of the files with further patterns; they apply to the folder that they are in and everything below it."""

_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class ScanRules:
    """What a library's scans skip.

    Attributes:
        exclude: Patterns in the syntax of .gitignore, relative to each indexed folder. They come after
            ``DEFAULT_EXCLUDE``; of several patterns that match, the last decides.
        follow_symlinks: Whether symbolic links to folders are followed.
        hidden: Whether files and folders whose names begin with a dot are looked at.

    Raises:
        InputError: A pattern is invalid.
    """

    exclude: tuple[str, ...] = ()
    follow_symlinks: bool = False
    hidden: bool = False

    def __post_init__(self) -> None:
        for pattern in self.exclude:
            compile_patterns([pattern])

    def updated(
        self, exclude: Iterable[str] | None = None, follow_symlinks: bool | None = None, hidden: bool | None = None
    ) -> ScanRules:
        """Return the rules with other values; None keeps a value. Empty patterns are left out.

        Raises:
            InputError: A pattern is invalid.
        """
        return ScanRules(
            self.exclude if exclude is None else tuple(pattern for pattern in exclude if pattern),
            self.follow_symlinks if follow_symlinks is None else follow_symlinks,
            self.hidden if hidden is None else hidden,
        )


@dataclass(frozen=True)
class IgnoreRules:
    """The patterns that apply in a folder: those of the library, and those of each ignore file on the way down to it.

    Attributes:
        base: The folder that the patterns are relative to.
        patterns: The compiled patterns.
        folders_only: Whether no pattern can match a file.
        outer: The rules of the folder above, which decide where these match nothing.
    """

    base: bytes
    patterns: pathspec.GitIgnoreSpec
    folders_only: bool
    outer: IgnoreRules | None = None

    @staticmethod
    def of(folder: bytes, rules: ScanRules) -> IgnoreRules:
        """Return the rules of an indexed folder."""
        return IgnoreRules(folder, compile_patterns((*DEFAULT_EXCLUDE, *rules.exclude)), not rules.exclude)

    def with_file(self, folder: bytes) -> IgnoreRules:
        """Return the rules inside a folder, which may have an ignore file.

        Raises:
            InputError: The ignore file has an invalid pattern, or is too large.
            OSError: It cannot be read.
        """
        try:
            with open(os.path.join(folder, os.fsencode(IGNORE_FILE)), "rb") as file:  # noqa: PTH118, PTH123  on bytes
                data = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return self
        if len(data) > _MAX_BYTES:
            raise InputError(f"the file has more than {_MAX_BYTES:,} bytes")
        lines = data.decode("utf-8", "surrogateescape").splitlines()
        return IgnoreRules(folder, compile_patterns(tuple(lines)), folders_only=False, outer=self)

    def ignores(self, path: bytes, *, is_folder: bool) -> bool:
        """Return whether a path below ``base`` is skipped."""
        rules: IgnoreRules | None = self
        while rules is not None:
            if is_folder or not rules.folders_only:
                name = os.fsdecode(path[len(rules.base.rstrip(b"/")) + 1 :]).replace(os.sep, "/")
                matched = rules.patterns.check_file(name + "/" if is_folder else name).include
                if matched is not None:
                    return matched
            rules = rules.outer
        return False


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> pathspec.GitIgnoreSpec:
    import pathspec  # takes 10 ms, and a search needs no patterns

    return pathspec.GitIgnoreSpec.from_lines(patterns)


def compile_patterns(patterns: Sequence[str]) -> pathspec.GitIgnoreSpec:
    """Compile patterns in the syntax of .gitignore.

    Raises:
        InputError: One is invalid.
    """
    try:
        return _compiled(tuple(patterns))
    except (ValueError, TypeError) as error:
        raise InputError(f"not a valid pattern ({error}).", remedy="Use the syntax of .gitignore.") from error
