"""Commands that index and search a library."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sketchseek.cli import print_error
from sketchseek.cli.progress import index_bar
from sketchseek.cli.query_options import query_options, search
from sketchseek.errors import SketchseekError
from sketchseek.user_dirs import user_data_dir

if TYPE_CHECKING:
    from sketchseek.search.results import IndexReport

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
        type=click.Path(file_okay=False, path_type=Path),
        envvar=LIBRARY_VARIABLE,
        default=default_library,
        metavar="LIB",
        help=f"Folder of the library. Default: ${LIBRARY_VARIABLE}, or a folder in the user's data folder.",
    )(command)


def json_option(command: _Command) -> _Command:
    """Add the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print only JSON on standard output.")(command)


_FOLDERS = click.Path(path_type=Path)


def iso_time(value: str) -> datetime:
    """Parse a date or time in ISO 8601."""
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a date or time in ISO 8601, such as 2024-05-01.") from error


@click.command("index")
@click.argument("folders", nargs=-1, type=_FOLDERS, metavar="DIR...")
@library_option
@click.option(
    "--model", metavar="MODEL", help="Name of a bundled model, or path of a model package, for a new library."
)
@click.option("--re-embed", is_flag=True, help="Embed a library's photos again, with MODEL.")
@json_option
def index_command(folders: tuple[Path, ...], library: Path, model: str | None, re_embed: bool, as_json: bool) -> None:
    """Index the photos in folders and their subfolders.

    Photos that are already in the library are skipped. Deleted photos are removed. You can stop with Ctrl-C at any
    time; run the command again to continue.

    \b
    Examples:
      sketchseek index ~/Pictures
      sketchseek index photos scans --library photos.library --json
      sketchseek index --library photos.library --model small --re-embed
    """
    from sketchseek.search.library import Library

    if not folders and not re_embed:
        raise click.UsageError("Name a folder to index.")
    with errors_in_words(as_json, keeps_work=True), index_bar(as_json) as progress:
        if re_embed:
            with Library.open(library) as opened:
                report = opened.re_embed(model, progress)
        if folders:
            with Library.open(library, model, create=True) as opened:
                report = opened.add(folders, progress)
    _print_report(report, as_json)


@click.command("sync")
@library_option
@json_option
def sync_command(library: Path, as_json: bool) -> None:
    """Bring a library up to date with its folders: new, changed, moved and deleted photos.

    \b
    Examples:
      sketchseek sync
      sketchseek sync --library photos.library --json
    """
    from sketchseek.search.library import Library

    with errors_in_words(as_json, keeps_work=True), index_bar(as_json) as progress, Library.open(library) as opened:
        report = opened.sync(progress)
    _print_report(report, as_json)


