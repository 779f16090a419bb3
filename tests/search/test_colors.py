from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchseek.errors import InputError
from sketchseek.models.package import ModelPackage
from sketchseek.search.colors import SIGNATURE, PaletteColor, palette_scores, signature_of
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library import Library
from sketchseek.search.params import Filter

SKETCH = [[[0, 9], [0, 9]]]
COLORS = {"red": "#d02020", "green": "#20a040", "blue": "#2030c0", "gray": "#808080", "white": "#ffffff"}


def signatures(*pictures: Image.Image) -> np.ndarray:
    return np.stack([np.frombuffer(signature_of(np.asarray(picture)), np.uint8) for picture in pictures])


def plain(color: str) -> Image.Image:
    return Image.new("RGB", (90, 60), color)


def test_each_color_finds_its_picture() -> None:
    shelf = signatures(*map(plain, COLORS.values()))
    assert shelf.shape == (len(COLORS), SIGNATURE)
    np.testing.assert_allclose(np.linalg.norm(shelf.astype(float), axis=1), 255, rtol=0.02)
    for number, color in enumerate(COLORS.values()):
        scores = palette_scores(shelf, [PaletteColor(color)])
        assert scores.argmax() == number
        assert scores[number] > 0.9
        assert scores.max(initial=0) <= 1.01


def test_a_palette_prefers_the_picture_with_all_its_colors() -> None:
    both = plain("#d02020")
    ImageDraw.Draw(both).rectangle((45, 0, 90, 60), fill="#2030c0")
    shelf = signatures(both, plain("#d02020"), plain("#2030c0"))
    assert palette_scores(shelf, [PaletteColor("#d02020"), PaletteColor("#2030c0")]).argmax() == 0
    assert palette_scores(shelf, [PaletteColor("#d02020", 50), PaletteColor("#2030c0")]).argmax() == 1


def test_the_middle_counts_more_than_the_border() -> None:
    middle, border = plain("#808080"), plain("#d02020")
    ImageDraw.Draw(middle).rectangle((30, 20, 60, 40), fill="#d02020")
    ImageDraw.Draw(border).rectangle((0, 0, 30, 60), fill="#808080")
    ImageDraw.Draw(border).rectangle((30, 0, 90, 53), fill="#808080")  # as much red, at the edge
    scores = palette_scores(signatures(middle, border), [PaletteColor("#d02020")])
    assert scores[0] > scores[1]


def test_a_near_color_is_better_than_a_far_one() -> None:
    shelf = signatures(plain("#d02020"))
    scores = [palette_scores(shelf, [PaletteColor(c)])[0] for c in ("#d02020", "#c83030", "#d07020", "#20a040")]
    assert scores == sorted(scores, reverse=True)
    assert scores[3] < 0.2


@pytest.mark.parametrize("color", ["", "no such color", "#12", "red; x", "rgb(1,2,3)", "#gggggg", "a" * 100])
def test_what_is_no_color(color: str) -> None:
    with pytest.raises(InputError, match="not a color"):
        PaletteColor(color)
    with pytest.raises(InputError, match="weight"):
        PaletteColor("red", 0)


@pytest.fixture(scope="module")
def library(tiny_model: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("colors")
    for name, color in COLORS.items():
        path = folder / "photos" / ("warm" if name == "red" else "cold") / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = plain(color)
        ImageDraw.Draw(picture).line((5, 5, 60 + len(name), 50), fill="black", width=2)
        picture.save(path)
    with Library.create(folder / "library", tiny_model.path) as library:
        library.add([folder / "photos"])
        yield library


def test_colors_are_searched_alone_and_beside_a_sketch(library: Library) -> None:
    for name, color in COLORS.items():
        alone = library.search_query(Query(colors=(PaletteColor(color),)))
        assert alone[0].path.stem == name
        assert len(alone) == len(COLORS) == library.count_query(Query(colors=(PaletteColor(color),)))
    plain_results = [result.id for result in library.search(SKETCH)]
    last = library.photo(plain_results[-1])
    assert last is not None
    palette = (PaletteColor(COLORS[last.path.stem]),)
    beside = library.search_query(Query((Example(sketch=SKETCH),), colors=palette, color_weight=100))
    assert beside[0].id == last.id
    assert set(beside[0].parts) == {"examples", "colors"}
    without = library.search_query(Query((Example(sketch=SKETCH),), colors=palette, color_weight=0))
    assert [result.id for result in without] == plain_results


def test_colors_words_and_filters_combine(library: Library) -> None:
    palette = (PaletteColor("blue"),)
    found = library.search_query(Query(text="cold", text_mode="require", colors=palette))
    assert found[0].path.stem == "blue"
    assert {result.path.parent.name for result in found} == {"cold"}
    root = library.status().folders[0]
    only = library.search_query(Query(colors=palette), filter=Filter(Path(root) / "warm"))
    assert [result.path.stem for result in only] == ["red"]
    every = library.search_query(Query((Example(sketch=SKETCH),), text="blue", colors=palette))
    assert every[0].path.stem == "blue"
    assert sum(every[0].parts.values()) == pytest.approx(every[0].score)


def test_new_photos_are_found_by_color(tmp_path: Path, tiny_model: ModelPackage) -> None:
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        (tmp_path / "photos").mkdir()
        plain("#2030c0").save(tmp_path / "photos/a.png")
        library.add([tmp_path / "photos"])
        query = Query(colors=(PaletteColor("red"),))
        assert [result.path.stem for result in library.search_query(query)] == ["a"]
        plain("#d02020").save(tmp_path / "photos/b.png")
        library.sync()
        assert [result.path.stem for result in library.search_query(query)] == ["b", "a"]
