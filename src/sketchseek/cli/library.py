"""Commands that write, check and describe a library."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from sketchseek.cli.address import ADDRESS, Address
from sketchseek.cli.index_report import print_report, unread_files
from sketchseek.cli.library_option import library_option
from sketchseek.cli.output import json_option, print_json, shown
from sketchseek.cli.progress import index_bar
from sketchseek.cli.ray_option import ray_option, use_ray
from sketchseek.cli.report_errors import report_errors


@click.command("index")
@click.argument("folders", nargs=-1, type=ADDRESS, metavar="DIR...")
@library_option
@click.option(
    "--model", metavar="MODEL", help="Name of a bundled model, or path of a model package, for a new library."
)
@click.option("--re-embed", is_flag=True, help="Embed a library's photos again, with MODEL.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Skip files and folders, in the syntax of .gitignore; repeat for several. The library keeps the patterns "
    "until others are given; an empty one clears them.",
)
@click.option(
    "--follow-symlinks/--no-follow-symlinks",
    default=None,
    help="Follow symbolic links to folders. The library keeps the choice. Default: no.",
)
@click.option(
    "--hidden/--no-hidden",
    default=None,
    help="Index files and folders whose names begin with a dot, too. The library keeps the choice. Default: no.",
)
@click.option(
    "--regions/--no-regions",
    default=None,
    help="Embed halves of photos, too, for sketches of two objects (search --parts); takes about six times as long. "
    "The library keeps the choice. Default: no.",
)
@click.option(
    "--frames/--no-frames",
    default=None,
    help="Embed up to 8 frames of videos and animated pictures, to find what is shown later than at the beginning. The "
    "library keeps the choice. Default: no.",
)
@ray_option
@json_option
def index_command(
    folders: tuple[Address, ...],
    library: Address,
    model: str | None,
    re_embed: bool,
    exclude: tuple[str, ...],
    follow_symlinks: bool | None,
    hidden: bool | None,
    regions: bool | None,
    frames: bool | None,
    ray_address: str | None,
    as_json: bool,
) -> None:
    """Index the photos in folders and their subfolders.

    Photos that are already in the library are skipped. Deleted photos are removed. You can stop with Ctrl-C at any
    time; run the command again to continue.

    Folders that programs fill with pictures, such as node_modules and thumbnails, are skipped, and what a file named
    .sketchseekignore in a folder excludes (syntax of .gitignore).

    \b
    Examples:
      sketchseek index ~/Pictures
      sketchseek index ~/Pictures --exclude 'screenshots/' --exclude '*-draft.png'
      sketchseek index photos scans --library photos.library --json
      sketchseek index --library photos.library --model small --re-embed
      sketchseek index s3://bucket/photos --library s3://bucket/library
      sketchseek index 's3://bucket/shards/*.tar' s3://bucket/keys.txt --library s3://bucket/library
    """
    from sketchseek.search.library import Library

    if not folders and not re_embed:
        raise click.UsageError("Name a folder to index.")
    with report_errors(as_json, keeps_work=True), index_bar(as_json) as progress:
        if re_embed:
            with Library.open(library) as opened:
                report = opened.re_embed(model, progress)
        if folders:
            with Library.open(library, model, create=True) as opened:
                use_ray(opened, ray_address)
                report = opened.add(
                    folders,
                    progress,
                    exclude=exclude or None,
                    follow_symlinks=follow_symlinks,
                    hidden=hidden,
                    regions=regions,
                    frames=frames,
                )
    print_report(report, as_json=as_json)


@click.command("sync")
@library_option
@ray_option
@json_option
def sync_command(library: Address, ray_address: str | None, as_json: bool) -> None:
    """Bring a library up to date with its folders: new, changed, moved and deleted photos.

    If a folder is missing (a drive that is not connected, for example), its photos stay, and the exit status is 1.

    \b
    Examples:
      sketchseek sync
      sketchseek sync --library photos.library --json
    """
    from sketchseek.search.library import Library

    with report_errors(as_json, keeps_work=True), index_bar(as_json) as progress, Library.open(library) as opened:
        use_ray(opened, ray_address)
        report = opened.sync(progress)
    print_report(report, as_json=as_json)


@click.command("status")
@library_option
@json_option
def status_command(library: Address, as_json: bool) -> None:
    """Show the status of a library.

    \b
    Examples:
      sketchseek status
      sketchseek status --library photos.library --json
    """
    from sketchseek.search.library import Library

    with report_errors(as_json), Library.open(library) as opened:
        status = opened.status()
    if as_json:
        print_json(asdict(status))
        return
    for name, value in (
        ("Library", shown(status.path)),
        ("Photos", f"{status.photos:,}"),
        (
            "Failures",
            f"{status.failures:,}" + ('  (run "sketchseek failures" to list them)' if status.failures else ""),
        ),
        ("Not read", unread_files(status.unread) if status.unread else ""),
        ("Folders", "\n           ".join(shown(folder) for folder in status.folders) or "none"),
        ("Excluded", "\n           ".join(shown(path) for path in status.excluded)),
        ("Patterns", "\n           ".join(status.exclude)),
        ("Hidden", "files and folders whose names begin with a dot are indexed" if status.hidden else ""),
        ("Links", "symbolic links to folders are followed" if status.follow_symlinks else ""),
        ("Model", f"{status.model} ({status.fingerprint}), {status.dimensions} dimensions, {status.distance}"),
        ("Index", f"{status.engine or 'none on disk'}, {status.pending:,} changes since"),
        ("Size", f"{status.bytes / 1e6:.1f} MB"),
    ):
        if value:
            click.echo(f"{name:<10} {value}")


@click.command("remove")
@click.argument("paths", nargs=-1, required=True, type=ADDRESS, metavar="PATH...")
@library_option
@json_option
def remove_command(paths: tuple[Address, ...], library: Address, as_json: bool) -> None:
    """Remove photos or folders from a library. Files are not deleted.

    "sketchseek sync" skips removed paths until you index them by name.

    \b
    Examples:
      sketchseek remove ~/Pictures/receipts
      sketchseek remove photos/1.jpg --library photos.library --json
    """
    from sketchseek.search.library import Library

    with report_errors(as_json), Library.open(library) as opened:
        removed = opened.remove(paths)
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo(f"{removed:,} photos removed from the library.")


@click.command("failures")
@library_option
@json_option
def failures_command(library: Address, as_json: bool) -> None:
    """List the files that could not be indexed, with reasons. They are tried again when they change.

    \b
    Examples:
      sketchseek failures
      sketchseek failures --library photos.library --json
    """
    from sketchseek.search.library import Library

    with report_errors(as_json), Library.open(library) as opened:
        failures = opened.failures()
    if as_json:
        print_json([{"path": str(failure.path), "reason": failure.reason} for failure in failures])
        return
    if not failures:
        click.echo("There are no failures.", err=True)
    for failure in failures:
        click.echo(f"{shown(failure.path)}: {shown(failure.reason)}")


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
def verify_command(library: Address, sample: int, as_json: bool) -> None:
    """Check a library's catalog, words, embeddings, index and model. Exits with status 1 if there is a problem.

    \b
    Examples:
      sketchseek verify
      sketchseek verify --sample 100
      sketchseek verify --library photos.library --json
    """
    from sketchseek.search.library import Library

    with report_errors(as_json), Library.open(library) as opened:
        found = opened.verify(sample=sample)
    if as_json:
        print_json({"ok": found.ok, "checks": found.checks, "problems": found.problems})
    else:
        for problem in found.problems:
            click.echo(problem)
        click.echo(
            f"Checked: {', '.join(found.checks)}. " + ("No problems found." if found.ok else "See the problems above.")
        )
    if not found.ok:
        sys.exit(1)


@click.command("repair")
@library_option
@json_option
def repair_command(library: Address, as_json: bool) -> None:
    """Rebuild a damaged library from what can still be read, and list what is lost.

    Photos are not touched. A copy of the damaged files is kept in the library's folder. Stop servers of the library
    first, and run "sketchseek sync" afterwards: it embeds lost photos again. Exits with status 1 if photos are lost.

    \b
    Examples:
      sketchseek repair
      sketchseek repair --library photos.library --json
    """
    from sketchseek.search.repair import repair

    if isinstance(library, str):
        raise click.UsageError("A library in Lance is not repaired; Lance can restore an earlier version of its table.")
    with report_errors(as_json):
        report = repair(library)
    if as_json:
        print_json(asdict(report))
    elif not report.problems:
        click.echo(f"No problems found. {report.kept:,} photos.")
    else:
        for problem in report.problems[:20]:
            click.echo(f"Damaged: {problem}")
        for path in report.lost:
            click.echo(f"Lost: {shown(path)}")
        click.echo(f"{report.kept:,} photos kept, {len(report.lost):,} lost. Damaged files: {shown(report.copy or '')}")
        if report.incomplete:
            click.echo('Some names may be lost, too. Run "sketchseek sync" to embed lost photos again.')
    if report.lost or report.incomplete:
        sys.exit(1)
