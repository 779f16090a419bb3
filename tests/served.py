"""What the tests of the server share: generated pictures, small limits, and a stand-in for npm."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from sketchseek.server.limits import Limits

COUNT = 60
SMALL = Limits(body=200_000, text=5_000, pixels=250_000, points=500, results=100, depth=150)


def picture(number: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A picture like no other: a black disc on a place and of a size that its number gives."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    x, y, r = 12 + number * 7 % 70, 10 + number * 5 % 45, 4 + number % 9
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(number * 4 % 200, 0, 0))
    return image


def as_bytes(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as a file's bytes."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


EMOJI = as_bytes(Image.new("RGBA", (8, 8), "red"), "WEBP")


def write_tarball(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> str:
    """Write a tarball; its integrity."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def fake_npm(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program named npm on the path, and nothing else."""
    folder.mkdir()
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
