"""Makes short videos of given frames."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from PIL import Image


def video(frames: Sequence[Image.Image], container: str = "mp4", codec: str = "mpeg4", title: str = "") -> bytes:
    """Return a video in which every frame is a key frame."""
    av = pytest.importorskip("av")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        if title:
            output.metadata["title"] = title
        stream = output.add_stream(codec, rate=10)
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = 1
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_image(frame)))
        output.mux(stream.encode())
    return buffer.getvalue()
