"""Options of ``sketchseek search`` for several sketches and photos, words, colors and explanations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from sketchseek.errors import SketchseekError

if TYPE_CHECKING:
    from sketchseek.images import ImageSource
    from sketchseek.search.colors import PaletteColor
    from sketchseek.search.combined_query import Example, Query
    from sketchseek.search.library import Library
    from sketchseek.search.results import SearchResult
    from sketchseek.sketches import SketchSource

_Command = TypeVar("_Command", bound=Callable[..., Any])

_EXAMPLE = "FILE[:WEIGHT]"


def query_options(command: _Command) -> _Command:
    """Add the options. ``search`` takes their values."""
    options = (
        click.option(
            "--text", default="", metavar="WORDS", help="Words in names, captions, keywords, camera, date and place."
        ),
        click.option("--require-text", is_flag=True, help="Only find photos that have every word of --text."),
        click.option(
            "--text-weight",
            type=click.FloatRange(0, 1000),
            default=1.0,
            show_default=True,
            help="Weight of --text relative to the sketches.",
        ),
        click.option(
            "--color",
            "colors",
            multiple=True,
            metavar="COLOR[:WEIGHT]",
            help="A color that photos should have: #rrggbb or a CSS name. Can be repeated.",
        ),
        click.option(
            "--color-weight",
            type=click.FloatRange(0, 1000),
            default=0.5,
            show_default=True,
            help="Weight of --color relative to the sketches.",
        ),
        click.option(
            "--parts",
            is_flag=True,
            help="If SKETCH shows two separate objects, search for each of them, too: in their places if the library "
            "was indexed with --regions.",
        ),
        click.option("--also", multiple=True, metavar=_EXAMPLE, help="A further sketch. Can be repeated."),
        click.option("--also-photo", multiple=True, metavar=_EXAMPLE, help="A photo to find more of. Can be repeated."),
        click.option("--not", "unlike", multiple=True, metavar=_EXAMPLE, help="A sketch of what not to find."),
        click.option("--not-photo", "unlike_photo", multiple=True, metavar=_EXAMPLE, help="A photo not to find."),
        click.option(
            "--explain",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="PNG",
            help="Write a picture that shows what matches in the best result.",
        ),
    )
    for option in reversed(options):  # the last one added comes first in the help
        command = option(command)
    return command


def search(
    library: Library,
    sketch: Path | None,
    *,
    photo: bool,
    page: Mapping[str, Any],
    explain: Path | None,
    **criteria: Any,
) -> list[SearchResult]:
    """Search with the values of the options.

    Args:
        library: An open library.
        sketch: The first sketch, or photo if ``photo``; ``-`` for standard input; None for a search by words.
        photo: Whether ``sketch`` is a photo.
        page: The other arguments of ``Library.search``.
        explain: Where to write a picture that explains the first result; None for no picture.
        criteria: Values of the other ``query_options``.
    """
    source = sys.stdin.buffer.read() if str(sketch) == "-" else sketch
    query = _read_query(source, photo=photo, **criteria)
    if query is not None:
        results = library.search_query(query, **page)
    else:
        assert source is not None
        results = (library.search_photo if photo else library.search)(source, **page)
    if explain is not None and results:
        _write_explanation(library, query, source, results[0], explain, photo=photo)
    return results


def _write_explanation(
    library: Library,
    query: Query | None,
    source: SketchSource | None,
    result: SearchResult,
    file: Path,
    *,
    photo: bool,
) -> None:
    from sketchseek.errors import InputError
    from sketchseek.search.combined_query import Example, Query
    from sketchseek.search.overlay import explanation_picture

    if query is None:
        first = Example(photo=cast("ImageSource", source)) if photo else Example(sketch=source)
        query = Query((first,))
    explanation = library.explain(result.id, query)
    source_of = result.path if isinstance(result.path, Path) else library.photo_bytes(result.id)
    try:
        explanation_picture(explanation, query, source_of).save(file, format="PNG")
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error}).", subject=file) from error


def _read_query(
    sketch: SketchSource | None,
    *,
    photo: bool,
    text: str,
    require_text: bool,
    text_weight: float,
    colors: tuple[str, ...],
    color_weight: float,
    also: tuple[str, ...],
    also_photo: tuple[str, ...],
    unlike: tuple[str, ...],
    unlike_photo: tuple[str, ...],
    parts: bool,
) -> Query | None:
    """Return the combined query; None if the options describe a search by one sketch or photo only.

    Raises:
        click.UsageError: There is nothing to search for, or a weight is invalid.
    """
    from sketchseek.search.combined_query import Example, Query

    others = [
        _example(value, photo=is_photo, negative=negative)
        for values, is_photo, negative in (
            (also, False, False),
            (also_photo, True, False),
            (unlike, False, True),
            (unlike_photo, True, True),
        )
        for value in values
    ]
    if sketch is not None:
        if not others and not text and not colors and not parts:
            return None
        others.insert(0, Example(photo=cast("ImageSource", sketch)) if photo else Example(sketch=sketch))
    elif not others and not text and not colors:
        raise click.UsageError("Name a sketch, or give words with --text or a color with --color.")
    return Query(
        tuple(others),
        text,
        "require" if require_text else "rank",
        text_weight,
        tuple(_color(value) for value in colors),
        color_weight,
        parts,
    )


def _color(value: str) -> PaletteColor:
    from sketchseek.search.colors import PaletteColor

    name, separator, number = value.partition(":")
    try:
        return PaletteColor(name, float(number) if separator else 1.0)
    except ValueError as error:
        if isinstance(error, SketchseekError):
            raise
        raise click.UsageError(f"--color {value}: the weight is not a number.") from error


def _example(value: str, *, photo: bool, negative: bool) -> Example:
    """Parse ``FILE`` or ``FILE:WEIGHT``; an existing file is never taken for a name with a weight."""
    from sketchseek.search.combined_query import Example

    path, weight = Path(value), 1.0
    name, separator, number = value.rpartition(":")
    if separator and name and not path.exists():
        with suppress(ValueError):
            path, weight = Path(name), float(number)
    return Example(sketch=None if photo else path, photo=path if photo else None, weight=weight, negative=negative)
