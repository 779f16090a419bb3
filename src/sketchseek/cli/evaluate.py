"""``sketchseek evaluate``: measure a model on a data set or by another protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sketchseek.cli.output import json_option
from sketchseek.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from sketchseek.datasets.registry import DatasetSpec
    from sketchseek.encoder import Encoder
    from sketchseek.evaluation.protocols import Evaluation
    from sketchseek.progress import Progress

Command = TypeVar("Command", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path)


def _checked(context: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a table's file before the evaluation, not after it."""
    from sketchseek.evaluation.tables import check_suffix

    if path is not None:
        check_suffix(path)
    return path


def _options(command: Command) -> Command:
    for option in (
        click.option(
            "--corruption",
            metavar="NAME",
            help="Corrupt every sketch first: thick, thin, small, corner, inverted, colored, photographed. For strokes "
            "also first-30, first-50, first-70 (percent of the ink) and wobbly.",
        ),
        click.option("--threads", default=0, show_default="all cores", help="Number of threads for the encoders."),
        click.option("--report", "page", type=_FOLDER, help="Write an HTML page that shows results."),
        click.option(
            "--rankings",
            type=_FOLDER,
            callback=_checked,
            help="Write the rank of every query to FILE.csv, .md or .tex.",
        ),
        click.option(
            "--table",
            type=_FOLDER,
            callback=_checked,
            help="Write the metrics of each category to FILE.csv, .md or .tex.",
        ),
        click.option("--out", type=_FOLDER, help="Also write the report (JSON) to a file."),
        json_option,
        click.option(
            "--model",
            default=DEFAULT_MODEL,
            show_default=True,
            help="Name of a bundled model, or path of a model package.",
        ),
    ):
        command = option(command)
    return command


_mirrored = click.option(
    "--mirrored",
    is_flag=True,
    help="Also measure whether sketches are nearer to their photo than to its mirror image, and recall among both.",
)


_on_the_fly = click.option(
    "--on-the-fly",
    is_flag=True,
    help="Also measure how early each sketch finds its photo while it is drawn: m@A and m@B. Needs strokes.",
)


