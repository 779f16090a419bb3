"""A file system that ignores case and keeps it, as those of macOS and Windows do: FUSE over a folder.

    python case_insensitive.py BACKING MOUNT

Attributes and names are not cached by the kernel, which would tell names apart by case. ``mounted`` gives a folder on
such a file system to a test, on whatever system it runs.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Yield an empty folder on a file system that ignores case, or skip the test."""
    folder.mkdir()
    (folder / "Case").mkdir()
    if (folder / "cASE").exists():  # macOS, Windows
        (folder / "Case").rmdir()
        yield folder
        return
    backing, mount = folder / "backing", folder / "mount"
    backing.mkdir()
    mount.mkdir()
    if importlib.util.find_spec("mfusepy") is None:
        pytest.skip("needs mfusepy")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("needs /dev/fuse")
    process = subprocess.Popen([sys.executable, __file__, str(backing), str(mount)], stderr=subprocess.PIPE, text=True)
    try:
        while not mount.is_mount():
            if process.poll() is not None:
                pytest.skip(f"FUSE cannot be used here: {process.stderr.read() if process.stderr else ''}")
            time.sleep(0.05)
        yield mount
    finally:
        for command in (["fusermount3", "-u", "-z"], ["fusermount", "-u", "-z"], ["umount", "-l"]):
            with contextlib.suppress(FileNotFoundError):
                if subprocess.run([*command, str(mount)], capture_output=True).returncode == 0:
                    break
        process.terminate()
        process.communicate()


def main(backing: str, mount: str) -> None:
    """Serve a mount until it is unmounted."""
    import mfusepy

    class Insensitive(mfusepy.Operations):  # type: ignore[misc]
        """Passes everything to the backing folder, under the names that it has there."""

        use_ns = True

        def _real(self, path: str) -> Path:
            real = Path(backing)
            for name in path.strip("/").split("/"):
                if name:
                    real /= self._listed(real, name)
            return real

        @staticmethod
        def _listed(folder: Path, name: str) -> str:
            with contextlib.suppress(OSError):
                names = [entry.name for entry in folder.iterdir()]
                if name not in names:
                    return next((other for other in names if other.casefold() == name.casefold()), name)
            return name

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            status = self._real(path).lstat()
            times = {f"st_{kind}time": getattr(status, f"st_{kind}time_ns") for kind in "acm"}
            names = ("ino", "mode", "nlink", "uid", "gid", "size")
            return times | {f"st_{name}": getattr(status, f"st_{name}") for name in names}

        def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
            # An entry without an inode would be taken for a deleted one.
            with os.scandir(self._real(path)) as entries:
                return [
                    (one.name, {"st_ino": one.inode(), "st_mode": one.stat(follow_symlinks=False).st_mode}, 0)
                    for one in entries
                ]

        def rename(self, old: str, new: str) -> int:
            source, target = self._real(old), self._real(new)
            if target.is_file() and not source.samefile(target):
                target.unlink()
            source.rename(target.parent / Path(new).name)
            return 0

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            return os.open(self._real(path), os.O_RDWR | os.O_CREAT, mode)

        def open(self, path: str, flags: int) -> int:
            return os.open(self._real(path), flags & ~os.O_CREAT)

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return os.pread(fh, size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            return os.pwrite(fh, data, offset)

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            os.truncate(self._real(path), length)
            return 0

        def flush(self, path: str, fh: int) -> int:
            return 0

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            os.fsync(fh)
            return 0

        def release(self, path: str, fh: int) -> int:
            os.close(fh)
            return 0

        def mkdir(self, path: str, mode: int) -> int:
            self._real(path).mkdir(mode)
            return 0

        def rmdir(self, path: str) -> int:
            self._real(path).rmdir()
            return 0

        def unlink(self, path: str) -> int:
            self._real(path).unlink()
            return 0

        def chmod(self, path: str, mode: int) -> int:
            self._real(path).chmod(mode)
            return 0

        def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
            os.utime(self._real(path), ns=times or (time.time_ns(), time.time_ns()))
            return 0

        def access(self, path: str, amode: int) -> int:
            real = self._real(path)
            if not os.access(real, amode):
                raise mfusepy.FuseOSError(errno.EACCES if real.exists() else errno.ENOENT)
            return 0

    options = {"attr_timeout": 0, "entry_timeout": 0, "negative_timeout": 0}
    mfusepy.FUSE(Insensitive(), mount, foreground=True, use_ino=True, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
