"""The server's log: text or JSON on standard error, rate-limited, without private paths at level INFO and above.

Messages at INFO are one line for each request (``request_log.py``) and for each change (``audit_log.py``).
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Identity of the request that is being answered; empty elsewhere."""

LOGGERS = ("sketchseek", "uvicorn", "asyncio")

_BURST = 5
_SECONDS = 10.0


class RateLimit(logging.Filter):
    """Lets only a few messages of each kind through in ten seconds, and then says how many were left out.

    An attack must not fill the disk. A kind is a logger with its message before values are filled in.
    """

    def __init__(self, *, burst: int = _BURST, seconds: float = _SECONDS) -> None:
        super().__init__()
        self._burst = burst
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str], list[float]] = {}  # start of the period, messages in it

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a message is written."""
        if record.levelno < logging.WARNING:
            return True
        kind, now = (record.name, str(record.msg)), time.monotonic()
        with self._lock:
            if len(self._kinds) > 1000:  # messages with values in them
                self._kinds.clear()
            start, count = self._kinds.get(kind, [now, 0])
            left_out = 0
            if now - start > self._seconds:
                left_out, start, count = max(0, int(count) - self._burst), now, 0
            self._kinds[kind] = [start, count + 1]
        if count >= self._burst:
            return False
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out:,} such messages were left out.)"
            record.args = ()
        return True


class JsonFormatter(logging.Formatter):
    """Formats a message as one line of JSON: time, level, logger, message, request id, and the fields of ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := REQUEST_ID.get():
            line["request_id"] = request
        line.update(_fields(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Formats a message for people: level, message, and the fields of ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text."""
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        text = f"{record.levelname.capitalize()}: {record.getMessage()}{fields}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(*, as_json: bool, level: int = logging.WARNING) -> None:
    """Write the server's log to standard error.

    Args:
        as_json: Write JSON lines, from level INFO on; else text, from ``level`` on.
        level: Lowest level of text.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    handler.addFilter(RateLimit())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(min(level, logging.INFO) if as_json and name == "sketchseek" else level)


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields = getattr(record, "fields", {})
    return fields if isinstance(fields, Mapping) else {}
