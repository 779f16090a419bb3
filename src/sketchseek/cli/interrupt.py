"""Ctrl-C that works while native code runs.

Python calls signal handlers only between its own instructions. A decoder or a network that the main thread runs can
delay that for long, and interpreter shutdown waits for neither kindly.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

EXIT_STATUS = 130
GRACE = 2.0
"""Seconds that native code may delay the reaction to Ctrl-C."""

_EMBEDDING = "sketchseek-embed"


@contextmanager
def interruptible() -> Iterator[None]:
    """End the process if Ctrl-C has not raised KeyboardInterrupt in the main thread after ``GRACE`` seconds.

    The operating system's handler writes to a socket at once, whatever the main thread does; a thread listens to it.
    Where Ctrl-C is ignored or handled by someone else, this does nothing.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    raised = threading.Event()

    def on_interrupt(*_: object) -> None:
        raised.set()
        raise KeyboardInterrupt

    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    threading.Thread(target=_watch, args=(ours, raised), name="interrupt", daemon=True).start()
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.set_wakeup_fd(before)
        theirs.close()


def _watch(ours: socket.socket, raised: threading.Event) -> None:
    with ours:
        while received := ours.recv(1):
            if received[0] != signal.SIGINT:
                continue
            if not raised.wait(GRACE):
                os.write(2, b"Interrupted.\n")
                os._exit(EXIT_STATUS)
            raised.clear()


def exit_interrupted() -> NoReturn:
    """End the process with the status of an interrupted one, without waiting for threads that still embed photos."""
    if any(thread.name.startswith(_EMBEDDING) for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(EXIT_STATUS)  # a normal exit would unload the libraries that they are in
    sys.exit(EXIT_STATUS)
