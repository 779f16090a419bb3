"""Fails tests that leave a database open, on every version of Python, and says where it was opened.

Python 3.13 warns about such connections, but not where they come from, and earlier versions do not warn.
"""

from __future__ import annotations

import sqlite3
import traceback
import warnings
from typing import Any

_connect = sqlite3.connect


class _Connection(sqlite3.Connection):
    """A connection that remembers where it was opened."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.opened_at: list[traceback.FrameSummary] | None = None
        super().__init__(*arguments, **options)
        self.opened_at = traceback.extract_stack(limit=12)[:-2]

    def close(self) -> None:
        self.opened_at = None
        super().close()

    def __del__(self) -> None:
        if self.opened_at is not None:
            frames = [frame for frame in self.opened_at if "site-packages" not in frame.filename]
            super().close()
            warnings.warn(
                f"unclosed database, opened at\n{''.join(traceback.format_list(frames))}", ResourceWarning, stacklevel=2
            )


def pytest_configure() -> None:
    """Track every connection that is opened from now on."""

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = _connect(*arguments, **{"factory": _Connection} | options)
        return connection

    sqlite3.connect = connect  # type: ignore[assignment]
