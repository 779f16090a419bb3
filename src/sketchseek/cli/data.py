"""``sketchseek data``: list, download and check the official data sets."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sketchseek.cli.output import json_option, print_json
from sketchseek.cli.progress import download_bar
from sketchseek.cli.report_errors import report_errors
from sketchseek.shown import shown

if TYPE_CHECKING:
    from sketchseek.datasets.official import OfficialDataset
    from sketchseek.datasets.official_download import DownloadedFile

_FOLDER = click.Path(path_type=Path, file_okay=False)
_TRUST = {
    "given": "its SHA-256 is the one that you gave",
    "published": "its checksum is the published one",
    "earlier": "as in your first download",
    "first": "no published checksum is known. It is recorded now, and later downloads are compared with it",
}


@click.group("data")
def data_command() -> None:
    """Download and check the official data sets."""


@data_command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the data sets: page, terms, layout, and whether they can be downloaded from a stable address.

    \b
    Example:
      sketchseek data list
    """
    from sketchseek.datasets.official import OFFICIAL

    if as_json:
        print_json([_described(dataset) for dataset in OFFICIAL.values()])
        return
    for dataset in OFFICIAL.values():
        click.echo("\n".join([dataset.name, *(f"  {line}" for line in _lines(dataset))]))


@data_command.command("download")
@click.argument("name")
@click.argument("folder", type=_FOLDER)
@click.option("--accept-terms", is_flag=True, help="Accept the terms, which are shown without this option.")
@click.option("--word", "words", multiple=True, help="Word to download, for quickdraw. Can be repeated.")
@click.option("--sha256", default="", help="Checksum that the downloaded file must have.")
@click.option("--trust-new", is_flag=True, help="Accept a file that differs from your first download of it.")
@json_option
def download_command(
    name: str, folder: Path, accept_terms: bool, words: tuple[str, ...], sha256: str, trust_new: bool, as_json: bool
) -> None:
    """Download the data set NAME into FOLDER, check it and unpack it.

    The first call shows the terms; add --accept-terms to accept them. The same command continues an interrupted
    download, and skips what is there.

    \b
    Examples:
      sketchseek data download caltech101 ~/data/caltech101 --accept-terms
      sketchseek data download quickdraw ~/data/quickdraw --word cat --word "hot air balloon" --accept-terms
    """
    from sketchseek.datasets.official import official_dataset
    from sketchseek.datasets.official_download import download_dataset

    with report_errors(as_json, keeps_work=True):
        dataset = official_dataset(name)
        with download_bar(quiet=as_json) as progress:
            files = download_dataset(
                dataset,
                folder,
                accept_terms=accept_terms,
                words=words,
                sha256=sha256,
                trust_new=trust_new,
                progress=progress,
            )
        if as_json:
            print_json({"folder": str(folder), "files": [dataclasses.asdict(file) for file in files]})
            return
        for file in files:
            click.echo(shown(_told(file)))
        click.echo(f"Now run: sketchseek data check {name} {shown(str(folder))}")


@data_command.command("check")
@click.argument("name")
@click.argument("folder", type=_FOLDER)
@json_option
def check_command(name: str, folder: Path, as_json: bool) -> None:
    """Check that FOLDER holds the data set NAME as training and evaluation expect it, and compare it with the release.

    \b
    Example:
      sketchseek data check sketchy ~/data/sketchy
    """
    from sketchseek.datasets.official import check_folder, official_dataset

    with report_errors(as_json):
        dataset = official_dataset(name)
        found = check_folder(name, folder)
        if as_json:
            print_json(found.to_dict())
            return
        counts = ", ".join(f"{count:,} {what}" for what, count in found.counts.items())
        click.echo(f"{dataset.title}: {counts}.")
        for note in found.notes:
            click.echo(shown(note))
        if found.missing:
            click.echo(
                f"{len(found.missing):,} photos that have sketches are missing, such as {shown(found.missing[0])}."
            )


def _lines(dataset: OfficialDataset) -> list[str]:
    how = "sketchseek data download" if dataset.downloads else dataset.steps
    return [
        dataset.title,
        f"page      {dataset.page}",
        f"terms     {dataset.terms}",
        f"layout    {dataset.layout}",
        f"download  {how}",
    ]


def _described(dataset: OfficialDataset) -> dict[str, object]:
    return {
        "name": dataset.name,
        "title": dataset.title,
        "page": dataset.page,
        "terms": dataset.terms,
        "layout": dataset.layout,
        "downloads": dataset.downloads,
        "steps": dataset.steps,
        "files": [{"address": file.address, "checksum": file.checksum} for file in dataset.files],
    }


def _told(file: DownloadedFile) -> str:
    if not file.new:
        return f"{file.address}: is here already."
    return f"{file.address}: SHA-256 {file.sha256}; {_TRUST[file.trust]}."
