"""Reading a photo by its row: from its file or object, or from the container that it is in."""

from __future__ import annotations

from sketchseek.cluster.members import Member
from sketchseek.cluster.parquet_files import read_parquet_member
from sketchseek.cluster.storage import read
from sketchseek.cluster.tar_shards import read_tar_member


def read_member(path: str, member: Member) -> bytes:
    """Read a photo from its container.

    Raises:
        FileNotFoundError: The container is gone.
        InputError: The photo is too large, or there is none.
        OSError, StorageError: The container cannot be read, or has changed.
    """
    return (read_tar_member if member.kind == "tar" else read_parquet_member)(path, member)


def read_photo(path: str, version: str | None) -> bytes:
    """Read a photo whose row has this path and version. See ``storage.read`` and ``read_member``."""
    member = Member.parse(version)
    return read(path)[0] if member is None else read_member(path, member)
