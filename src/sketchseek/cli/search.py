"""The command ``search``."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from sketchseek.cli.address import ADDRESS, Address
from sketchseek.cli.library_option import library_option
from sketchseek.cli.query_options import query_options, search
from sketchseek.cli.report_errors import report_errors
from sketchseek.cli.result_output import ResultOptions, print_results, result_options


def iso_time(value: str) -> datetime:
    """Parse a date or time in ISO 8601."""
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a date or time in ISO 8601, such as 2024-05-01.") from error


@click.command("search")
@click.argument("sketch", type=click.Path(path_type=Path, allow_dash=True), required=False)
@query_options
@library_option
@click.option("-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="Maximum number of results.")
@click.option(
    "--offset", type=click.IntRange(min=0), default=0, show_default=True, help="Number of best results to skip."
)
@click.option("--folder", type=ADDRESS, help="Only search photos in this folder and its subfolders.")
@click.option(
    "--after", type=iso_time, metavar="TIME", help="Only search photos modified at this time or later (ISO 8601)."
)
@click.option(
    "--before", type=iso_time, metavar="TIME", help="Only search photos modified before this time (ISO 8601)."
)
@click.option(
    "--group-copies",
    is_flag=True,
    help="Make one result of copies of one photo: the same file, or saved again in another size or quality.",
)
@click.option("--photo", is_flag=True, help="Treat SKETCH as a photo, and find photos that look like it.")
@click.option("--model", metavar="MODEL", help="Fail if the library was built with another model.")
@result_options
def search_command(
    sketch: Path | None,
    library: Address,
    k: int,
    offset: int,
    folder: Address | None,
    after: datetime | None,
    before: datetime | None,
    group_copies: bool,
    photo: bool,
    model: str | None,
    output: ResultOptions,
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
      sketchseek search cat.svg --explain why.png
      sketchseek search cat.svg --print0 | xargs -0 cp -t found
      echo '[[[0,50,100,0],[100,0,100,100]]]' | sketchseek search -
    """
    from sketchseek.search.library import Library
    from sketchseek.search.params import Filter
    from sketchseek.search.path_case import on_disk
    from sketchseek.search.scan import from_user

    output.check()
    with report_errors(output.as_json), Library.open(library, model) as opened:
        if isinstance(folder, Path):
            folder = Path(os.fsdecode(on_disk(from_user(folder))))
        results = search(
            opened,
            sketch,
            photo=photo,
            page={"k": k, "offset": offset, "filter": Filter(folder, after, before), "group_copies": group_copies},
            **criteria,
        )
        nothing = _no_results(offset, folder, after, before, words=bool(criteria["text"]))
        print_results(results, nothing, output, opened)


def _no_results(
    offset: int, folder: Address | None, after: datetime | None, before: datetime | None, *, words: bool
) -> str:
    if words:
        return "There are no photos with these words."
    if offset:
        return f"There are no results after rank {offset:,}."
    if after or before:
        return "There are no photos that match the filter."
    return "There are no photos in this folder." if folder else "There are no photos in the library."
