"""``sketchseek demo``."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sketchseek.cli.output import json_option, print_json
from sketchseek.cli.progress import index_bar
from sketchseek.cli.report_errors import report_errors
from sketchseek.cli.serve import run_page
from sketchseek.errors import SketchseekError
from sketchseek.user_dirs import user_cache_dir, user_data_dir

if TYPE_CHECKING:
    from sketchseek.search.library import Library
    from sketchseek.search.results import ProgressCallback


@click.command("demo")
@click.argument("photos", required=False)
@click.option("--port", type=click.IntRange(0, 65535), help="Port; by default the first free one from 8765 on.")
@click.option("--model", metavar="MODEL", help="Name of a bundled model or path of a model package.")
@click.option("--no-open", is_flag=True, help="Do not open the page in the browser.")
@click.option("--sample", is_flag=True, help="Only write sample photos, sketches and a data set to the current folder.")
@click.option("--prepare-only", is_flag=True, help="Fetch and index, but serve nothing.")
@json_option
def demo_command(
    photos: str | None,
    port: int | None,
    model: str | None,
    no_open: bool,
    sample: bool,
    prepare_only: bool,
    as_json: bool,
) -> None:
    """Try it: index PHOTOS, or a gallery of rendered emoji, and open the sketch page.

    The library is kept in the user's data folder, one for each folder of photos. Without PHOTOS, the npm client fetches
    the package @lobehub/fluent-emoji-3d (16 MB, MIT license) once.

    With --sample, the files that the README's commands read are written to the current folder: photos, cat.png,
    cat.json, example.yaml and data/sketchy. They are drawn by code (CC0). Existing files are kept.

    With --json, {"url": ...} is printed once the page can be opened; with --prepare-only, {"library", "folder",
    "photos"}.

    \b
    Examples:
      sketchseek demo ~/Pictures
      sketchseek demo
      sketchseek demo --sample
      sketchseek demo ~/Pictures --prepare-only --json
    """
    if sample:
        _write_samples(photos, as_json)
        return

    from sketchseek.demo_gallery import prepare_gallery
    from sketchseek.search.library import Library
    from sketchseek.server.running import bind

    def say(text: str) -> None:
        if not as_json:
            click.echo(text, err=True)

    named = _existing_folder(photos) if photos else None  # `make demo` without PHOTOS gives an empty text
    with report_errors(as_json, keeps_work=True):
        folder = named or prepare_gallery(user_cache_dir() / "gallery", say=say)
        path = library_of(folder)
        with Library.open(path, None if path.is_dir() else model, create=True) as library:
            with index_bar(as_json) as progress:
                _index(library, folder, model, progress, say)
            if not prepare_only:
                with bind("127.0.0.1", port) as listener:
                    run_page(library, listener=listener, host="127.0.0.1", open_page=not no_open, as_json=as_json)
            elif as_json:
                click.echo(json.dumps({"library": str(path), "folder": str(folder), "photos": len(library)}))


def _existing_folder(photos: str) -> Path:
    folder = Path(os.path.expanduser(photos)).resolve()  # noqa: PTH111  Path's raises where there is no such user
    if not folder.is_dir():
        raise click.BadParameter(f"{folder}: no such folder.", param_hint="PHOTOS")
    return folder


def _index(
    library: Library, folder: Path, model: str | None, progress: ProgressCallback | None, say: Callable[[str], None]
) -> None:
    if not library.is_built_with(model):
        say("The library was built with another model: its photos are embedded again.")
        library.re_embed(model, progress)
    report = library.add([folder], progress)
    failed = f", {report.failed:,} failed" if report.failed else ""
    say(f"{len(library):,} photos in {library.path} ({report.indexed:,} new in {report.seconds:.1f} s{failed}).")


def _write_samples(photos: str | None, as_json: bool) -> None:
    from sketchseek.samples.files import write_samples

    if photos:
        raise click.UsageError("--sample writes to the current folder; leave PHOTOS out.")
    with report_errors(as_json):
        try:
            written = [path.as_posix() for path in write_samples(Path())]
        except OSError as error:
            raise SketchseekError(
                f"cannot write sample files ({error.strerror}).",
                subject=Path.cwd(),
                remedy="Change to a folder that you can write to.",
            ) from error
    if as_json:
        print_json({"folder": str(Path.cwd()), "written": written})
    elif written:
        click.echo(f"Wrote {', '.join(written)}.")
    else:
        click.echo("All sample files are there already.")


def library_of(folder: Path) -> Path:
    """Where the library of a folder of photos is kept."""
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-.")[:40] or "photos"
    return user_data_dir() / "demo" / f"{name}-{digest}"
