"""Downloads that continue where an interruption ended them. Only https is fetched, or http from this machine."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sketchseek.atomic_write import atomic_write
from sketchseek.errors import DownloadError
from sketchseek.progress import Progress, ignore_progress

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_CHUNK = 1 << 20
_TRIES = 4
_MOST_TRIES = 50
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_FAILURES = (OSError, http.client.HTTPException)


def require_https(address: str) -> None:
    """Refuse addresses that are neither https nor http on this machine.

    Raises:
        ValueError: It is such an address.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("only https is fetched")


class SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to addresses that could have been named in the first place."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> Any:
        require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(
    address: str,
    file: Path,
    *,
    limit: int,
    progress: Progress = ignore_progress,
    stage: str = "download",
    timeout: float = 60.0,
    pause: float = 1.0,
) -> None:
    """Download a file. Nothing of that name exists until it is complete.

    What was downloaded before an interruption stays in ``<file>.partial``, and the next call continues it if the server
    supports ranges and says that the file is the same. A connection that breaks is tried again.

    Args:
        address: An ``https://`` address.
        file: Where to store it; replaced if it exists.
        limit: Maximum number of bytes.
        progress: Called with the stage, the bytes done and the total (0 if unknown).
        stage: Name of the stage.
        timeout: Seconds to wait for the server.
        pause: Seconds before the second try; doubled before each further one.

    Raises:
        DownloadError: The address is refused, the server has no such file, it sends more than ``limit``, or the
            connection breaks again and again.
        OSError: The file cannot be written.
    """
    partial = file.with_name(f"{file.name}.partial")
    failed = 0
    for _ in range(_MOST_TRIES):
        before = _size(partial)
        try:
            _fetch(address, partial, limit, progress, stage, timeout)
        except _FAILURES as error:
            if isinstance(error, OSError) and not _is_network(error):
                raise
            failed = 1 if _size(partial) > before else failed + 1
            if failed >= _TRIES or (isinstance(error, urllib.error.HTTPError) and error.code < 500):
                raise DownloadError(
                    f"cannot be downloaded ({error}).",
                    subject=address,
                    remedy="Check the connection and run the command again: it continues where it stopped.",
                ) from error
            time.sleep(pause * 2 ** (failed - 1))
        except ValueError as error:
            raise DownloadError(f"cannot be downloaded ({error}).", subject=address) from error
        else:
            partial.replace(file)
            with suppress(OSError):
                _stamp(partial).unlink()
            return
    raise DownloadError("the connection breaks again and again.", subject=address, remedy="Try again later.")


def discard_partial(file: Path) -> None:
    """Delete what an interrupted download of this file left."""
    partial = file.with_name(f"{file.name}.partial")
    for path in (partial, _stamp(partial)):
        path.unlink(missing_ok=True)


def _is_network(error: OSError) -> bool:
    """Whether it is the connection, not the disk."""
    return isinstance(error, (urllib.error.URLError, ConnectionError, TimeoutError, ssl.SSLError))


def _fetch(address: str, partial: Path, limit: int, progress: Progress, stage: str, timeout: float) -> None:
    require_https(address)
    validator = _validator(partial, address)
    start = _size(partial) if validator else 0
    request = urllib.request.Request(address, headers={"User-Agent": "sketchseek"})
    if start:
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", validator)
    try:
        answer = urllib.request.build_opener(SafeRedirects).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 416 or not start:
                raise
            if error.headers.get("Content-Range") == f"bytes */{start}":  # complete already
                return
        partial.unlink()
        raise ConnectionError("the server has another file now") from error
    with answer:
        start, total = _place(answer, start)
        if total > limit:
            raise ValueError(f"it has {total:,} bytes, more than the cap of {limit:,}")
        _write_stamp(partial, address, answer.headers)
        _append(answer, partial, start, total, limit, lambda done: progress(stage, done, total))


def _append(answer: Any, partial: Path, start: int, total: int, limit: int, progress: Callable[[int], object]) -> None:
    done = start
    with partial.open("ab" if start else "wb") as writer:
        while chunk := answer.read(_CHUNK):
            done += len(chunk)
            if done > limit:
                raise ValueError(f"more than the cap of {limit:,} bytes")
            writer.write(chunk)
            progress(done)
    if total and done != total:
        raise ConnectionError(f"the connection ended after {done:,} of {total:,} bytes")


def _place(answer: Any, start: int) -> tuple[int, int]:
    """Where the answer's bytes belong, and how many there are in all (0 if unknown)."""
    length = answer.headers.get("Content-Length") or ""
    if answer.status != 206:
        return 0, int(length) if length.isdecimal() else 0
    found = _RANGE.fullmatch(answer.headers.get("Content-Range") or "")
    if not found or int(found[1]) != start:
        raise ConnectionError("the server sent another range than asked for")
    return start, int(found[2]) if found[2] != "*" else 0


def _stamp(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _write_stamp(partial: Path, address: str, headers: Any) -> None:
    """Store how to ask whether the server's file is still the same."""
    etag = headers.get("ETag") or ""
    validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified") or ""
    atomic_write(_stamp(partial), json.dumps({"address": address, "validator": validator}), durable=False)


def _validator(partial: Path, address: str) -> str:
    try:
        stamp = json.loads(_stamp(partial).read_text(encoding="utf-8"))
        return str(stamp["validator"]) if stamp["address"] == address else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
