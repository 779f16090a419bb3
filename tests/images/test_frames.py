"""Frames of videos and animated pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from picture_scene import scene
from sketchseek.errors import ImageError
from sketchseek.images import frames
from sketchseek.images.frames import FRAMES, may_have_frames, read_frames
from video_files import video

COLORS = [(20 * number, 90, 200 - 10 * number) for number in range(12)]


def pictures(count: int = 12) -> list[Image.Image]:
    made = []
    for number in range(count):
        picture = scene(96, 64).copy()
        picture.paste(COLORS[number], (10, 10, 60, 50))
        made.append(picture)
    return made


def animation(kind: str, shown: list[Image.Image], duration: int = 200) -> bytes:
    file = io.BytesIO()
    shown[0].save(file, kind, save_all=True, append_images=shown[1:], duration=duration)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_frames_of_an_animation_are_spread_over_it(kind: str, tmp_path: Path) -> None:
    data = animation(kind, pictures())
    path = tmp_path / "animation"
    path.write_bytes(data)
    for source in (data, path):
        found = read_frames(source, 32)
        assert len(found) == FRAMES
        times = [one.time for one in found]
        assert times == pytest.approx([0.0, 0.4, 0.6, 1.0, 1.2, 1.6, 1.8, 2.2])
        for one in found:
            shown = one.pixels[12, 12].astype(int)
            assert np.abs(shown - COLORS[round(one.time / 0.2)]).max() < 25
            assert one.pixels.shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "mpeg4"), ("matroska", "mpeg4"), ("avi", "mpeg4"), ("mpegts", "mpeg2video")]
)
def test_frames_of_a_video_are_spread_over_it(container: str, codec: str) -> None:
    pytest.importorskip("av")
    found = read_frames(video(pictures(), container, codec), 32)
    assert len(found) == FRAMES
    times = [one.time for one in found]
    assert times == sorted(set(times))
    assert 0 <= times[0] <= 0.1
    assert 0.9 <= times[-1] <= 1.2
    for one in found[:-1]:
        assert np.abs(one.pixels[12, 12].astype(int) - COLORS[int(one.time * 10)]).max() < 60


def test_blank_and_repeated_frames_are_left_out() -> None:
    first, second, *_ = pictures()
    blank = Image.new("RGB", first.size)
    found = read_frames(animation("PNG", [blank, first, first, second, blank]), 32)
    assert [one.time for one in found] == pytest.approx([0.2, 0.6])


def test_a_picture_that_is_not_animated_has_none() -> None:
    for kind in ("PNG", "JPEG", "WEBP", "GIF"):
        file = io.BytesIO()
        pictures()[0].save(file, kind)
        assert read_frames(file.getvalue(), 32) == []


def test_a_long_animation_is_decoded_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_DECODED", 6)
    found = read_frames(animation("GIF", pictures()), 32)
    assert [one.time for one in found] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_damaged_end_leaves_the_beginning() -> None:
    data = animation("GIF", pictures())
    found = read_frames(data[: len(data) // 2], 32)
    assert 1 <= len(found) < FRAMES
    with pytest.raises(ImageError):
        read_frames(b"GIF89a", 32)
    with pytest.raises(ImageError):
        read_frames(b"no picture", 32)


def test_suffixes() -> None:
    assert may_have_frames("a/film.GIF")
    assert may_have_frames("still.png")
    assert not may_have_frames("photo.jpg")
