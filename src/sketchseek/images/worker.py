"""What a process of a ``WorkerPool`` runs: it answers requests from standard input on standard output.

A request is its length and its bytes; a response is one of ``OK`` and ``ERROR``, its length and its bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sketchseek.errors import ImageError, ImageTooLargeError

REQUEST = struct.Struct(">Q")
RESPONSE = struct.Struct(">BQ")
OK, ERROR = 0, 1
ERRORS = {kind.__name__: kind for kind in (ImageError, ImageTooLargeError)}


def answer_requests(
    answer: Callable[[bytes], bytes], *, max_bytes: int, cpu_seconds: float = 0.0, nice: int = 0
) -> None:
    """Answer requests until standard input ends. An empty response says that the process is ready.

    Args:
        answer: Returns the response to a request, or raises an ``ImageError``.
        max_bytes: Memory that the process may take beyond what it has now.
        cpu_seconds: CPU time after which the system ends the process, even in native code. Unlike wall-clock time, it
            does not depend on what else the machine does. 0 for no limit; Windows has none.
        nice: How much other processes go first.
    """
    _limit_memory(max_bytes)
    if nice and hasattr(os, "nice"):
        os.nice(nice)
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a decoder that prints must not write between responses
    _write(target, OK, b"")
    while head := source.read(REQUEST.size):
        request = source.read(REQUEST.unpack(head)[0])
        _limit_cpu(cpu_seconds)
        try:
            status, content = OK, answer(request)
        except ImageError as error:
            told = {"type": type(error).__name__, "reason": error.reason, "remedy": error.remedy}
            status, content = ERROR, json.dumps(told).encode()
        _limit_cpu(0.0)
        _write(target, status, content)


def _write(target: BinaryIO, status: int, content: bytes) -> None:
    target.write(RESPONSE.pack(status, len(content)))
    target.write(content)
    target.flush()


def _limit_cpu(seconds: float) -> None:
    if hasattr(signal, "setitimer"):  # SIGPROF ends a process that does not handle it
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _limit_memory(max_bytes: int) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on every platform
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with Path("/proc/self/statm").open(encoding="ascii") as statm:
            own = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (own + max_bytes, own + max_bytes))
