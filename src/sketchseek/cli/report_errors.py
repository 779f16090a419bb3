"""What a command prints when it fails or is interrupted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click

from sketchseek.cli import print_error
from sketchseek.cli.interrupt import exit_interrupted, interruptible
from sketchseek.errors import SketchseekError


@contextmanager
def report_errors(as_json: bool, *, keeps_work: bool = False, handles_signals: bool = False) -> Iterator[None]:
    """Report Ctrl-C as a message, and errors as JSON on standard error if ``as_json``.

    Args:
        as_json: The command's option ``--json``.
        keeps_work: Whether an interrupted run can be continued.
        handles_signals: Whether the command reacts to Ctrl-C by itself.
    """
    try:
        with nullcontext() if handles_signals else interruptible():
            yield
    except KeyboardInterrupt:
        kept = " Finished work is kept. Run the command again to continue." if keeps_work else ""
        click.echo(f"Interrupted.{kept}", err=True)
        exit_interrupted()
    except SketchseekError as error:
        if not as_json:
            raise
        print_error(error, as_json=True)
        sys.exit(1)
