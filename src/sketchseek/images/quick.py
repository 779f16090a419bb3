"""Which pictures are decoded quickly, as their headers promise. Others are decoded in processes with a deadline."""

from __future__ import annotations

from sketchseek.images.cost import QUICK_WORK
from sketchseek.images.formats import is_raw_or_video
from sketchseek.images.reading import Examined, examine

CPU_SECONDS = 30.0
"""CPU time in which a photo must be decoded. An ordinary one takes a tenth of a second."""

WALL_SECONDS = 10 * CPU_SECONDS
"""Time in which a photo must be decoded: the machine may be busy."""

LARGE_FILE = 32 << 20
"""Larger files may take long: also the code that reads headers passes over all bytes of some."""


def promises_quick(data: bytes, at_least: int) -> tuple[Examined | None, bool]:
    """Examine a photo's header, unless reading that may take long. Return what it says, and if decoding is quick.

    Args:
        data: The file's bytes.
        at_least: See ``open_image``.

    Raises:
        ImageError: See ``examine``.
    """
    if len(data) > LARGE_FILE or is_raw_or_video(data):
        return None, False
    found = examine(data, at_least=at_least)
    return found, found.work <= QUICK_WORK
