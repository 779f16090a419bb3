"""Where sketchseek keeps its own files, by the custom of each system."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_data_dir() -> Path:
    """The folder for what this user made or installed: libraries and models. It may not be there yet."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "sketchseek"


def user_cache_dir() -> Path:
    """The folder for what can be made or fetched again: thumbnails and downloads. It may not be there yet."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "sketchseek"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "sketchseek" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "sketchseek"
