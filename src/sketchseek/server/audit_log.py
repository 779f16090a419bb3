"""The audit log: who changed what, and who logged in, as one line of JSON each.

With a file, each line also has folders. Without one, lines go to the server's log, without folders: they are private.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from starlette.types import Scope

from sketchseek.errors import ConfigError
from sketchseek.server.logs import REQUEST_ID

_log = logging.getLogger(__name__)


class AuditLog:
    """Appends to a file that only its owner can read, or to the server's log.

    Args:
        path: The file; None for the server's log.

    Raises:
        ConfigError: The file cannot be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._file: int | None = None
        if path is not None:
            try:
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            except OSError as error:
                raise ConfigError(f"cannot write the audit log ({error.strerror}).", subject=path) from error

    def record(self, event: str, scope: Scope, *, user: str | None = None, outcome: object, **details: Any) -> None:
        """Record an event.

        Args:
            event: What was done, such as ``addFolder`` or ``login``.
            scope: The ASGI scope of the request.
            user: Who did it; by default, the user of the request.
            outcome: A status code, or a word.
            details: Private details, such as folders; only a file gets them.
        """
        if user is None:
            user = getattr(scope.get("sketchseek.access"), "user", None)
        fields = {
            "event": event,
            "user": user,
            "client": (scope.get("client") or ("",))[0],
            "outcome": outcome,
        }
        if self._file is None:
            _log.info("audit", extra={"fields": fields})
            return
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"time": moment, "request_id": REQUEST_ID.get(), **fields, **details}, default=str) + "\n"
        try:
            with self._lock:
                os.write(self._file, line.encode("ascii"))
        except OSError as error:
            _log.error("The audit log cannot be written: %s.", error.strerror)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
