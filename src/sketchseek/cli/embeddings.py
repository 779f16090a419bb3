"""``sketchseek embeddings``: write a library's embeddings to a Parquet file."""

from __future__ import annotations

from pathlib import Path

import click

from sketchseek.cli.address import Address
from sketchseek.cli.library_option import library_option
from sketchseek.cli.output import json_option, print_json
from sketchseek.cli.progress import index_bar
from sketchseek.cli.report_errors import report_errors
from sketchseek.shown import shown


@click.command("embeddings")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@library_option
@json_option
def embeddings_command(file: Path, library: Address, as_json: bool) -> None:
    """Write the embeddings of a library's photos to FILE (Parquet), with their ids, paths and sizes.

    \b
    Example:
      sketchseek embeddings photos.parquet --library photos.library
    """
    from sketchseek.cluster.extra import require_extra

    with report_errors(as_json), index_bar(as_json) as progress:
        require_extra("lance", "obstore", "pyarrow", for_what="Parquet files")
        from sketchseek.cluster.embedding_export import export_embeddings

        written = export_embeddings(library, file, progress)
    if as_json:
        print_json({"written": written, "path": str(file)})
    else:
        click.echo(f"Embeddings of {written:,} photos written to {shown(str(file))}.")
