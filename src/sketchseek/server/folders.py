"""Where the server keeps what can be made again, by the custom of each system."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The folder for thumbnails and downloads of this user. It may not be there yet."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "sketchseek"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "sketchseek" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "sketchseek"
