"""A combined query: any number of sketches and photos, each positive or negative, words, and colors.

::

    examples = (
        Example(sketch="cat.svg"),
        Example(photo="tabby.jpg", weight=0.5),
        Example(sketch="dog.svg", negative=True),
    )
    Query(examples=examples, text="garden 2019")
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy.typing as npt

from sketchseek.errors import InputError
from sketchseek.images import ImageSource
from sketchseek.search.colors import MAX_COLORS, PaletteColor
from sketchseek.sketches import SketchSource

TextMode = Literal["rank", "require"]

MAX_EXAMPLES = 20
MAX_TEXT = 1000
MAX_WEIGHT = 1000.0


@dataclass(frozen=True, eq=False)
class Example:
    """A sketch, a photo or an embedding of what is searched, or of what is not.

    Attributes:
        sketch: Strokes, SVG or an image; see ``sketchseek.sketches.rasterize_sketch``.
        photo: Id of a photo in the library, or a path, an image's bytes or a PIL image.
        embedding: Embedding by the library's model, (d,).
        weight: Weight among the examples, above 0.
        negative: Whether results should not look like it. A negative photo of the library is not returned.

    Raises:
        InputError: There is not exactly one of ``sketch``, ``photo`` and ``embedding``, or the weight is not above 0.
    """

    sketch: SketchSource | None = None
    photo: ImageSource | int | None = None
    embedding: npt.ArrayLike | None = None
    weight: float = 1.0
    negative: bool = False

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.sketch, self.photo, self.embedding)) != 1:
            raise InputError("an example must be exactly one of sketch, photo and embedding.")
        _check_weight(self.weight, "an example")
        if self.weight == 0:
            raise InputError("the weight of an example is 0.", remedy="Leave the example out.")


@dataclass(frozen=True, eq=False)
class Query:
    """What to search for; at least one positive example, words or a color.

    Attributes:
        examples: Sketches, photos and embeddings. Their weighted mean is searched; see
            ``sketchseek.search.feedback.mean_of_examples``.
        text: Words in file and folder names, captions, keywords, camera, date and place, in any order.
        text_mode: ``rank`` moves photos with these words up; ``require`` finds only photos that have all of them.
        text_weight: With ``rank``, weight of the words relative to the examples. See ``sketchseek.search.fusion``.
        colors: Colors that photos should have; see ``sketchseek.search.colors``.
        color_weight: Weight of the colors relative to the examples.
        parts: Whether a sketch that shows two separate objects is also searched by each of them, in their places if the
            library has regions. Nothing changes if the sketch does not, or is not the only example.

    Raises:
        InputError: There is nothing to search for, or a weight is invalid.
    """

    examples: tuple[Example, ...] = ()
    text: str = ""
    text_mode: TextMode = "rank"
    text_weight: float = 1.0
    colors: tuple[PaletteColor, ...] = ()
    color_weight: float = 0.5
    parts: bool = False

    def __post_init__(self) -> None:
        if len(self.examples) > MAX_EXAMPLES:
            raise InputError(f"{len(self.examples)} examples; the maximum is {MAX_EXAMPLES}.")
        if len(self.text) > MAX_TEXT:
            raise InputError(f"a text of {len(self.text):,} characters; the maximum is {MAX_TEXT:,}.")
        if self.text_mode not in ("rank", "require"):
            raise InputError(f"text_mode is {self.text_mode!r}; it must be rank or require.")
        _check_weight(self.text_weight, "the text")
        _check_weight(self.color_weight, "the colors")
        if len(self.colors) > MAX_COLORS:
            raise InputError(f"{len(self.colors)} colors; the maximum is {MAX_COLORS}.")
        positive = any(not example.negative for example in self.examples)
        if self.examples and not positive:
            raise InputError("every example is negative.", remedy="Add a sketch or a photo of what you search for.")
        if not self.examples and not self.text.strip() and not self.colors:
            raise InputError("there is nothing to search for.", remedy="Give a sketch, a photo, words or colors.")


def _check_weight(weight: float, subject: str) -> None:
    if not (isinstance(weight, (int, float)) and math.isfinite(weight) and 0 <= weight <= MAX_WEIGHT):
        raise InputError(f"the weight of {subject} is {weight}; it must be from 0 to {MAX_WEIGHT:g}.")
