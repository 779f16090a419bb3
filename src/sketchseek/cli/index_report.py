"""Printing what an indexing run did."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sketchseek.cli.output import print_json, shown

if TYPE_CHECKING:
    from sketchseek.search.results import IndexReport


def print_report(report: IndexReport, *, as_json: bool, exit_if_missing: bool = True) -> None:
    """Print a report on standard output: for people, or as JSON. Exit with status 1 if an indexed folder is missing."""
    if as_json:
        print_json(asdict(report))
    else:
        _print_for_people(report)
    for folder in report.missing:
        click.echo(
            f"Error: {shown(folder)}: the folder is missing; its photos stay in the library.\n"
            f'Connect its drive and run "sketchseek sync", or run "sketchseek remove {shown(folder)}".',
            err=True,
        )
    if report.missing and exit_if_missing:
        sys.exit(1)


def _print_for_people(report: IndexReport) -> None:
    click.echo(
        f"{report.indexed:,} indexed, {report.unchanged:,} unchanged, {report.moved:,} moved, "
        f"{report.removed:,} removed, {report.failed:,} failed in {report.seconds:.1f} s."
    )
    if report.unread:
        click.echo(f"{unread_files(report.unread)}.{_advice(report.unread)}")
    if report.links:
        links = "1 symbolic link to a folder was" if report.links == 1 else f"{report.links:,} links to folders were"
        click.echo(f"{links} not followed. To follow links, index with --follow-symlinks.")
    if report.failed:
        click.echo('Run "sketchseek failures" to list the failures.')


def unread_files(unread: Mapping[str, int]) -> str:
    """Return a phrase such as ``4 files in formats that are not read: heic 3, mp4 1``."""
    count = sum(unread.values())
    files = "1 file in a format that is" if count == 1 else f"{count:,} files in formats that are"
    return f"{files} not read: {', '.join(f'{suffix} {number:,}' for suffix, number in unread.items())}"


def _advice(unread: Mapping[str, int]) -> str:
    """Return how to read these files, with a space before it; empty if no extra does."""
    from sketchseek.images.formats import EXTRAS, install_command

    suffixes = {f".{suffix}" for suffix in unread}
    extras = [extra for extra in EXTRAS if not extra.installed and not extra.suffixes.isdisjoint(suffixes)]
    if not extras:
        return ""
    return f" To read {', '.join(extra.formats for extra in extras)}: {install_command(extras)}"
