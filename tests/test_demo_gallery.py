from __future__ import annotations

from pathlib import Path

import pytest

from served import EMOJI, fake_npm, write_tarball
from sketchseek import demo_gallery
from sketchseek.demo_gallery import PACKAGE, SHA512, VERSION, integrity, prepare_gallery, readable_name, unpack
from sketchseek.errors import DatasetError


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("1f431", "cat-face"),
        ("1f408", "cat"),
        ("1f408-200d-2b1b", "black-cat"),
        ("2602-fe0f", "umbrella"),
        ("1f468-200d-1f33e", "man-and-ear-of-rice"),
        ("1f46e-200d-2640-fe0f", "woman-police-officer"),
        ("1face", "moose"),
        ("1f9d1-200d-1f9b0", "adult-and-red-hair"),
        ("1f559", "clock-face-ten-oclock"),
    ],
)
def test_emoji_have_readable_names(code: str, name: str) -> None:
    assert readable_name(code) == name


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("1f44b-1f3fd", "skin tone"),
        ("1f1e6-1f1e8", "flag"),
        ("1f3f3-fe0f-200d-1f308", "rainbow flag"),
        ("1f3f4-200d-2620-fe0f", "pirate flag"),
        ("1f3c1", "chequered flag"),
        ("0023-fe0f-20e3", "keycap"),
        ("1f51f", "keycap ten"),
        ("1f170-fe0f", "letter"),
        ("1f21a", "Japanese button"),
        ("3297-fe0f", "Japanese button"),
        ("00a9-fe0f", "copyright"),
        ("2757", "exclamation mark"),
        ("27a1-fe0f", "arrow"),
        ("1f519", "BACK"),
        ("1f4af", "hundred points"),
        ("2640-fe0f", "gender sign"),
        ("2650", "zodiac"),
        ("1f550", "another clock face"),
        ("fe0f", "nothing to see"),
        ("e0067", "tag"),
    ],
)
def test_variants_flags_and_lettering_are_left_out(code: str, what: str) -> None:
    assert readable_name(code) is None, what


def test_only_wanted_plain_files_are_unpacked(tmp_path: Path) -> None:
    write_tarball(
        tmp_path / "a.tgz",
        {
            "package/package.json": b"{}",
            "package/assets/1f431.webp": EMOJI,
            "package/assets/1f436.webp": EMOJI,
            "package/assets/2602-fe0f.webp": EMOJI,
            "package/assets/2602.webp": b"the same under another code",
            "package/assets/1f1e6-1f1e8.webp": EMOJI,
            "package/assets/../../../1f434.webp": EMOJI,
            "/package/assets/1f437.webp": EMOJI,
            "other/assets/1f438.webp": EMOJI,
            "package/assets/1f43b.webp": b"x" * 2_000_000,
            "package/assets/1f434.webp\n": EMOJI,
        },
        {"package/assets/1f43a.webp": "/etc/passwd"},
    )
    assert unpack(tmp_path / "a.tgz", tmp_path / "out") == 3
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "cat-face.webp",
        "dog-face.webp",
        "umbrella.webp",
    ]
    assert (tmp_path / "out" / "umbrella.webp").read_bytes() == EMOJI
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.tgz", "out"]


@pytest.mark.parametrize("content", [b"", b"no tarball", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_tarball_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tgz").write_bytes(content)
    with pytest.raises(DatasetError, match=r"a\.tgz"):
        unpack(tmp_path / "a.tgz", tmp_path / "out")


def test_npm_is_asked_once_for_the_exact_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source.tgz"
    sha512 = write_tarball(source, {"package/assets/1f431.webp": EMOJI})
    fake_npm(tmp_path / "bin", monkeypatch, f'echo "$@" >> {tmp_path}/calls; cp {source} some-name.tgz')
    said: list[str] = []
    for _ in range(2):
        pictures = prepare_gallery(tmp_path / "gallery", sha512=sha512, say=said.append)
        assert [file.name for file in pictures.iterdir()] == ["cat-face.webp"]
    assert (tmp_path / "calls").read_text() == f"pack {PACKAGE}@{VERSION} --ignore-scripts --silent\n"
    assert len(said) == 1
    assert "MIT" in said[0]


def test_another_tarball_is_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source.tgz"
    found = write_tarball(source, {"package/assets/1f431.webp": EMOJI})
    fake_npm(tmp_path / "bin", monkeypatch, f"cp {source} a.tgz")
    with pytest.raises(DatasetError, match="SHA-512") as caught:
        prepare_gallery(tmp_path / "gallery")
    assert found in str(caught.value)
    assert SHA512 in str(caught.value)
    assert list((tmp_path / "gallery").iterdir()) == []


@pytest.mark.parametrize(
    "script", ["echo 'network is down' >&2; exit 7", "exit 0", "cp /bin/sh a.tgz; cp /bin/sh b.tgz"]
)
def test_npm_s_failures_are_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    fake_npm(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(DatasetError, match="npm could not fetch") as caught:
        prepare_gallery(tmp_path / "gallery")
    assert ("network is down" in str(caught.value)) == ("network" in script)
    assert "sketchseek demo PHOTOS" in str(caught.value)


def test_without_npm_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatasetError, match=r"Install Node\.js"):
        prepare_gallery(tmp_path / "gallery")


def test_a_half_fetched_tarball_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source.tgz"
    sha512 = write_tarball(source, {"package/assets/1f431.webp": EMOJI})
    fake_npm(tmp_path / "bin", monkeypatch, f"cp {source} a.tgz")
    tarball = tmp_path / "gallery" / f"lobehub-fluent-emoji-3d-{VERSION}.tgz"
    tarball.parent.mkdir()
    tarball.write_bytes(source.read_bytes()[:50])
    prepare_gallery(tmp_path / "gallery", sha512=sha512)
    assert integrity(tarball) == sha512


def test_an_unpacking_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source.tgz"
    sha512 = write_tarball(source, {"package/assets/1f431.webp": EMOJI})
    fake_npm(tmp_path / "bin", monkeypatch, f"cp {source} a.tgz")

    def full(tarball: Path, folder: Path) -> int:
        unpack(tarball, folder)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(demo_gallery, "unpack", full)
    with pytest.raises(OSError, match="No space"):
        prepare_gallery(tmp_path / "gallery", sha512=sha512)
    assert [entry.name for entry in (tmp_path / "gallery").iterdir()] == [f"lobehub-fluent-emoji-3d-{VERSION}.tgz"]
