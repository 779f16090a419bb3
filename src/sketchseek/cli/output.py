"""Printing to standard output, for people or as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def json_option(command: _Command) -> _Command:
    """Add the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print only JSON on standard output.")(command)


def print_json(value: object) -> None:
    """Print a value as JSON, with paths as text. ASCII: names that are not valid text become escapes that read back as
    the same name."""
    click.echo(json.dumps(value, indent=2, default=str))


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path for people, on one line: control characters and invalid text are escaped."""
    from sketchseek.images import shown_name

    return shown_name(os.fspath(path))
