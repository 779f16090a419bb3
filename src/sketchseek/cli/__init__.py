"""The command ``sketchseek``: thin commands, each imported only when it is called."""

from __future__ import annotations

import io
import json
import sys
from importlib import import_module
from typing import NoReturn

import click

import sketchseek
from sketchseek.errors import SketchseekError
from sketchseek.shown import shown

_COMMANDS = {
    "index": "library",
    "search": "search",
    "sync": "library",
    "watch": "watch",
    "copy": "copy",
    "embeddings": "embeddings",
    "status": "library",
    "remove": "library",
    "failures": "library",
    "verify": "library",
    "repair": "library",
    "serve": "serve",
    "auth": "auth",
    "demo": "demo",
    "models": "models",
    "data": "data",
    "evaluate": "evaluate",
    "audit": "audit",
    "train": "train",
    "compare": "compare",
    "export": "train",
    "quantize": "train",
}
"""Each command and the module of this package that defines it, under the name ``<command>_command``."""


_FOR_MODELS = ("models", "data", "evaluate", "audit", "train", "compare", "export", "quantize")
"""Commands for those who evaluate and train models. The others are for those who look for photos."""


class _LazyGroup(click.Group):
    """A group that imports a command's module only when that command is called."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in two sections, each with the whole first sentence of its help."""
        names = self.list_commands(ctx)
        for title, section in (
            ("Find photos", [name for name in names if name not in _FOR_MODELS]),
            ("Evaluate and train models", [name for name in names if name in _FOR_MODELS]),
        ):
            with formatter.section(title):
                commands = [(name, self.get_command(ctx, name)) for name in section]
                formatter.write_dl([(name, one.get_short_help_str(limit=1000)) for name, one in commands if one])

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"sketchseek.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(sketchseek.__version__, prog_name="sketchseek")
def cli() -> None:
    """Draw it, find it: search a folder of photos with a sketch."""


def main() -> NoReturn:
    """Run the command; an error of ours is a message, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a file's name may have characters that the terminal lacks
    try:
        cli.main(standalone_mode=True)
    except SketchseekError as error:
        print_error(error, as_json="--json" in sys.argv[1:])
        sys.exit(1)
    sys.exit(0)


def print_error(error: SketchseekError, *, as_json: bool) -> None:
    """Print an error on standard error: for people, or as ``{"error", "message", "remedy"}``."""
    if as_json:
        told = {"error": type(error).__name__, "message": error.message, "remedy": error.remedy}
        click.echo(json.dumps(told), err=True)
    else:
        click.echo(f"Error: {shown(str(error), lines=True)}", err=True)
