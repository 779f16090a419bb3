from __future__ import annotations

import contextlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchseek.errors import InputError
from sketchseek.unpack import unpack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def found(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


def test_a_zip_is_unpacked(tmp_path: Path, folder: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"png/cat/1.png": b"one", "png/filelist.txt": b"list", "png/dog/": b""})
    assert unpack(archive, folder, max_bytes=100) == 2
    assert found(folder) == {"png/cat/1.png": b"one", "png/filelist.txt": b"list"}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_is_unpacked_without_links_and_devices(tmp_path: Path, folder: Path, mode: str) -> None:
    link, device = tarfile.TarInfo("a/link"), tarfile.TarInfo("a/null")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    members = [(tarfile.TarInfo("a/1.jpg"), b"one"), (link, b""), (device, b"")]
    assert unpack(tarred(tmp_path / "a.tar", members, mode), folder, max_bytes=100) == 1
    assert found(folder) == {"a/1.jpg": b"one"}


def test_a_link_in_a_zip_is_left_out(tmp_path: Path, folder: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert unpack(tmp_path / "a.zip", folder, max_bytes=100) == 0
    assert found(folder) == {}


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "C:/evil", "..\\evil", "\\evil", "C:\\evil"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_nothing_leaves_the_folder(tmp_path: Path, folder: Path, name: str, kind: str) -> None:
    if kind == "zip":
        archive = zipped(tmp_path / "a.zip", {name: b"x"})
    else:
        archive = tarred(tmp_path / "a.tar", [(tarfile.TarInfo(name), b"x")])
    with pytest.raises(InputError, match="outside the folder"):
        unpack(archive, folder, max_bytes=100)
    assert found(folder) == {}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [archive.name, "out"]


def test_a_bomb_is_refused(tmp_path: Path, folder: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"a": b"\0" * 1_000_000})
    with pytest.raises(InputError, match="more than 1,000 bytes"):
        unpack(archive, folder, max_bytes=1000)


def test_a_name_twice_is_refused(tmp_path: Path, folder: Path) -> None:
    members = [(tarfile.TarInfo("a"), b"1"), (tarfile.TarInfo("a"), b"2")]
    with pytest.raises(InputError, match="twice"):
        unpack(tarred(tmp_path / "a.tar", members), folder, max_bytes=100)


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400), kind=st.sampled_from(["zip", "tar"]))
def test_a_damaged_archive_is_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int, cut: int, kind: str
) -> None:
    place = tmp_path_factory.mktemp("damaged")
    out = place / "out"
    out.mkdir()
    if kind == "zip":
        archive = zipped(place / "a", {"x/1": b"one" * 50, "x/2": b"two"})
    else:
        archive = tarred(place / "a", [(tarfile.TarInfo("x/1"), b"one" * 50), (tarfile.TarInfo("x/2"), b"two")])
    data = bytearray(archive.read_bytes())
    data[at % len(data)] = value
    archive.write_bytes(data[: max(1, len(data) - cut % 50)])
    with contextlib.suppress(InputError):
        unpack(archive, out, max_bytes=10_000)
    assert sorted(entry.name for entry in place.iterdir()) == ["a", "out"]
