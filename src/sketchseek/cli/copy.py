"""``sketchseek copy``: copy a library between a folder and Lance."""

from __future__ import annotations

from dataclasses import asdict

import click

from sketchseek.cli.address import ADDRESS, Address
from sketchseek.cli.output import json_option, print_json
from sketchseek.cli.progress import index_bar
from sketchseek.cli.report_errors import report_errors


@click.command("copy")
@click.argument("source", type=ADDRESS, metavar="FROM")
@click.argument("target", type=ADDRESS, metavar="TO")
@json_option
def copy_command(source: Address, target: Address, as_json: bool) -> None:
    """Copy a library with its embeddings: from a folder to object storage, or back. See the guide on object storage.

    Photos are not copied; the new library names the same files. Both libraries are compared at the end. You can stop
    with Ctrl-C at any time; run the command again to continue.

    \b
    Examples:
      sketchseek copy photos.library file:///mnt/shared/library
      sketchseek copy s3://bucket/library photos.library
    """
    from sketchseek.cluster.extra import require_extra

    with report_errors(as_json, keeps_work=True), index_bar(as_json) as progress:
        require_extra("lance", "obstore", "pyarrow")
        from sketchseek.cluster.copying import copy_library

        report = copy_library(source, target, progress)
    if as_json:
        print_json(asdict(report))
    else:
        present = f", {report.present:,} were there already" if report.present else ""
        click.echo(f"{report.copied:,} photos copied{present}. Both libraries have checksum {report.checksum[:16]}.")
