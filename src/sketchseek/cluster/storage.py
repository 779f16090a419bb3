"""Reading object storage and local files by one kind of path.

Credentials come from the platform's standard chain: environment variables, web identity, the container's or the
machine's role. They are never part of a path, so none reaches a catalog, a log or an error.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sketchseek.errors import InputError, SketchseekError, StorageError
from sketchseek.search.object_path import is_uri
from sketchseek.search.scan import file_time

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az", "file")
MAX_BYTES = 1 << 30
"""Larger files and objects are not read as photos."""

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Found:
    """A photo's file or object.

    Attributes:
        path: Absolute path, or URI.
        size: In bytes.
        mtime_ns: Modification time in nanoseconds since 1970.
        version: The object's ETag; empty for a file, whose size and time tell a change; see ``members.Member``.
        source: The shards, Parquet files or list that the library has it from; empty for a photo of a folder.
        block: Photos that are read together have the same; empty if it does not matter.
    """

    path: str
    size: int
    mtime_ns: int
    version: str = ""
    source: str = ""
    block: str = ""


def normalized(path: str | os.PathLike[str]) -> str:
    """Return an absolute path, or a URI without a slash at its end. ``file:`` URIs become paths.

    Raises:
        InputError: The URI has an unknown scheme, no bucket, or credentials in it.
    """
    text = os.fspath(path)
    if not is_uri(text):
        return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111  as the local library has it
    parts = urlsplit(text)
    if "@" in parts.netloc:
        raise InputError(
            "a URI must not have credentials in it.",
            subject=f"{parts.scheme}://...@{parts.netloc.rpartition('@')[2]}{parts.path}",
            remedy="Use the platform's standard environment variables, files or roles.",
        )
    if parts.scheme not in SCHEMES:
        raise InputError(f"unknown scheme {parts.scheme!r}.", subject=text, remedy=f"Use one of: {', '.join(SCHEMES)}.")
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise InputError("not a file of this machine.", subject=text, remedy="Use file:///path.")
        return text.partition("://")[2].removeprefix("localhost").rstrip("/") or "/"
    if not parts.netloc:
        raise InputError("the URI names no bucket.", subject=text, remedy=f"Use {parts.scheme}://bucket/path.")
    return text.rstrip("/")


def split(uri: str) -> tuple[str, str]:
    """Split a URI into its bucket, such as ``s3://bucket``, and its key."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key


@lru_cache(maxsize=32)
def bucket_store(bucket: str) -> ObjectStore:
    """Return the client of a bucket, such as ``s3://photos``."""
    from obstore.store import from_url

    return from_url(bucket, retry_config={"max_retries": 6, "retry_timeout": timedelta(seconds=30)})


@contextmanager
def storage_errors(subject: str) -> Iterator[None]:
    """Convert what a client of object storage raises to a StorageError."""
    try:
        yield
    except Exception as error:
        if isinstance(error, SketchseekError):
            raise
        raised = StorageError(
            f"{_reason(error)}.",
            subject=subject,
            remedy="Check the name, the network and the credentials of the environment.",
        )
        raised.refused = type(error).__name__ in _REFUSED
        raise raised from None  # the client's message may quote a signed request


_REFUSED = ("PermissionError", "PermissionDeniedError")


_NO_ACCOUNT = "AZURE_STORAGE_ACCOUNT_NAME is not set"
_NO_CREDENTIALS = "the environment has no credentials for it"
_SIGNS = {
    "Account must be specified": _NO_ACCOUNT,
    "no storage account configured": _NO_ACCOUNT,
    "Failed to resolve region": "AWS_REGION is not set, and the bucket's region cannot be found",
    # What is asked, after all else, for the credentials of a machine's role.
    "metadata.google.internal": _NO_CREDENTIALS,
    "latest/api/token": _NO_CREDENTIALS,
    "169.254.169.254": _NO_CREDENTIALS,
    "token request": _NO_CREDENTIALS,
    "get AWS credentials": _NO_CREDENTIALS,
}
"""What happened by a part of the client's message."""


