"""The file manager of the machine that the server runs on."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from starlette.requests import Request

from sketchseek.server.errors import ApiError


def is_local(request: Request) -> bool:
    """Whether a request comes from the server's own machine.

    Behind a proxy every request does, so one that a proxy passed on counts as foreign.
    """
    if request.client is None or any(name in request.headers for name in ("forwarded", "x-forwarded-for", "via")):
        return False
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def can_show() -> bool:
    """Whether there is a file manager and a screen to show it on."""
    return _program() is not None


def show_in_folder(path: Path) -> None:
    """Show the folder of a file, without a shell and without waiting.

    Raises:
        ApiError: The folder is gone, or there is no file manager or screen.
    """
    # A name with bytes that are no text goes through as it is: arguments are bytes on POSIX.
    if not path.parent.is_dir():
        raise ApiError(404, "FolderMissing", "The photo's folder is gone.", "Run `sketchseek sync`.")
    program = _program()
    if program is None:
        raise ApiError(
            409, "NoFileManager", "The server's machine has no file manager, or no screen.", "Copy the path instead."
        )
    arguments = [program, "-R", str(path)] if sys.platform == "darwin" else [program, str(path.parent)]
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the server's terminal must not close it
        )
    except OSError as error:
        raise ApiError(409, "NoFileManager", f"{program} cannot be started ({error.strerror}).") from error
    threading.Thread(target=process.wait, daemon=True).start()  # lest it stay a zombie


def _program() -> str | None:
    if sys.platform == "darwin":
        return shutil.which("open")
    if sys.platform == "win32":
        return shutil.which("explorer")
    has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return shutil.which("xdg-open") if has_screen else None