@click.command("search")
@click.argument("sketch", type=click.Path(path_type=Path, allow_dash=True), required=False)
@query_options
@library_option
@click.option("-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="Maximum number of results.")
@click.option(
    "--offset", type=click.IntRange(min=0), default=0, show_default=True, help="Number of best results to skip."
)
@click.option("--folder", type=_FOLDERS, help="Only search photos in this folder and its subfolders.")
@click.option(
    "--after", type=iso_time, metavar="TIME", help="Only search photos modified at this time or later (ISO 8601)."
)
@click.option(
    "--before", type=iso_time, metavar="TIME", help="Only search photos modified before this time (ISO 8601)."
)
@click.option("--photo", is_flag=True, help="Treat SKETCH as a photo, and find photos that look like it.")
@click.option("--model", metavar="MODEL", help="Fail if the library was built with another model.")
@json_option
def search_command(
    sketch: Path | None,
    library: Path,
    k: int,
    offset: int,
    folder: Path | None,
    after: datetime | None,
    before: datetime | None,
    photo: bool,
    model: str | None,
    as_json: bool,
    **criteria: Any,
) -> None:
    """Find the photos that look like a sketch, or that have words, or both.

    SKETCH is an image of a sketch (PNG, JPEG, ...), an SVG file, or strokes as JSON; - reads standard input. Times are
    ISO 8601, such as 2024-05-01 or 2024-05-01T18:30+02:00; without a time zone they are local times.

    Further sketches and photos (--also, --not, ...) are weighted with a number after a colon: cat2.svg:0.5.

    \b
    Examples:
      sketchseek search cat.svg
      sketchseek search cat.png --library photos.library -k 3 --folder photos/2024 --json
      sketchseek search cat.svg --after 2024-01-01 --before 2025-01-01 --offset 10
      sketchseek search --photo holiday.jpg
      sketchseek search cat.svg --text "garden 2019"
      sketchseek search cat.svg --also cat2.svg --not dog.svg:0.5
      echo '[[[0,50,100,0],[100,0,100,100]]]' | sketchseek search -
    """
    from sketchseek.search.library import Library
    from sketchseek.search.params import Filter

    with errors_in_words(as_json), Library.open(library, model) as opened:
        results = search(
            opened, sketch, k, offset=offset, filter=Filter(folder, after, before), photo=photo, **criteria
        )
    if as_json:
        _print_json(
            [
                {"rank": r.rank, "id": r.id, "path": str(r.path), "score": r.score}
                | ({"parts": r.parts} if r.parts else {})
                for r in results
            ]
        )
        return
    if not results:
        if criteria["text"]:
            click.echo("There are no photos with these words.", err=True)
        else:
            click.echo(_no_results(offset, folder, dated=(after, before) != (None, None)), err=True)
    for result in results:
        click.echo(f"{result.rank:3d}  {result.score:+.4f}  {_shown(result.path)}")


def _no_results(offset: int, folder: Path | None, *, dated: bool) -> str:
    if offset:
        return f"There are no results after rank {offset:,}."
    if dated:
        return "There are no photos that match the filter."
    return "There are no photos in this folder." if folder else "There are no photos in the library."


@click.command("status")
@library_option
@json_option
def status_command(library: Path, as_json: bool) -> None:
    """Show the status of a library.

    \b
    Examples:
      sketchseek status
      sketchseek status --library photos.library --json
    """
    from sketchseek.search.library import Library

    with errors_in_words(as_json), Library.open(library) as opened:
        status = opened.status()
    if as_json:
        _print_json(asdict(status))
        return
    for name, value in (
        ("Library", _shown(status.path)),
        ("Photos", f"{status.photos:,}"),
        (
            "Failures",
            f"{status.failures:,}" + ('  (run "sketchseek failures" to list them)' if status.failures else ""),
        ),
        ("Folders", "\n           ".join(_shown(folder) for folder in status.folders) or "none"),
        ("Excluded", "\n           ".join(_shown(path) for path in status.excluded)),
        ("Model", f"{status.model} ({status.fingerprint}), {status.embedding} dimensions, {status.distance}"),
        ("Index", f"{status.engine or 'none on disk'}, {status.pending:,} changes since"),
        ("Size", f"{status.bytes / 1e6:.1f} MB"),
    ):
        if value:
            click.echo(f"{name:<10} {value}")


@click.command("remove")
@click.argument("paths", nargs=-1, required=True, type=_FOLDERS, metavar="PATH...")
@library_option
@json_option
def remove_command(paths: tuple[Path, ...], library: Path, as_json: bool) -> None:
    """Remove photos or folders from a library. Files are not deleted.

    "sketchseek sync" skips removed paths until you index them by name.

    \b
    Examples:
      sketchseek remove ~/Pictures/receipts
      sketchseek remove photos/1.jpg --library photos.library --json
    """
    from sketchseek.search.library import Library

    with errors_in_words(as_json), Library.open(library) as opened:
        removed = opened.remove(paths)
    if as_json:
        _print_json({"removed": removed})
    else:
        click.echo(f"{removed:,} photos removed from the library.")


@click.command("failures")
@library_option
@json_option
def failures_command(library: Path, as_json: bool) -> None:
    """List the files that could not be indexed, with reasons. They are tried again when they change.

    \b
    Examples:
      sketchseek failures
      sketchseek failures --library photos.library --json
    """
    from sketchseek.search.library import Library

    with errors_in_words(as_json), Library.open(library) as opened:
        failures = opened.failures()
    if as_json:
        _print_json([{"path": str(failure.path), "reason": failure.reason} for failure in failures])
        return
    if not failures:
        click.echo("There are no failures.", err=True)
    for failure in failures:
        click.echo(f"{_shown(failure.path)}: {failure.reason}")


@click.command("verify")
@library_option
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Also embed N photos again, chosen at random, and compare.",
)
@json_option
def verify_command(library: Path, sample: int, as_json: bool) -> None:
    """Check a library's catalog, embeddings, index and model. Exits with status 1 if there is a problem.

    \b
    Examples:
      sketchseek verify
      sketchseek verify --sample 100
      sketchseek verify --library photos.library --json
    """
    from sketchseek.search.library import Library

    with errors_in_words(as_json), Library.open(library) as opened:
        found = opened.verify(sample=sample)
    if as_json:
        _print_json({"ok": found.ok, "checks": found.checks, "problems": found.problems})
    else:
        for problem in found.problems:
            click.echo(problem)
        click.echo(
            f"Checked: {', '.join(found.checks)}. " + ("No problems found." if found.ok else "See the problems above.")
        )
    if not found.ok:
        sys.exit(1)


@contextmanager
def errors_in_words(as_json: bool, *, keeps_work: bool = False) -> Iterator[None]:
    """Report Ctrl-C as a message, and errors as JSON on standard error if ``as_json``."""
    try:
        yield
    except KeyboardInterrupt:
        kept = " Finished work is kept. Run the command again to continue." if keeps_work else ""
        click.echo(f"Interrupted.{kept}", err=True)
        sys.exit(130)
    except SketchseekError as error:
        if not as_json:
            raise
        print_error(error, as_json=True)
        sys.exit(1)


def _print_report(report: IndexReport, as_json: bool) -> None:
    if as_json:
        _print_json(asdict(report))
        return
    click.echo(
        f"{report.indexed:,} indexed, {report.unchanged:,} unchanged, {report.moved:,} moved, "
        f"{report.removed:,} removed, {report.failed:,} failed in {report.seconds:.1f} s."
    )
    if report.failed:
        click.echo('Run "sketchseek failures" to list the failures.')


def _print_json(value: Any) -> None:
    # ASCII: names that are not valid text become escapes that read back as the same name.
    click.echo(json.dumps(value, indent=2, default=str))


def _shown(path: Path) -> str:
    """Return a path for display; invalid text in it is replaced."""
    return os.fsencode(path).decode(sys.getfilesystemencoding(), "replace")
