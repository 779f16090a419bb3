"""The commands that index and search a library."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sketchseek.cli import print_error
from sketchseek.errors import SketchseekError
from sketchseek.user_dirs import user_data_dir

if TYPE_CHECKING:
    from sketchseek.search.results import IndexProgress, IndexReport

LIBRARY_VARIABLE = "SKETCHSEEK_LIBRARY"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def default_library() -> Path:
    """The library that is used where none is named: in the folder that the platform keeps for a user's data."""
    return user_data_dir() / "library"


def library_option(command: _Command) -> _Command:
    """``--library``, the same for every command that has it."""
    return click.option(
        "--library",
        "-l",
        type=click.Path(file_okay=False, path_type=Path),
        envvar=LIBRARY_VARIABLE,
        default=default_library,
        metavar="LIB",
        help=f"Folder of the library; else ${LIBRARY_VARIABLE}, else one in the user's data folder.",
    )(command)


def json_option(command: _Command) -> _Command:
    """``--json``, the same for every command that has it."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on standard output.")(
        command
    )


_FOLDERS = click.Path(path_type=Path)


@click.command("index")
@click.argument("folders", nargs=-1, type=_FOLDERS, metavar="DIR...")
@library_option
@click.option("--model", metavar="MODEL", help="Name of a bundled model or path of a package, for a new library.")
@click.option("--re-embed", is_flag=True, help="Embed a library's photos anew with MODEL.")
@json_option
def index_command(folders: tuple[Path, ...], library: Path, model: str | None, re_embed: bool, as_json: bool) -> None:
    """Index the photos in folders, and all folders below them.

    What is in the library already is not done again; what is gone from the folders leaves it. Stop it at any moment
    with Ctrl-C: it goes on from there when it is run again.

    \b
    Examples:
      sketchseek index ~/Pictures
      sketchseek index photos scans --library photos.library --json
      sketchseek index --library photos.library --model small --re-embed
    """
    from sketchseek.search.library import Library

    if not folders and not re_embed:
        raise click.UsageError("Name a folder to index.")
    with errors_in_words(as_json, keeps_work=True), progress_bar(as_json) as progress:
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

    with errors_in_words(as_json, keeps_work=True), progress_bar(as_json) as progress, Library.open(library) as opened:
        report = opened.sync(progress)
    _print_report(report, as_json)


@click.command("search")
@click.argument("sketch", type=click.Path(path_type=Path, allow_dash=True))
@library_option
@click.option("-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="How many photos to find.")
@click.option("--folder", type=_FOLDERS, help="Only find photos in this folder and below it.")
@click.option("--photo", is_flag=True, help="SKETCH is a photo: find photos that look like it.")
@click.option("--model", metavar="MODEL", help="Refuse a library that was built with another model.")
@json_option
def search_command(
    sketch: Path, library: Path, k: int, folder: Path | None, photo: bool, model: str | None, as_json: bool
) -> None:
    """Find the photos that look like a sketch.

    SKETCH is a picture of a sketch (PNG, JPEG, ...), an SVG file, or strokes as JSON; - reads it from standard input.

    \b
    Examples:
      sketchseek search cat.svg
      sketchseek search cat.png --library photos.library -k 3 --folder photos/2024 --json
      sketchseek search --photo holiday.jpg
      echo '[[[0,50,100,0],[100,0,100,100]]]' | sketchseek search -
    """
    from sketchseek.search.library import Library

    with errors_in_words(as_json), Library.open(library, model) as opened:
        source = sys.stdin.buffer.read() if str(sketch) == "-" else sketch
        if photo:
            results = opened.search_photo(source, k=k, folder=folder)
        else:
            results = opened.search(source, k=k, folder=folder)
    if as_json:
        _print_json([{"rank": r.rank, "path": str(r.path), "score": r.score} for r in results])
        return
    if not results:
        click.echo("There are no photos" + (" in this folder." if folder else " in the library."), err=True)
    for result in results:
        click.echo(f"{result.rank:3d}  {result.score:+.4f}  {_shown(result.path)}")


@click.command("status")
@library_option
@json_option
def status_command(library: Path, as_json: bool) -> None:
    """Say what is in a library.

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
        ("Failures", f"{status.failures:,}" + ("  (sketchseek failures lists them)" if status.failures else "")),
        ("Folders", "\n           ".join(_shown(folder) for folder in status.folders) or "none"),
        ("Left out", "\n           ".join(_shown(path) for path in status.excluded)),
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
    """Take photos or folders out of a library; the files stay where they are.

    What is removed from a folder that the library keeps up with stays out until it is indexed by name.

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
    """List the files that could not be indexed, each with its reason; they are tried again when they change.

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
        click.echo("Nothing failed.", err=True)
    for failure in failures:
        click.echo(f"{_shown(failure.path)}: {failure.reason}")


@click.command("verify")
@library_option
@json_option
def verify_command(library: Path, as_json: bool) -> None:
    """Check a library's catalog, vectors, index and model against one another; exits with 1 where one is bad.

    \b
    Examples:
      sketchseek verify
      sketchseek verify --library photos.library --json
    """
    from sketchseek.search.library import Library

    with errors_in_words(as_json), Library.open(library) as opened:
        found = opened.verify()
    if as_json:
        _print_json({"ok": found.ok, "checks": found.checks, "problems": found.problems})
    else:
        for problem in found.problems:
            click.echo(problem)
        click.echo(f"Checked: {', '.join(found.checks)}. " + ("All well." if found.ok else "See above."))
    if not found.ok:
        sys.exit(1)


@contextmanager
def errors_in_words(as_json: bool, *, keeps_work: bool = False) -> Iterator[None]:
    """Ctrl-C in words; errors as JSON on standard error where JSON was asked for."""
    try:
        yield
    except KeyboardInterrupt:
        kept = " What was done is kept; run the command again to go on." if keeps_work else ""
        click.echo(f"Interrupted.{kept}", err=True)
        sys.exit(130)
    except SketchseekError as error:
        if not as_json:
            raise
        print_error(error, as_json=True)
        sys.exit(1)


@contextmanager
def progress_bar(as_json: bool) -> Iterator[Callable[[IndexProgress], None] | None]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=as_json) as bar:
        task = bar.add_task("Looking for photos", total=None)

        def show(now: IndexProgress) -> None:
            words = {"scan": "Looking for photos", "embed": "Indexing", "index": "Writing the index"}[now.stage]
            failed = f", {now.failed:,} failed" if now.failed else ""
            if now.stage == "index":
                bar.update(task, description=words)
            else:
                bar.update(task, description=words + failed, completed=now.done, total=now.total or None)

        yield show


def _print_report(report: IndexReport, as_json: bool) -> None:
    if as_json:
        _print_json(asdict(report))
        return
    click.echo(
        f"{report.indexed:,} indexed, {report.unchanged:,} unchanged, {report.moved:,} moved, "
        f"{report.removed:,} removed, {report.failed:,} failed in {report.seconds:.1f} s."
    )
    if report.failed:
        click.echo("See sketchseek failures for what failed.")


def _print_json(value: Any) -> None:
    # ASCII, so that a name that is no valid text comes out as escapes and back in as the same name.
    click.echo(json.dumps(value, indent=2, default=str))


def _shown(path: Path) -> str:
    """A path for people: what is no valid text in it is replaced."""
    return os.fsencode(path).decode(sys.getfilesystemencoding(), "replace")
