"""The option that names a library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sketchseek.cli.address import ADDRESS
from sketchseek.user_dirs import user_data_dir

LIBRARY_VARIABLE = "SKETCHSEEK_LIBRARY"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def default_library() -> Path:
    """Return the default library, in the user's data folder."""
    return user_data_dir() / "library"


def library_option(command: _Command) -> _Command:
    """Add the option ``--library``."""
    return click.option(
        "--library",
        "-l",
        type=ADDRESS,
        envvar=LIBRARY_VARIABLE,
        default=default_library,
        metavar="LIB",
        help="Folder of the library, or a URI such as s3://bucket/library. "
        f"Default: ${LIBRARY_VARIABLE}, or a folder in the user's data folder.",
    )(command)
