"""``python -m sketchseek.release``: build and measure the bundled models."""

from __future__ import annotations

from pathlib import Path

import click

from sketchseek.models.package import BUNDLED, bundled_models, load_model_package


@click.group()
def release() -> None:
    """Build and measure the bundled models (for maintainers)."""


@release.command("build")
@click.argument("pipeline", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the real data sets.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="For the runs.")
def build_command(pipeline: Path, data: Path, runs: Path) -> None:
    """Train and export every stage of the PIPELINE file that is not finished."""
    from sketchseek.release.data import link_data
    from sketchseek.release.pipeline import build

    link_data(data, runs / "data")
    ran = build(pipeline, runs / "data", runs, BUNDLED)
    click.echo(f"Stages that ran: {', '.join(ran) or 'none; all are finished'}.", err=True)


@release.command("measure")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the real data sets.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="For the links.")
@click.option(
    "--docs", type=click.Path(path_type=Path), default=Path("docs"), show_default=True, help="For the results."
)
def measure_command(models: tuple[str, ...], data: Path, runs: Path, docs: Path) -> None:
    """Evaluate MODELs (by default the bundled ones) and store their scores, costs and pictures of failures."""
    from sketchseek.release.data import link_data
    from sketchseek.release.measure import measure

    link_data(data, runs / "data")
    for name in models or bundled_models():
        measure(load_model_package(name), runs / "data", docs)


@release.command("queries")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the real data sets.")
@click.option(
    "--docs", type=click.Path(path_type=Path), default=Path("docs"), show_default=True, help="For the results."
)
def queries_command(models: tuple[str, ...], data: Path, docs: Path) -> None:
    """Measure what several drawings, words and colors gain, with MODELs (by default the bundled ones)."""
    from sketchseek.release.queries import measure_queries

    for name in models or bundled_models():
        measure_queries(load_model_package(name), data, docs)


if __name__ == "__main__":
    release()
