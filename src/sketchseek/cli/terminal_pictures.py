"""Small copies of photos in the terminal: by Sixel or Kitty's protocol, or in half characters where it has neither."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click

ROWS = 10
"""Height of a picture in lines of text."""

_PIXELS = 400


def check_show() -> None:
    """Check that pictures can be shown.

    Raises:
        click.UsageError: The extra is not installed.
    """
    if find_spec("textual_image") is None:
        raise click.UsageError('To show photos in the terminal: pip install "sketchseek[terminal]"')


def shows_pictures() -> bool:
    """Whether standard output is a terminal. Pictures would spoil a pipe or a file."""
    return sys.stdout.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns > 0


def show_photo(source: Path | bytes, name: str) -> None:
    """Print a small copy of a photo. Only for a standard output that is a terminal."""
    from rich.console import Console
    from textual_image.renderable import Image  # asks the terminal what it can show

    from sketchseek.errors import ImageError
    from sketchseek.images import open_image

    try:
        picture = open_image(source, at_least=_PIXELS)
    except ImageError as error:
        click.echo(f"     {name}: {error.reason}", err=True)
        return
    picture.thumbnail((2 * _PIXELS, _PIXELS))
    Console().print(Image(picture, height=ROWS, width="auto"))
