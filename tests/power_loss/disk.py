"""A disk that forgets what was not synced: replays a recording up to any operation, and loses power there.

What survives depends on the file system. Four models bound it:

- ``synced``: only what was synced, contents and names. The least that POSIX promises.
- ``names``: all names, but contents only as they were last synced: files may be empty or old.
- ``torn``: all names; of each unsynced write a random part, in blocks of 512 bytes.
- ``all``: everything, as after ``kill -9``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MODELS = ("synced", "names", "torn", "all")
_BLOCK = 512


@dataclass
class File:
    """A file: its content now, when it was last synced, and the writes since."""

    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    writes: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass
class Folder:
    """A folder: its names now, and when it was last synced."""

    now: dict[str, File | Folder] = field(default_factory=dict)
    synced: dict[str, File | Folder] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One record of ``recorder.c``."""

    what: str
    path: str
    other: str
    offset: int
    data: bytes


def read_recording(log: Path) -> Iterator[Operation]:
    """Yield the operations of a recording."""
    with log.open("rb") as file:
        while line := file.readline():
            what, path, other, offset, length = line.decode().rstrip("\n").split("\t")
            yield Operation(what, path, other, int(offset), file.read(int(length)))


class Disk:
    """The files below a folder.

    Args:
        root: The folder, which is on the disk from the start.
        before: A copy of what it held, synced, when the recording began.
    """

    def __init__(self, root: Path, before: Path | None = None) -> None:
        self._root = str(root)
        self._top = Folder() if before is None else _load(before)

    def apply(self, operation: Operation) -> None:
        """Do what was recorded."""
        if operation.path.endswith(" (deleted)"):
            return
        folder, name = self._parent(operation.path)
        node = folder.now.get(name) if name else folder
        if operation.what in ("create", "truncate-open", "write", "whole"):
            if not isinstance(node, File):
                node = folder.now[name] = File()
            if operation.what in ("truncate-open", "whole"):
                node.now.clear()
            if operation.what in ("write", "whole"):
                self._write(node, operation.offset, operation.data)
        elif operation.what == "truncate" and isinstance(node, File):
            del node.now[operation.offset :]
            node.now.extend(bytes(operation.offset - len(node.now)))
        elif operation.what == "sync" and isinstance(node, File):
            node.synced = bytes(node.now)
            node.writes.clear()
        elif operation.what == "sync" and isinstance(node, Folder):
            node.synced = dict(node.now)
        elif operation.what == "mkdir":
            folder.now[name] = Folder()
        elif operation.what == "unlink":
            folder.now.pop(name, None)
        elif operation.what == "rename" and node is not None:
            target, target_name = self._parent(operation.other)
            del folder.now[name]
            target.now[target_name] = node

    def content(self, path: Path) -> bytes:
        """Return the content of a file that was never lost: it is a witness, not part of the experiment."""
        folder, name = self._parent(str(path))
        node = folder.now.get(name)
        return bytes(node.now) if isinstance(node, File) else b""

    def after_power_loss(self, model: str, target: Path, seed: int = 0) -> None:
        """Write what survives into a folder."""
        self._save(self._top, model, target, random.Random(seed))

    def _save(self, folder: Folder, model: str, target: Path, rng: random.Random) -> None:
        target.mkdir(exist_ok=True)
        for name, node in (folder.synced if model == "synced" else folder.now).items():
            if isinstance(node, Folder):
                self._save(node, model, target / name, rng)
            elif not name.endswith("-shm"):  # SQLite writes it through mapped memory, and never reads it after a crash
                (target / name).write_bytes(self._survives(node, model, rng))

    @staticmethod
    def _survives(file: File, model: str, rng: random.Random) -> bytes:
        if model == "all":
            return bytes(file.now)
        content = bytearray(file.synced)
        if model == "torn":
            for offset, data in file.writes:
                for start in range(0, len(data), _BLOCK):
                    if rng.random() < 0.5:
                        part = data[start : start + _BLOCK]
                        end = offset + start + len(part)
                        content.extend(bytes(max(0, end - len(content))))
                        content[offset + start : end] = part
        return bytes(content)

    @staticmethod
    def _write(file: File, offset: int, data: bytes) -> None:
        file.now.extend(bytes(max(0, offset + len(data) - len(file.now))))
        file.now[offset : offset + len(data)] = data
        file.writes.append((offset, data))

    def _parent(self, path: str) -> tuple[Folder, str]:
        parts = [part for part in path[len(self._root) :].split("/") if part]
        folder = self._top
        for part in parts[:-1]:
            below = folder.now.setdefault(part, Folder())
            assert isinstance(below, Folder)
            folder = below
        return folder, parts[-1] if parts else ""


def _load(folder: Path) -> Folder:
    """Return a folder on disk as it is, all of it synced."""
    loaded = Folder()
    for path in folder.iterdir():
        loaded.now[path.name] = _load(path) if path.is_dir() else File(bytearray(path.read_bytes()), path.read_bytes())
    loaded.synced = dict(loaded.now)
    return loaded
