"""Frames of videos and animated pictures, spread over their length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin

from sketchseek.errors import ImageError
from sketchseek.images.blank_picture import is_blank
from sketchseek.images.conversion import finish
from sketchseek.images.formats import VIDEO, identify
from sketchseek.images.reading import MAX_PIXELS, squash
from sketchseek.images.sources import ImageSource, opened, picture_errors, quiet_pillow, shown_name
from sketchseek.images.video_frame import MAX_PACKETS, VideoImage, open_video, video_stream

FRAMES = 8
"""Maximum number of frames of a file."""

MAX_DECODED = 200
"""Frames of an animated picture that are decoded: to reach a frame, all before it are."""

ANIMATED_SUFFIXES = frozenset({".gif", ".webp", ".png", ".apng", ".avif"})
"""Lower-case suffixes of pictures that may be animated."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame.

    Attributes:
        time: Seconds from the beginning.
        pixels: (size, size, 3) uint8, RGB, squashed as ``read_photo`` does.
    """

    time: float
    pixels: npt.NDArray[np.uint8]


def may_have_frames(name: str) -> bool:
    """Return whether a file's suffix is one of videos or of pictures that may be animated."""
    suffix = PurePath(name).suffix.lower()
    return suffix in ANIMATED_SUFFIXES or (VIDEO.installed and suffix in VIDEO.suffixes)


def read_frames(source: ImageSource, size: int) -> list[Frame]:
    """Decode frames that are spread over a video or an animated picture, without blank and repeated ones.

    Args:
        source: A path or the file's bytes.
        size: Side of the square in pixels.

    Returns:
        At most ``FRAMES``; none of a picture that is not animated.

    Raises:
        ImageError: It cannot be read.
    """
    name = shown_name(source)
    if isinstance(source, Image.Image):
        raise ImageError("an open image has no frames.", subject=name)
    with picture_errors(name), opened(source) as file, quiet_pillow, identify(file) as image:
        if image.width * image.height > MAX_PIXELS:
            return []
        if isinstance(image, VideoImage):
            found = _frames_of_video(file, image.container)
        elif isinstance(image, JpegImagePlugin.JpegImageFile) or not getattr(image, "is_animated", False):
            return []
        else:
            found = _frames_of_animation(image)
    frames: list[Frame] = []
    for time, picture in found:
        pixels = np.asarray(squash(finish(picture, size, keep_alpha=False), size))
        if not is_blank(picture) and not any(np.array_equal(pixels, one.pixels) for one in frames):
            frames.append(Frame(time, pixels))
    return frames


def _frames_of_animation(image: Any) -> list[tuple[float, Image.Image]]:
    count = min(int(image.n_frames), MAX_DECODED)
    wanted = {*np.linspace(0, count - 1, min(count, FRAMES)).round().astype(int).tolist()}
    found = []
    time = 0.0
    for number in range(count):
        try:
            image.seek(number)
            image.load()
        except (EOFError, OSError, SyntaxError):  # damaged from here on
            break
        if number in wanted:
            found.append((time / 1000, image.convert("RGBA" if image.has_transparency_data else "RGB")))
        time += float(image.info.get("duration", 100) or 100)
    return found


def _frames_of_video(file: BinaryIO, kind: str) -> list[tuple[float, Image.Image]]:
    """Return key frames at or before times that are spread over a video."""
    import av

    found: dict[float, Image.Image] = {}
    with open_video(av, file, kind) as container:
        stream = video_stream(container)
        stream.codec_context.skip_frame = "NONKEY"
        start = (container.start_time or 0) / av.time_base
        length = (container.duration or 0) / av.time_base
        for part in range(FRAMES):
            if part and length <= 0:
                break
            try:
                container.seek(int((start + length * part / FRAMES) * av.time_base), backward=True)
                frame = _next_frame(container, stream)
            except (av.FFmpegError, OSError):
                continue
            if frame is not None:
                found[max(0.0, float(frame.time or 0.0) - start)] = frame.to_image().rotate(frame.rotation, expand=True)
    return sorted(found.items())


def _next_frame(container: Any, stream: Any) -> Any:
    for packets, packet in enumerate(container.demux(stream)):
        for frame in packet.decode():
            return frame
        if packets >= MAX_PACKETS:
            return None
    return None
