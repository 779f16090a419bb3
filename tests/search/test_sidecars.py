"""XMP sidecars: their words are found, and follow each change of the files without embedding photos again."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sketchseek.encoder import Encoder
from sketchseek.models.package import ModelPackage
from sketchseek.photo_metadata import MAX_XMP
from sketchseek.search.catalog import FILE
from sketchseek.search.combined_query import Query
from sketchseek.search.library import Library
from sketchseek.search.repair import repair

SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" exif:DateTimeOriginal="2017-11-05T08:00:00">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:subject><rdf:Bag><rdf:li>{keyword}</rdf:li></rdf:Bag></dc:subject>
<crs:Look><rdf:Description crs:Name="Vivid"/></crs:Look>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(("one.jpg", "two.jpg", "two.png")):
        exif = Image.Exif()
        exif[0x010E] = f"own caption of {name}"
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name, exif=exif)
    return folder


@pytest.fixture
def library(tmp_path: Path, folder: Path, tiny_model: ModelPackage) -> Iterator[Library]:
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        library.add([folder])
        yield library


def write(path: Path, title: str, keyword: str = "k") -> None:
    path.write_text(SIDECAR.format(title=title, keyword=keyword), encoding="utf-8")


def found(library: Library, text: str) -> list[str]:
    return sorted(one.path.name for one in library.search_query(Query(text=text, text_mode="require")))


def test_words_of_a_sidecar_are_found_beside_the_photos_own(library: Library, folder: Path) -> None:
    write(folder / "one.jpg.xmp", "Sunrise", "ferry")
    assert library.sync().indexed == 0
    assert found(library, "sunrise ferry own november 2017") == ["one.jpg"]
    assert found(library, "vivid") == []  # the name of a look, not of a person
    assert library.verify().problems == []


def test_a_sidecar_named_like_the_photo_without_its_suffix_is_about_every_format(
    library: Library, folder: Path
) -> None:
    write(folder / "two.xmp", "Glacier")
    write(folder / "two.png.XMP", "Moraine")
    library.sync()
    assert found(library, "glacier") == ["two.jpg", "two.png"]
    assert found(library, "glacier moraine") == ["two.png"]


def test_a_new_photo_comes_with_its_sidecar(library: Library, folder: Path) -> None:
    shutil.copy(folder / "one.jpg", folder / "three.jpg")  # a copy does not inherit what is said about the other one
    write(folder / "three.jpg.xmp", "Copyright notice")
    Image.new("RGB", (30, 30), "red").save(folder / "four.jpg")
    write(folder / "four.xmp", "Ladybird")
    library.sync()
    assert found(library, "notice") == ["three.jpg"]
    assert found(library, "ladybird") == ["four.jpg"]


def test_a_single_file_is_indexed_with_its_sidecars(tmp_path: Path, folder: Path, tiny_model: ModelPackage) -> None:
    write(folder / "two.xmp", "Glacier")
    with Library.create(tmp_path / "other", tiny_model.path) as library:
        library.add([folder / "two.png"])
        assert found(library, "glacier") == ["two.png"]


def test_changes_are_noticed_without_decoding_photos(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a photo was embedded again")

    monkeypatch.setattr(Encoder, "encode_photo_pixels", fail)
    monkeypatch.setattr("sketchseek.search.photo_reader.PhotoReader.read", fail)
    write(folder / "one.xmp", "Sunrise")
    library.sync()
    assert found(library, "sunrise") == ["one.jpg"]
    write(folder / "one.xmp", "Evening light")
    library.sync()
    assert (found(library, "sunrise"), found(library, "evening")) == ([], ["one.jpg"])
    (folder / "one.jpg").rename(folder / "renamed.jpg")  # its sidecar stays behind
    library.sync()
    assert found(library, "evening") == []
    (folder / "one.xmp").rename(folder / "renamed.xmp")
    library.sync()
    assert found(library, "evening own") == ["renamed.jpg"]
    (folder / "renamed.xmp").unlink()
    report = library.sync()
    assert (found(library, "evening"), found(library, "own caption one")) == ([], ["renamed.jpg"])
    assert (report.indexed, report.failed, report.unchanged) == (0, 0, 3)


def test_photos_on_a_missing_drive_keep_their_words(library: Library, folder: Path) -> None:
    write(folder / "one.xmp", "Sunrise")
    library.sync()
    folder.rename(folder.with_name("away"))
    assert library.sync().missing == [folder]
    assert found(library, "sunrise") == ["one.jpg"]


def test_excluded_and_hidden_sidecars_are_not_read(library: Library, folder: Path) -> None:
    (folder / ".sketchseekignore").write_text("one.xmp\n")
    write(folder / "one.xmp", "Sunrise")
    write(folder / "._two.jpg.xmp", "Fork")  # macOS leaves such files on foreign disks
    library.sync()
    assert (found(library, "sunrise"), found(library, "fork")) == ([], [])


HOSTILE = {
    "entity": b'<!DOCTYPE x [<!ENTITY a "b">]><x><dc:title xmlns:dc="d">sunrise &a;</dc:title></x>',
    "external": b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x><title>sunrise</title></x>',
    "long": b"<x><title>sunrise</title>" + b" " * MAX_XMP + b"</x>",
    "no XML": b"sunrise",
    "empty": b"",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_sidecars_say_nothing_and_are_read_once(
    library: Library, folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "one.xmp").write_bytes(content)
    assert library.sync().failed == 0
    assert found(library, "sunrise") == []
    assert found(library, "own caption one") == ["one.jpg"]
    monkeypatch.setattr("sketchseek.search.sidecars._read_file", lambda *_: pytest.fail("read again"))
    library.sync()


def test_what_is_no_file_is_not_read(library: Library, folder: Path) -> None:
    (folder / "one.xmp").mkdir()
    os.mkfifo(folder / "two.xmp")
    library.sync()
    assert library.verify().problems == []


def test_a_link_must_not_lead_out_of_the_roots(
    library: Library, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "secret.xmp", "Password")
    (folder / "one.xmp").symlink_to(tmp_path / "secret.xmp")
    write(folder / "two.xmp", "Glacier")
    assert library.sync(within=[folder]).failed == 1
    assert (found(library, "password"), found(library, "glacier")) == ([], ["two.jpg", "two.png"])
    library.sync()  # without roots, links may lead anywhere
    assert found(library, "password") == ["one.jpg"]
    # One that leads out only since the scan.
    monkeypatch.setattr("sketchseek.search.scan._Walk._leads_out", lambda *_: False)
    write(tmp_path / "secret.xmp", "Passphrase")
    library.sync(within=[folder])
    assert (found(library, "passphrase"), found(library, "password")) == ([], [])


def test_a_sidecar_that_cannot_be_read_now_is_tried_again(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the network is down")

    write(folder / "one.xmp", "Sunrise")
    with monkeypatch.context() as patch:
        patch.setattr("sketchseek.search.sidecars._read_file", fail)
        library.sync()
    assert found(library, "sunrise") == []
    library.sync()
    assert found(library, "sunrise") == ["one.jpg"]


def test_damage_is_noticed_and_sound_words_survive_a_repair(library: Library, folder: Path) -> None:
    write(folder / "one.xmp", "Sunrise")
    write(folder / "two.jpg.xmp", "Glacier")
    library.sync()
    library.close()
    path = Path(library.path)
    with closing(sqlite3.connect(path / FILE)) as connection, connection:
        sql = "UPDATE sidecars SET caption = 'zebra' WHERE id = (SELECT min(id) FROM sidecars)"
        assert connection.execute(sql).rowcount == 1
    with Library.open(path, readonly=True) as opened:
        assert "sidecar" in " ".join(opened.verify().problems)
    assert repair(path).problems
    with Library.open(path) as opened:
        assert (found(opened, "zebra"), found(opened, "glacier")) == ([], ["two.jpg"])
        opened.sync()
        assert found(opened, "sunrise") == ["one.jpg"]
        assert opened.verify().problems == []


STEPS = st.tuples(
    st.sampled_from(["one.xmp", "one.jpg.xmp", "two.xmp", "two.png.xmp"]), st.sampled_from(["alpha", "beta", ""])
)


@pytest.mark.slow
@given(st.lists(st.lists(STEPS, max_size=4), max_size=4))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_changes_the_words_are_those_of_the_files(
    library: Library, folder: Path, rounds: list[list[tuple[str, str]]]
) -> None:
    belongs: dict[str, Callable[[str], bool]] = {
        "one.jpg": lambda name: name in ("one.xmp", "one.jpg.xmp"),
        "two.jpg": lambda name: name == "two.xmp",
        "two.png": lambda name: name in ("two.xmp", "two.png.xmp"),
    }
    words: dict[str, str] = {}
    for left in folder.glob("*.xmp"):
        left.unlink()
    clock = 10**18
    for steps in rounds:
        for name, word in steps:
            words[name] = word
            (folder / name).unlink(missing_ok=True)
            if word:
                write(folder / name, word)
                clock += 1
                os.utime(folder / name, ns=(clock, clock))
        library.sync()
        for word in ("alpha", "beta"):
            expected = [photo for photo, mine in belongs.items() if any(words.get(n) == word for n in words if mine(n))]
            assert found(library, word) == expected
    assert library.verify().problems == []
