"""A process that makes thumbnails of photos whose decoding may take long. See ``thumbnails.py``."""

from __future__ import annotations

import os
from pathlib import Path

from sketchseek.images.cost import MAX_BYTES
from sketchseek.images.quick import CPU_SECONDS
from sketchseek.images.worker import answer_requests
from sketchseek.search.photo_worker import BYTES, OWN_MEMORY
from sketchseek.server.thumbnails import REQUEST, make_thumbnail

_NICE = 5


def main() -> None:
    """Answer requests until standard input ends."""

    def answer(request: bytes) -> bytes:
        (size,) = REQUEST.unpack_from(request)
        kind, content = request[REQUEST.size : REQUEST.size + 1], request[REQUEST.size + 1 :]
        return make_thumbnail(content if kind == BYTES else Path(os.fsdecode(content)), size)

    answer_requests(answer, max_bytes=MAX_BYTES + OWN_MEMORY, cpu_seconds=CPU_SECONDS, nice=_NICE)


if __name__ == "__main__":
    main()
