"""Printing to standard output."""

from __future__ import annotations

import json
import os

import click


def print_json(value: object) -> None:
    """Print a value as JSON, with paths as text. ASCII: names that are not valid text become escapes that read back as
    the same name."""
    click.echo(json.dumps(value, indent=2, default=str))


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path for people, on one line: control characters and invalid text are escaped."""
    from sketchseek.images import shown_name

    return shown_name(os.fspath(path))
