"""Folders for sketchseek's own files, as each platform expects them."""

from __future__ import annotations

from pathlib import Path


def user_data_dir() -> Path:
    """Return the folder for libraries and installed models. It may not exist yet."""
    import platformdirs  # takes 7 ms, which --help needs not wait for

    return platformdirs.user_data_path("sketchseek", appauthor=False)


def user_cache_dir() -> Path:
    """Return the folder for thumbnails and downloads, which can be recreated. It may not exist yet."""
    import platformdirs

    return platformdirs.user_cache_path("sketchseek", appauthor=False)
