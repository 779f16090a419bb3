"""Words and colors in every kind of library: what the local library finds is what the others find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from libraries import ARC, KINDS, LINES, Made, assert_same, make
from sketchseek.models.package import ModelPackage
from sketchseek.search.colors import PaletteColor
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.params import Filter

NAMES = {
    "Trips/Sunset at the beach 2019.jpg": ("golden hour, two boats", "sea;evening"),
    "Trips/beach volleyball.jpg": ("", "sport;summer"),
    "Trips/IMG_1234.jpg": ("Kittens in a garden", ""),
    "Trips/IMG_1299.jpg": ("", "garden;roses"),
    "家族/東京の夜.jpg": ("駅前", ""),
    "家族/Füße am Strand.jpg": ("Élan vital", "beach"),
    "empty words/x.jpg": ("", ""),
    "empty words/mountain lake.jpg": ("The lake at 2000 m", "mountains"),
}
COLORS = [(200, 30, 30), (30, 30, 200), (30, 180, 40), (200, 180, 40), (20, 20, 20), (240, 240, 240), (120, 60, 20)]
TEXTS = [
    "beach",
    "BEACH 2019",
    "beahc",  # a typo
    "img 12",  # the beginning of a number
    "garden kitten",
    "東京",
    "京",
    "fusse strand",
    "elan",
    "nset",  # a part of a word
    "beach roses nothing",  # only some of them
    "mountainz lake",
    "trips",
    "qqqqqq",
    "it's",
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number, (name, (caption, keywords)) in enumerate(NAMES.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        if caption:
            exif[0x9C9B] = caption.encode("utf-16-le")  # XPTitle
        if keywords:
            exif[0x9C9E] = keywords.encode("utf-16-le")  # XPKeywords
        image = Image.new("RGB", (80, 60), COLORS[number % len(COLORS)])
        image.paste((255, 255, 255), (0, 0, 10 + number, 30))
        image.save(path, exif=exif)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pictures: Path, tiny_model: ModelPackage
) -> Iterator[Made]:
    """A library of each kind with all pictures. Tests must not change it."""
    folder = tmp_path_factory.mktemp("made")
    for one in make(request.param, folder, pictures, tiny_model, lambda: request.getfixturevalue("object_store")):
        assert one.library.add([one.root]).indexed == len(NAMES)
        yield one


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, pictures: Path, tiny_model: ModelPackage) -> Iterator[Made]:
    """The local library, which the others are compared with."""
    # Below a folder with the same name as all others: the words of a library's own folder count, too.
    for one in make("local", tmp_path_factory.mktemp("local"), pictures, tiny_model, lambda: pytest.fail("no store")):
        one.library.add([one.root])
        yield one


@pytest.mark.parametrize("text", TEXTS)
def test_words_find_the_same(made: Made, local: Made, text: str) -> None:
    query = Query(text=text)
    expected = local.library.search_query(query, k=100)
    assert_same(made, made.library.search_query(query, k=100), local, expected)
    assert made.library.count_query(query) == local.library.count_query(query) == len(expected)
    required = Query(text=text, text_mode="require")
    expected = local.library.search_query(required, k=100)
    assert_same(made, made.library.search_query(required, k=100), local, expected)
    assert made.library.count_query(required) == local.library.count_query(required) == len(expected)


def test_words_of_names_captions_and_folders_are_found(made: Made) -> None:
    def first(text: str) -> str:
        return made.names(made.library.search_query(Query(text=text), k=1))[0]

    assert first("sunset") == "Trips/Sunset at the beach 2019.jpg"
    assert first("kittens") == "Trips/IMG_1234.jpg"
    assert first("rosse") == "Trips/IMG_1299.jpg"
    assert first("東京") == "家族/東京の夜.jpg"
    assert len(made.library.search_query(Query(text="photos"), k=100)) == len(NAMES)  # the library's folder
    assert made.library.search_query(Query(text="qqqqqq")) == []


@pytest.mark.parametrize("mode", ["rank", "require"])
@pytest.mark.parametrize("weight", [0.3, 2.0])
def test_words_beside_a_sketch(made: Made, local: Made, mode: str, weight: float) -> None:
    query = Query((Example(sketch=LINES),), text="beach", text_mode=mode, text_weight=weight)  # type: ignore[arg-type]
    found, expected = made.library.search_query(query, k=100), local.library.search_query(query, k=100)
    assert_same(made, found, local, expected)
    assert [one.parts.keys() for one in found] == [one.parts.keys() for one in expected]
    assert len(found) == (3 if mode == "require" else len(NAMES))
    page = made.library.search_query(query, k=2, offset=1)
    assert [(one.rank, one.id) for one in page] == [(one.rank, one.id) for one in found[1:3]]
    inside = Filter(folder_contains="trips")
    found = made.library.search_query(query, k=100, filter=inside)
    assert_same(made, found, local, local.library.search_query(query, k=100, filter=inside))
    assert made.library.count_query(query, inside) == len(found)


def test_colors(made: Made, local: Made) -> None:
    red, blue = PaletteColor("#c81e1e"), PaletteColor("blue", 2.0)
    for query in (
        Query(colors=(red,)),
        Query(colors=(red, blue)),
        Query((Example(sketch=ARC),), colors=(blue,), color_weight=1.5),
        Query((Example(sketch=ARC),), text="img", colors=(blue,)),
        Query(text="beach", text_mode="require", colors=(red,)),
    ):
        found, expected = made.library.search_query(query, k=100), local.library.search_query(query, k=100)
        assert_same(made, found, local, expected)
    first = made.library.search_query(Query(colors=(red,)), k=1)
    assert made.names(first) == ["Trips/Sunset at the beach 2019.jpg"]
    inside = Filter(folder=f"{made.root}/家族")
    found = made.library.search_query(Query(colors=(red,)), k=100, filter=inside)
    assert {name.partition("/")[0] for name in made.names(found)} == {"家族"}


@pytest.mark.slow
def test_words_follow_changes(
    request: pytest.FixtureRequest, tmp_path: Path, pictures: Path, tiny_model: ModelPackage
) -> None:
    for kind in KINDS:
        folder = tmp_path / kind
        folder.mkdir()
        for one in make(kind, folder, pictures, tiny_model, lambda: request.getfixturevalue("object_store")):
            one.library.add([one.root])
            assert len(one.library.search_query(Query(text="kittens"), k=9)) == 1
            data = (pictures / "Trips/IMG_1234.jpg").read_bytes()
            one.write("Trips/IMG_1234.jpg", None)
            one.write("Trips/zebra.jpg", data + b"\0")
            one.library.sync()
            assert one.names(one.library.search_query(Query(text="kittens"), k=9)) == ["Trips/zebra.jpg"]
            assert one.names(one.library.search_query(Query(text="zebras", text_mode="require"))) == ["Trips/zebra.jpg"]
            assert one.library.search_query(Query(text="1234")) == []
            assert one.library.verify(sample=2).problems == []
