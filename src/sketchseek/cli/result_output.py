"""Options of ``sketchseek search`` for how results are printed and opened."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sketchseek.cli.output import json_option, print_json, shown
from sketchseek.cli.result_files import copy_results, write_html
from sketchseek.cli.terminal_pictures import check_show, show_photo, shows_pictures

if TYPE_CHECKING:
    from sketchseek.search.results import SearchResult

_FILE = click.Path(path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])


def result_options(command: _Command) -> _Command:
    """Add the options. ``print_results`` takes their values."""
    for option in (
        json_option,
        click.option("--paths", is_flag=True, help="Print only paths, one on each line."),
        click.option("--print0", is_flag=True, help="Print only paths, each followed by a NUL, for xargs -0."),
        click.option("--html", type=_FILE, metavar="FILE", help="Also write a page with small copies of the photos."),
        click.option("--copy-to", type=_FILE, metavar="DIR", help="Also copy the photos to a folder, best first."),
        click.option("--show", is_flag=True, help="Also show the photos in the terminal (extra: terminal)."),
        click.option("--open", "open_best", is_flag=True, help="Open the best result in its default program."),
    ):
        command = option(command)
    return command


def check_result_options(*, as_json: bool, paths: bool, print0: bool, show: bool) -> None:
    """Refuse options that contradict one another, before the search.

    Raises:
        click.UsageError: More than one form of output is asked for, or ``--show`` lacks its extra.
    """
    if as_json + paths + print0 > 1:
        raise click.UsageError("Give only one of --json, --paths and --print0.")
    if show:
        check_show()


def print_results(
    results: Sequence[SearchResult],
    nothing: str,
    *,
    as_json: bool,
    paths: bool,
    print0: bool,
    html: Path | None,
    copy_to: Path | None,
    open_best: bool,
    show: bool,
) -> None:
    """Print results, and write, copy or open them if asked.

    Args:
        results: Best first.
        nothing: Printed on standard error if there are no results.
        as_json, paths, print0, html, copy_to, open_best, show: Values of the options.
    """
    _write_files(results, html, copy_to, open_best=open_best)
    if as_json:
        print_json(
            [
                {"rank": r.rank, "id": r.id, "path": str(r.path), "score": r.score}
                | ({"parts": r.parts} if r.parts else {})
                | ({"copies": [{"id": copy.id, "path": str(copy.path)} for copy in r.copies]} if r.copies else {})
                for r in results
            ]
        )
    elif not results:
        click.echo(nothing, err=True)
    elif paths or print0:
        # Bytes, as the file system has them: names need not be text.
        end = b"\0" if print0 else b"\n"
        click.echo(b"".join(os.fsencode(result.path) + end for result in results), nl=False)
    else:
        _print_for_people(results, show=show and shows_pictures())
    if open_best and results:
        _open(str(results[0].path))


def _write_files(results: Sequence[SearchResult], html: Path | None, copy_to: Path | None, *, open_best: bool) -> None:
    """Write results to a page and a folder, if asked.

    Raises:
        InputError: A photo that is to be read or opened is in object storage.
    """
    from sketchseek.errors import InputError

    if (html or copy_to or open_best) and any(not isinstance(result.path, Path) for result in results):
        raise InputError(
            "--html, --copy-to and --open need photos in folders, and these are in object storage.",
            remedy='Use --json or --paths, or look at them with "sketchseek serve".',
        )
    if results and html:
        write_html(html, results)
    if results and copy_to:
        copy_results(copy_to, results)


def _print_for_people(results: Sequence[SearchResult], *, show: bool) -> None:
    for result in results:
        click.echo(f"{result.rank:3d}  {result.score:+.4f}  {shown(result.path)}{_copies(result)}")
        if show and isinstance(result.path, Path):
            show_photo(result.path)


def _copies(result: SearchResult) -> str:
    if not result.copies:
        return ""
    return f"  ({len(result.copies):,} {'copy' if len(result.copies) == 1 else 'copies'})"


def _open(path: str) -> None:
    if click.launch(path) != 0:
        click.echo(f"Cannot open {shown(path)}: no program for it was found.", err=True)
        sys.exit(1)
