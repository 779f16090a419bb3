"""``sketchseek evaluate``: measure a model by a protocol, on the user's own copy of the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sketchseek.models.package import DEFAULT_MODEL

if TYPE_CHECKING:
    from sketchseek.encoder import Encoder
    from sketchseek.evaluation.encode_dataset import Progress
    from sketchseek.evaluation.protocols import Evaluation

Command = TypeVar("Command", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path)


def _options(command: Command) -> Command:
    for option in (
        click.option(
            "--drawn",
            metavar="HOW",
            help="Change every sketch first: thick, thin, small, corner, inverted, colored, photographed; "
            "strokes also first-30, first-50, first-70 (per cent of their lines), wobbly.",
        ),
        click.option("--threads", default=0, show_default="all cores", help="Threads that the encoders may use."),
        click.option("--report", "page", type=_FOLDER, help="Write a page (HTML) with pictures of what was found."),
        click.option("--out", type=_FOLDER, help="Write the report (JSON) to a file, too."),
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
        click.option(
            "--model", default=DEFAULT_MODEL, show_default=True, help="Bundled model's name or package's path."
        ),
    ):
        command = option(command)
    return command


_mirrored = click.option(
    "--mirrored",
    is_flag=True,
    help="Measure also whether sketches prefer their photo to its mirror image, and recall among both.",
)


@click.group("evaluate")
def evaluate_command() -> None:
    """Measure how well a model finds photos with sketches.

    Each protocol prints its metrics with 95 % bootstrap intervals.
    """


@evaluate_command.command("sketchy")
@click.argument("folder", type=_FOLDER)
@click.option(
    "--exclude",
    multiple=True,
    type=click.Choice(["ambiguous", "context", "error", "pose"]),
    help="Leave out the sketches on this list of invalid ones; may be given again.",
)
@_mirrored
@_options
def sketchy_command(folder: Path, exclude: tuple[str, ...], **options: Any) -> None:
    """The Sketchy Database's official protocol.

    Each sketch of a photo on info/testset.txt must find that very photo among all of them.

    \b
    Example:
      sketchseek evaluate sketchy ~/data/sketchy --model small --json
    """
    from sketchseek.evaluation.protocols import evaluate_sketchy

    _run(lambda encoder, progress: evaluate_sketchy(folder, encoder, exclude=exclude, progress=progress), **options)


@evaluate_command.command("chairv2")
@click.argument("folder", type=_FOLDER)
@_mirrored
@_options
def chairv2_command(folder: Path, **options: Any) -> None:
    """QMUL-Chair-V2's test part by its own split: acc@1, acc@5, acc@10.

    The folder holds photo/ and sketches.ndjson, or pictures: photo/train, sketch/train …, trainA, trainB …, or photo,
    sketch and photo_train.txt ….

    \b
    Example:
      sketchseek evaluate chairv2 ~/data/chairv2
    """
    from sketchseek.evaluation.protocols import evaluate_qmul

    _run(lambda encoder, progress: evaluate_qmul(folder, "chairv2", encoder, progress=progress), **options)


@evaluate_command.command("shoev2")
@click.argument("folder", type=_FOLDER)
@_options
def shoev2_command(folder: Path, **options: Any) -> None:
    """QMUL-Shoe-V2's test part by its own split, in the same layouts as ChairV2.

    \b
    Example:
      sketchseek evaluate shoev2 ~/data/ShoeV2
    """
    from sketchseek.evaluation.protocols import evaluate_qmul

    _run(lambda encoder, progress: evaluate_qmul(folder, "shoev2", encoder, progress=progress), **options)


@evaluate_command.command("sketchy-zero-shot")
@click.argument("folder", type=_FOLDER)
@click.option("--photos", type=_FOLDER, help="Further photos, <category>/*.jpg, such as Sketchy Extended's.")
@_options
def sketchy_zero_shot_command(folder: Path, photos: Path | None, **options: Any) -> None:
    """The Sketchy Database's 21 unseen categories (104/21): mAP, mAP@200, P@100, P@200.

    Zero-shot only for a model that was not trained on these categories.

    \b
    Example:
      sketchseek evaluate sketchy-zero-shot ~/data/sketchy --photos ~/data/EXTEND_image_sketchy --model runs/mine
    """
    from sketchseek.evaluation.zero_shot import evaluate_sketchy_zero_shot

    _run(
        lambda encoder, progress: evaluate_sketchy_zero_shot(folder, encoder, photos=photos, progress=progress),
        **options,
    )


@evaluate_command.command("tuberlin")
@click.argument("folder", type=_FOLDER)
@click.argument("photos", type=_FOLDER)
@click.option(
    "--split",
    type=click.Choice(["all", "zero-shot"]),
    default="zero-shot",
    show_default=True,
    help="Which categories: all, or the 30 unseen ones of the split 220/30.",
)
@click.option("--seed", type=int, help="Draw the 30 unseen categories anew by this seed instead of the published draw.")
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


@evaluate_command.command("pairs")
@click.argument("folder", type=_FOLDER)
@_mirrored
@_options
def pairs_command(folder: Path, **options: Any) -> None:
    """Your own pairs: photo/<name>.jpg and sketch/<name>-<n>.png.

    \b
    Example:
      sketchseek evaluate pairs ~/my-pairs --report pairs.html
    """
    from sketchseek.evaluation.protocols import evaluate_pairs

    _run(lambda encoder, progress: evaluate_pairs(folder, encoder, progress=progress), **options)


@evaluate_command.command("categories")
@click.argument("folder", type=_FOLDER)
@_options
def categories_command(folder: Path, **options: Any) -> None:
    """Your own categories: photo/<category>/* and sketch/<category>/*; adds mAP and P@k.

    \b
    Example:
      sketchseek evaluate categories ~/my-categories --json
    """
    from sketchseek.evaluation.protocols import evaluate_categories

    _run(lambda encoder, progress: evaluate_categories(folder, encoder, progress=progress), **options)


@evaluate_command.command("words")
@click.argument("sketches", type=_FOLDER)
@click.argument("photos", type=_FOLDER)
@click.option(
    "--part",
    type=click.Choice(["test", "all"]),
    default="test",
    show_default=True,
    help="Which sketches: those that our split keeps from training, or all.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Read at most so many sketches of a word.")
@_options
def words_command(sketches: Path, photos: Path, part: str, limit: int | None, **options: Any) -> None:
    """Quick, Draw! sketches against folders of photos that their words name.

    \b
    Example:
      sketchseek evaluate words ~/data/quickdraw ~/data/caltech101
    """
    from sketchseek.evaluation.protocols import evaluate_words

    _run(
        lambda encoder, progress: evaluate_words(sketches, photos, encoder, part=part, limit=limit, progress=progress),
        **options,
    )


def _run(
    evaluate: Callable[[Encoder, Progress], Evaluation],
    *,
    model: str,
    as_json: bool,
    out: Path | None,
    page: Path | None,
    threads: int,
    drawn: str | None,
    mirrored: bool = False,
) -> None:
    from rich.console import Console

    from sketchseek.cli.progress import stage_bars
    from sketchseek.encoder import load_encoder

    encoder = load_encoder(model, threads=threads)
    if drawn is not None:
        from sketchseek.evaluation.corruptions import CorruptedSketches

        encoder = CorruptedSketches(encoder.package, drawn, threads=threads)
    with stage_bars("embedding") as progress:
        result = evaluate(encoder, progress)
        if mirrored:
            from sketchseek.evaluation.mirroring import add_mirror_metrics

            add_mirror_metrics(result, encoder, progress=lambda what, *done: progress(f"mirrored {what}", *done))
    if drawn is not None:
        details = {**result.report.details, "drawn": drawn}
        result = dataclasses.replace(result, report=dataclasses.replace(result.report, details=details))
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
