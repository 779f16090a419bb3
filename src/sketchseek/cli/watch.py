"""Keep a library current."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sketchseek.cli.index_report import print_report
from sketchseek.cli.library_option import library_option
from sketchseek.cli.output import json_option, shown
from sketchseek.cli.progress import index_bar
from sketchseek.cli.report_errors import report_errors

if TYPE_CHECKING:
    from sketchseek.search.results import IndexReport


@click.command("watch")
@library_option
@click.option(
    "--poll", is_flag=True, help="Compare the folders every second, for network drives, which report nothing."
)
@json_option
def watch_command(library: Path, poll: bool, as_json: bool) -> None:
    """Keep a library current: run "sync" now, and after each change in its folders, until you press Ctrl+C.

    Photos count as changed when nothing else has changed for two seconds. Servers and searches find the changes at
    once. If a folder is missing, its photos stay until it is back. With --json, each run that changes
    something prints one line.

    \b
    Examples:
      sketchseek watch
      sketchseek watch --library photos.library --poll
    """
    from sketchseek.search.library import Library

    with report_errors(as_json, handles_signals=True), Library.open(library) as opened, suppress(KeyboardInterrupt):
        with index_bar(as_json) as progress:  # only the first run may take long
            first = opened.sync(progress)
        _print(first, as_json=as_json)
        if not as_json:
            click.echo(f"Watching the folders of {shown(library)} (press Ctrl+C to stop)")
        for report in opened.watch(polling=poll):
            if report.indexed or report.failed or report.moved or report.removed:
                _print(report, as_json=as_json)


def _print(report: IndexReport, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(report), default=str))
    else:
        print_report(report, as_json=False, exit_if_missing=False)
