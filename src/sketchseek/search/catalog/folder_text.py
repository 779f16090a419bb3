"""How a text names folders: as a part of their paths, without case."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable

from sketchseek.search.scan import SEPARATOR


def fold(text: str) -> str:
    """Return a text as it is compared: without case, and with accents in their composed form."""
    return unicodedata.normalize("NFC", text).casefold()


def in_folder_named(text: str) -> Callable[[bytes], bool]:
    """Return a condition for paths: whether the folder's path contains a text. It remembers each folder's answer."""
    wanted = fold(text)
    known: dict[bytes, bool] = {}

    def condition(path: bytes) -> bool:
        folder = path.rpartition(SEPARATOR)[0]
        if folder not in known:
            known[folder] = wanted in fold(os.fsdecode(folder))
        return known[folder]

    return condition
