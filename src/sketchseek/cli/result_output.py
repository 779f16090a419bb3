"""Options of ``sketchseek search`` for how results are printed and opened."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.output import json_option, print_json, shown
from sketchseek.cli.result_files import Read, copy_results, write_html
from sketchseek.cli.terminal_pictures import check_show, show_photo, shows_pictures

if TYPE_CHECKING:
    from sketchseek.search.library import Library
    from sketchseek.search.results import SearchResult

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True)
class ResultOptions:
    """Values of the options.

    Attributes:
        as_json, paths, print0: Forms of output; at most one.
        html: A page to write; None for none.
        copy_to: A folder to copy the photos to; None for none.
        show: Whether the photos are shown in the terminal.
        open_best: Whether the best result is opened.
    """

    as_json: bool
    paths: bool
    print0: bool
    html: Path | None
    copy_to: Path | None
    show: bool
    open_best: bool

    def check(self) -> None:
        """Refuse options that contradict one another, before the search.

        Raises:
            click.UsageError: More than one form of output is asked for, or ``--show`` lacks its extra.
        """
        if self.as_json + self.paths + self.print0 > 1:
            raise click.UsageError("Give only one of --json, --paths and --print0.")
        if self.show:
            check_show()


def result_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; the command gets them as its argument ``output``."""

    @wraps(command)
    def with_output(*arguments: Any, **values: Any) -> None:
        output = ResultOptions(**{option.name: values.pop(option.name) for option in fields(ResultOptions)})
        command(*arguments, output=output, **values)

    options = (
        json_option,
        click.option("--paths", is_flag=True, help="Print only paths, one on each line."),
        click.option("--print0", is_flag=True, help="Print only paths, each followed by a NUL, for xargs -0."),
        click.option("--html", type=_FILE, metavar="FILE", help="Also write a page with small copies of the photos."),
        click.option("--copy-to", type=_FILE, metavar="DIR", help="Also copy the photos to a folder, best first."),
        click.option("--show", is_flag=True, help="Also show the photos in the terminal (extra: terminal)."),
        click.option("--open", "open_best", is_flag=True, help="Open the best result in its default program."),
    )
    for option in reversed(options):  # the last one added comes first in the help
        with_output = option(with_output)
    return with_output


def print_results(results: Sequence[SearchResult], nothing: str, output: ResultOptions, library: Library) -> None:
    """Print results, and write, copy or open them if asked.

    Args:
        results: Best first.
        nothing: Printed on standard error if there are no results.
        output: The options.
        library: Reads photos that are in object storage.
    """

    def read(result: SearchResult) -> Path | bytes:
        return result.path if isinstance(result.path, Path) else library.photo_bytes(result.id)

    _write_files(results, output, read)
    if output.as_json:
        print_json(
            [
                {"rank": r.rank, "id": r.id, "path": str(r.path), "score": r.score}
                | ({"parts": r.parts} if r.parts else {})
                | ({"time": r.time} if r.time is not None else {})
                | ({"copies": [{"id": copy.id, "path": str(copy.path)} for copy in r.copies]} if r.copies else {})
                for r in results
            ]
        )
    elif not results:
        click.echo(nothing, err=True)
    elif output.paths or output.print0:
        # Bytes, as the file system has them: names need not be text.
        end = b"\0" if output.print0 else b"\n"
        click.echo(b"".join(os.fsencode(result.path) + end for result in results), nl=False)
    else:
        _print_for_people(results, read if output.show and shows_pictures() else None)
    if output.open_best and results:
        _open(str(results[0].path))


def _write_files(results: Sequence[SearchResult], output: ResultOptions, read: Read) -> None:
    """Write results to a page and a folder, if asked.

    Raises:
        InputError: The photo that is to be opened is in object storage.
    """
    from sketchseek.errors import InputError

    if output.open_best and results and not isinstance(results[0].path, Path):
        raise InputError(
            "--open needs a photo in a folder, and this one is in object storage.",
            subject=results[0].path,
            remedy="Use --copy-to DIR, and open the copy.",
        )
    if results and output.html:
        write_html(output.html, results, read)
    if results and output.copy_to:
        copy_results(output.copy_to, results, read)


def _print_for_people(results: Sequence[SearchResult], read: Read | None) -> None:
    """Print results, and show the photos if ``read`` is given."""
    for result in results:
        click.echo(f"{result.rank:3d}  {result.score:+.4f}  {shown(result.path)}{_time(result)}{_copies(result)}")
        if read is not None:
            show_photo(read(result), shown(result.path))


def _time(result: SearchResult) -> str:
    if result.time is None:
        return ""
    minutes, seconds = divmod(int(result.time), 60)
    return f"  (at {minutes}:{seconds:02})"


def _copies(result: SearchResult) -> str:
    if not result.copies:
        return ""
    return f"  ({len(result.copies):,} {'copy' if len(result.copies) == 1 else 'copies'})"


def _open(path: str) -> None:
    if click.launch(path) != 0:
        click.echo(f"Cannot open {shown(path)}: no program for it was found.", err=True)
        sys.exit(1)
