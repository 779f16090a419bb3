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
    """Return whether a request comes from the server's machine.

    A request that a proxy forwarded counts as remote, because the proxy may run on this machine.
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
    """Return whether there is a file manager and a screen to show it on."""
    return _program() is not None


def show_in_folder(path: Path) -> None:
    """Show the folder of a file without waiting for the file manager to end. No shell is involved.

    Raises:
        ApiError: The folder is gone, or there is no file manager or screen.
    """
    # A name that is not valid UTF-8 works: arguments are bytes on POSIX.
    if not path.parent.is_dir():
        raise ApiError(404, "FolderMissing", "The photo's folder is gone.", 'Run "sketchseek sync".')
    program = _program()
    if program is None:
        raise ApiError(
            409, "NoFileManager", "The server's machine has no file manager or no screen.", "Copy the path instead."
        )
    arguments = [program, "-R", str(path)] if sys.platform == "darwin" else [program, str(path.parent)]
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl+C in the server's terminal must not close it
        )
    except OSError as error:
        raise ApiError(409, "NoFileManager", f"Cannot start {program}: {error.strerror}.") from error
    threading.Thread(target=process.wait, daemon=True).start()  # or it stays a zombie process


def _program() -> str | None:
    if sys.platform == "darwin":
        return shutil.which("open")
    if sys.platform == "win32":
        return shutil.which("explorer")
    has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return shutil.which("xdg-open") if has_screen else None