class _DatasetGroup(click.Group):
    """A group with one command for each data set of the registry that can be evaluated, beside its other commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from sketchseek.datasets.registry import dataset_specs

        return sorted({*self.commands, *(spec.name for spec in dataset_specs("evaluate"))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from sketchseek.datasets.registry import dataset_specs

        if cmd_name in self.commands:
            return self.commands[cmd_name]
        spec = next((spec for spec in dataset_specs("evaluate") if spec.name == cmd_name), None)
        return None if spec is None else _dataset_command(spec)


def _dataset_command(spec: DatasetSpec) -> click.Command:
    """The command that evaluates on one data set."""
    name = spec.name

    def callback(folder: Path, exclude: tuple[str, ...] = (), variant: str = "", **options: Any) -> None:
        from sketchseek.evaluation.protocols import evaluate_dataset

        _run(
            lambda encoder, progress: evaluate_dataset(
                name, folder, encoder, variant=variant, exclude=exclude, progress=progress
            ),
            **options,
        )

    callback.__doc__ = _dataset_help(spec)
    callback = _options(callback)
    if spec.relevance == "photo":
        callback = _mirrored(callback)
        callback = _on_the_fly(callback) if spec.strokes else callback
    if spec.variants:
        callback = click.option(
            "--variant",
            type=click.Choice(spec.variants),
            default=spec.variants[0],
            show_default=True,
            help="Which rendition of photos and sketches to read.",
        )(callback)
    if spec.exclusion_lists:
        callback = click.option(
            "--exclude",
            multiple=True,
            type=click.Choice(spec.exclusion_lists),
            help="Exclude the sketches on this list of invalid sketches. Can be repeated.",
        )(callback)
    callback = click.argument("folder", type=_FOLDER)(callback)
    return click.command(name)(callback)


def _dataset_help(spec: DatasetSpec) -> str:
    which = f"test split ({spec.splits[0]})" if spec.splits else "all photos and sketches"
    must = {
        "photo": "Each sketch must find its own photo among all photos of the gallery.",
        "category": "Each sketch must find photos of its category. Adds mAP and P@k.",
    }
    accuracy = " Adds acc@1, acc@5 and acc@10." if spec.accuracy else ""
    return (
        f"{spec.title}: {which}.\n\n{must[spec.relevance or 'photo']}{accuracy} {spec.layout}\n\n\b\n"
        f"Example:\n  sketchseek evaluate {spec.name} ~/data/{spec.name} --json"
    )


@click.group("evaluate", cls=_DatasetGroup)
def evaluate_command() -> None:
    """Measure how well a model finds photos with sketches.

    Each protocol prints its metrics with 95 % bootstrap intervals.
    """


@evaluate_command.command("sketchy-zero-shot")
@click.argument("folder", type=_FOLDER)
@click.option("--photos", type=_FOLDER, help="Folder of further photos, <category>/*.jpg, such as Sketchy Extended's.")
@click.option(
    "--split",
    type=click.Choice(["sketchy-104-21", "sketchy-100-25"]),
    default="sketchy-104-21",
    show_default=True,
    help="Which categories are unseen.",
)
@_options
def sketchy_zero_shot_command(folder: Path, photos: Path | None, split: str, **options: Any) -> None:
    """The Sketchy Database's unseen categories (104/21 or 100/25): mAP, mAP@200, P@100, P@200.

    Zero-shot only if the model was not trained on these categories.

    \b
    Example:
      sketchseek evaluate sketchy-zero-shot ~/data/sketchy --photos ~/data/EXTEND_image_sketchy --model runs/mine
    """
    from sketchseek.evaluation.zero_shot import evaluate_sketchy_zero_shot

    _run(
        lambda encoder, progress: evaluate_sketchy_zero_shot(
            folder, encoder, split=split, photos=photos, progress=progress
        ),
        **options,
    )


@evaluate_command.command("quickdraw-extended-zero-shot")
@click.argument("folder", type=_FOLDER)
@_options
def quickdraw_extended_command(folder: Path, **options: Any) -> None:
    """QuickDraw-Extended's 30 unseen categories (80/30): mAP, mAP@200, P@100, P@200.

    Zero-shot only if the model was not trained on these categories.

    \b
    Example:
      sketchseek evaluate quickdraw-extended-zero-shot ~/data/quickdraw-extended --model runs/mine
    """
    from sketchseek.evaluation.zero_shot import evaluate_quickdraw_extended

    _run(lambda encoder, progress: evaluate_quickdraw_extended(folder, encoder, progress=progress), **options)


@evaluate_command.command("tuberlin")
@click.argument("folder", type=_FOLDER)
@click.argument("photos", type=_FOLDER)
@click.option(
    "--split",
    type=click.Choice(["all", "zero-shot"]),
    default="zero-shot",
    show_default=True,
    help="Evaluate all categories, or the 30 unseen ones of the 220/30 split.",
)
@click.option("--seed", type=int, help="Choose the 30 unseen categories by this seed, instead of the published choice.")
@_options
def tuberlin_command(folder: Path, photos: Path, split: str, seed: int | None, **options: Any) -> None:
    """TU-Berlin's sketches against PHOTOS, <category>/*.jpg: mAP, mAP@200, P@100, P@200.

    \b
    Example:
      sketchseek evaluate tuberlin ~/data/tuberlin ~/data/tuberlin-extended/ImageResized --json
    """
    from sketchseek.evaluation.zero_shot import evaluate_tuberlin

    _run(
        lambda encoder, progress: evaluate_tuberlin(
            folder, photos, encoder, zero_shot=split == "zero-shot", seed=seed, progress=progress
        ),
        **options,
    )


@evaluate_command.command("words")
@click.argument("sketches", type=_FOLDER)
@click.argument("photos", type=_FOLDER)
@click.option(
    "--split",
    type=click.Choice(["test", "all"]),
    default="test",
    show_default=True,
    help="Evaluate the test split, or all sketches.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of sketches per word.")
@_options
def words_command(sketches: Path, photos: Path, split: str, limit: int | None, **options: Any) -> None:
    """Quick, Draw! sketches against photos of the categories that their words name.

    \b
    Example:
      sketchseek evaluate words ~/data/quickdraw ~/data/caltech101
    """
    from sketchseek.evaluation.protocols import evaluate_words

    _run(
        lambda encoder, progress: evaluate_words(
            sketches, photos, encoder, split=split, limit=limit, progress=progress
        ),
        **options,
    )


@evaluate_command.command("table")
@click.argument("rankings", type=_FOLDER)
@click.option(
    "--out", type=_FOLDER, callback=_checked, help="Write to FILE.csv, .md or .tex.  [default: print Markdown]"
)
def table_command(rankings: Path, out: Path | None) -> None:
    """Make the table of categories from the ranks that --rankings stored in RANKINGS (CSV), without a model.

    \b
    Example:
      sketchseek evaluate table ranks.csv --out categories.tex
    """
    from sketchseek.evaluation.category_table import stored_category_table

    table = stored_category_table(rankings)
    if out is None:
        click.echo(table.markdown(), nl=False)
    else:
        table.write(out)


def _run(
    evaluate: Callable[[Encoder, Progress], Evaluation],
    *,
    model: str,
    as_json: bool,
    out: Path | None,
    page: Path | None,
    table: Path | None,
    rankings: Path | None,
    threads: int,
    corruption: str | None,
    mirrored: bool = False,
    on_the_fly: bool = False,
) -> None:
    from sketchseek.cli.progress import stage_bars
    from sketchseek.encoder import load_encoder

    encoder = load_encoder(model, threads=threads)
    if corruption is not None:
        from sketchseek.evaluation.corruptions import CorruptedSketches

        encoder = CorruptedSketches(encoder.package, corruption, threads=threads)
    with stage_bars("embedding") as progress:
        result = evaluate(encoder, progress)
        if mirrored:
            from sketchseek.evaluation.mirroring import add_mirror_metrics

            add_mirror_metrics(result, encoder, progress=lambda what, *done: progress(f"mirrored {what}", *done))
        if on_the_fly:
            from sketchseek.evaluation.on_the_fly import add_on_the_fly_metrics

            result = add_on_the_fly_metrics(result, encoder, progress=progress)
    if corruption is not None:
        result = result.with_details(corruption=corruption)
    _write_tables(result, table, rankings)
    _write_report(result, as_json=as_json, out=out, page=page)


def _write_tables(result: Evaluation, table: Path | None, rankings: Path | None) -> None:
    from sketchseek.evaluation.category_table import category_table, ranking_table

    if table is not None:
        category_table(result).write(table)
    if rankings is not None:
        ranking_table(result).write(rankings)


def _write_report(result: Evaluation, *, as_json: bool, out: Path | None, page: Path | None) -> None:
    """Write the report's files, and print it."""
    from rich.console import Console

    if out is not None:
        result.report.write(out)
    if page is not None:
        from sketchseek.evaluation.html_report import write_page

        write_page(page, result)
    if as_json:
        click.echo(result.report.to_json())
        return
    console = Console()
    console.print(result.report.table())
    for note in result.report.notes():
        console.print(note, markup=False, highlight=False, soft_wrap=True)