def _reason(error: Exception) -> str:
    """Return what happened, in words that cannot have a credential in them."""
    known = {
        "FileNotFoundError": "there is no such object or bucket",
        "UnauthenticatedError": "the storage does not accept the credentials",
    } | dict.fromkeys(_REFUSED, "the storage refuses access")
    for sign, reason in _SIGNS.items():
        if sign in str(error):
            return reason
    return known.get(type(error).__name__, f"the storage cannot be used ({type(error).__name__})")


def list_objects(uri: str) -> Iterator[Found]:
    """Yield every object below a URI, or the object itself, with its ETag.

    Raises:
        StorageError: The bucket cannot be listed.
    """
    import obstore

    bucket, key = split(uri)
    with storage_errors(uri):
        store = bucket_store(bucket)
        for chunk in obstore.list(store, prefix=key or None):
            for one in chunk:
                yield _found(f"{bucket}/{one['path']}", dict(one))
        if key and "." in key.rpartition("/")[2]:
            try:
                found = _found(uri, dict(obstore.head(store, key)))
            except FileNotFoundError:
                return
            yield found


def list_folder(uri: str) -> list[Found]:
    """Return the objects right below a URI, without those in folders.

    Raises:
        StorageError: The bucket cannot be listed.
    """
    import obstore

    bucket, key = split(uri)
    with storage_errors(uri):
        listed = obstore.list_with_delimiter(bucket_store(bucket), prefix=key or None)
        return [_found(f"{bucket}/{one['path']}", dict(one)) for one in listed["objects"]]


def head(path: str) -> Found:
    """Return what a file or an object is now.

    Raises:
        FileNotFoundError: It is not there.
        OSError: A file cannot be read.
        StorageError: The storage does not answer, or refuses access.
    """
    if not is_uri(path):
        status = Path(path).stat()
        return Found(path, status.st_size, file_time(status))
    import obstore

    bucket, key = split(path)
    with storage_errors(path):
        try:
            return _found(path, dict(obstore.head(bucket_store(bucket), key)))
        except FileNotFoundError:
            gone = True  # raised below, as it is: it is no error of the storage
    assert gone
    raise FileNotFoundError(path)


def _found(path: str, meta: dict[str, Any]) -> Found:
    seconds = meta["last_modified"].timestamp()
    return Found(path, int(meta["size"]), int(seconds * 1000) * 1_000_000, meta["e_tag"] or str(meta["version"] or ""))


def read(path: str) -> tuple[bytes, Found]:
    """Read a file or an object, and return what it was when it was read.

    Raises:
        FileNotFoundError: It is gone.
        InputError: It is no regular file, or larger than ``MAX_BYTES``.
        OSError: A file cannot be read.
        StorageError: An object cannot be read.
    """
    return _read_object(path) if is_uri(path) else _read_file(Path(path))


def _read_object(uri: str) -> tuple[bytes, Found]:
    import obstore

    bucket, key = split(uri)
    with storage_errors(uri):
        try:
            got = obstore.get(bucket_store(bucket), key)
            found = _found(uri, dict(got.meta))
            _check_size(found)
            return bytes(got.bytes()), found
        except FileNotFoundError:
            gone = True  # raised below, as it is: it is no error of the storage
    assert gone
    raise FileNotFoundError(uri)


def _read_file(path: Path) -> tuple[bytes, Found]:
    # O_NONBLOCK: do not hang on a pipe that replaced a photo since the scan.
    with os.fdopen(os.open(path, _READ), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file", subject=path)
        found = Found(str(path), status.st_size, file_time(status))
        _check_size(found)
        return file.read(), found


def _check_size(found: Found) -> None:
    if found.size > MAX_BYTES:
        raise InputError(f"it has {found.size:,} bytes; the maximum is {MAX_BYTES:,}", subject=found.path)
