"""The words by which a photo is found: those of its name, its folders, and what its file says."""

from __future__ import annotations

import os

from sketchseek.photo_metadata import PhotoMetadata, date_words
from sketchseek.search.words import words_of

COLUMNS = ("name", "folder", "caption", "keywords", "camera", "taken", "place")
"""Where words can stand. ``path_words`` gives the first two, ``metadata_words`` the others."""


def path_words(name: str, folder: str) -> tuple[list[str], list[str]]:
    """Return the words of a file's name, without its suffix, and of the folders that count."""
    return words_of(os.path.splitext(name)[0]), words_of(folder)  # noqa: PTH122  a name may be that of an object


def metadata_words(meta: PhotoMetadata) -> list[list[str]]:
    """Return the words of caption, keywords, camera, date and place."""
    return [words_of(text) for text in (meta.caption, meta.keywords, meta.camera, date_words(meta.taken), meta.place)]
