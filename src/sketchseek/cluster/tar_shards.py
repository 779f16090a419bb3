"""Photos in tar files, as WebDataset has them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

from sketchseek.cluster.members import NEIGHBORS, ContainerFile, Member, read_range, version_of
from sketchseek.cluster.storage import MAX_BYTES, Found
from sketchseek.errors import InputError
from sketchseek.images.formats import has_picture_suffix

BUFFER = 1 << 20
"""Bytes that are read at once to list a tar: small members come with their neighbors, large ones are skipped."""


def list_tar(container: Found) -> Iterator[Found]:
    """Yield the photos in an uncompressed tar. Of those with one name, the last counts, as when it is unpacked.

    Raises:
        FileNotFoundError: It is gone.
        InputError: It is no tar, or damaged. The photos before the damage are yielded first.
        OSError, StorageError: It cannot be read.
    """
    found: dict[str, tarfile.TarInfo] = {}
    damage = ""
    with io.BufferedReader(ContainerFile(container), BUFFER) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    if not member.isreg() or member.issparse() or not has_picture_suffix(member.name):
                        continue
                    if member.offset_data + member.size > container.size:
                        raise tarfile.ReadError("it ends in the middle of a photo")
                    found[member.name.removeprefix("./")] = member
                end = tar.offset
            file.seek(end)
            if any(file.read(tarfile.BLOCKSIZE) or b"x"):  # a tar ends with zeros
                raise tarfile.ReadError("it has no end")
        except tarfile.TarError as error:
            damage = str(error)
    for number, (name, member) in enumerate(found.items()):
        place = (member.offset_data, member.size)
        yield Found(
            f"{container.path}/{name}",
            member.size,
            int(member.mtime) * 10**9 or container.mtime_ns,
            Member("tar", len(container.path), place, len(found), version_of(container)).text(),
            block=f"{container.path} {number // NEIGHBORS}",
        )
    if damage:
        raise InputError(f"it is no uncompressed tar file, or damaged ({damage})", subject=container.path)


def read_tar_member(path: str, member: Member) -> bytes:
    """Read a photo of a tar. See ``embedding.read``."""
    offset, size = member.position
    if size > MAX_BYTES:
        raise InputError(f"it has {size:,} bytes; the maximum is {MAX_BYTES:,}", subject=path)
    return read_range(path[: member.prefix], offset, size, member.version)
