from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from sketchseek.errors import ImageError
from sketchseek.photo_metadata import (
    MAX_TEXT,
    PhotoMetadata,
    date_words,
    metadata_of,
    metadata_of_xmp,
    read_photo_metadata,
)

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
 xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 photoshop:City="Kyoto" xmp:CreateDate="2018-04-01T09:30:00+09:00">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Cherry &amp; temple</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag><rdf:li>sakura</rdf:li><rdf:li>寺</rdf:li></rdf:Bag></dc:subject>
<lr:hierarchicalSubject><rdf:Bag><rdf:li>Places|Japan|Kansai</rdf:li></rdf:Bag></lr:hierarchicalSubject>
<mwg-rs:Regions rdf:parseType="Resource"><rdf:Description mwg-rs:Name="Aiko"/></mwg-rs:Regions>
<photoshop:Country>Japan</photoshop:Country>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""

RECORDS = {(2, 5): b"A title", (2, 25): b"harbor", (2, 120): "Schöner Hafen".encode(), (2, 101): b"Norge \xd8st"}


def saved(format_name: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format_name, **options)
    return buffer.getvalue()


def exif(**texts: object) -> Image.Exif:
    block = Image.Exif()
    for tag, value in texts.items():
        block[int(tag[1:])] = value
    return block


def iptc(records: dict[tuple[int, int], bytes]) -> bytes:
    """A JPEG with a Photoshop block of IPTC records."""
    data = b"".join(b"\x1c" + bytes(key) + len(value).to_bytes(2, "big") + value for key, value in records.items())
    block = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + len(data).to_bytes(4, "big") + data + b"\0" * (len(data) % 2)
    picture = saved()
    return picture[:2] + b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block + picture[2:]


def test_exif() -> None:
    block = exif(
        t270="Ein Hund am Strand", t271="Canon", t272="Canon EOS 5D", t40094="Hund;Ostsee\0".encode("utf-16-le")
    )
    inner = block.get_ifd(0x8769)
    inner[36867] = "2019:07:04 10:11:12"
    inner[0x9286] = b"UNICODE\0" + "Möwe".encode("utf-16")
    found = read_photo_metadata(saved(exif=block))
    assert found == PhotoMetadata("Möwe\nEin Hund am Strand", "Hund, Ostsee", "Canon EOS 5D", "2019-07-04 10:11:12", "")


def test_iptc() -> None:
    found = read_photo_metadata(iptc(RECORDS))
    assert (found.caption, found.keywords, found.place) == ("A title\nSchöner Hafen", "harbor", "Norge Øst")


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP", "TIFF", "PNG"])
def test_xmp(format_name: str) -> None:
    if format_name == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP)
        options: dict[str, Any] = {"pnginfo": info}
    elif format_name == "TIFF":
        options = {"tiffinfo": {700: XMP.encode()}}
    else:
        options = {"xmp": XMP.encode()}
    assert read_photo_metadata(saved(format_name, **options)) == PhotoMetadata(
        "Cherry & temple", "sakura, 寺, Kansai, Aiko", "", "2018-04-01 09:30:00", "Kyoto, Japan"
    )


@pytest.mark.parametrize(
    "block",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><x><dc:title xmlns:dc="d">&a;</dc:title></x>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x><title>t</title></x>',
        '<?xml version="1.0" encoding="utf-16"?><x><title>t</title></x>'.encode("utf-16"),
        b"<title>" * 100 + b"t" + b"</title>" * 100,
        b"<x>" + b"<title>t</title>" * 100_000 + b"</x>",
    ],
    ids=["entity", "external", "utf-16", "deep", "long"],
)
def test_hostile_xmp_is_not_read(block: bytes) -> None:
    image = Image.new("RGB", (8, 8))
    image.info["xmp"] = block
    assert metadata_of(image) == PhotoMetadata()


def test_a_broken_xmp_block_leaves_what_came_before() -> None:
    image = Image.new("RGB", (8, 8))
    image.info["xmp"] = b"<x><title>before</title><title>after"
    assert metadata_of(image).caption == "before"


def test_png_texts_and_comments() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "A cat")
    info.add_text("Software", "not searched")
    assert read_photo_metadata(saved("PNG", pnginfo=info)).caption == "A cat"
    assert read_photo_metadata(saved("JPEG", comment=b"scan \xe9")).caption == "scan \ufffd"


def test_a_photo_without_metadata_and_a_file_that_is_no_photo(tmp_path: Path) -> None:
    assert read_photo_metadata(saved()) == PhotoMetadata()
    assert read_photo_metadata(Image.new("L", (3, 3))) == PhotoMetadata()
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ImageError):
        read_photo_metadata(tmp_path / "a.png")


def test_texts_are_cut_and_cleaned() -> None:
    found = read_photo_metadata(saved(exif=exif(t270="a\0b\x1b[31m " + "x" * 10_000)))
    assert found.caption.startswith("a b [31m x")
    assert len(found.caption) <= MAX_TEXT


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("2019:07:04 10:11:12", "2019-07-04 10:11:12"),
        ("2019-07-04", "2019-07-04 00:00:00"),
        ("0000:00:00 00:00:00", ""),
        ("yesterday", ""),
    ],
)
def test_dates(text: str, taken: str) -> None:
    assert read_photo_metadata(saved(exif=exif(t306=text))).taken == taken


def test_a_date_is_found_by_its_numbers_and_the_month_in_four_languages() -> None:
    assert date_words("2019-07-04 10:11:12") == "2019-07-04 july juli juillet julio"
    assert date_words("") == ""


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_block_can_be_survived(data: bytes) -> None:
    option: dict[str, Any]
    for option in ({"exif": b"Exif\0\0" + data}, {"xmp": data}):
        assert isinstance(read_photo_metadata(saved(**dict[str, Any](option))), PhotoMetadata)
    picture = saved()
    block = b"Photoshop 3.0\0" + data
    assert isinstance(
        read_photo_metadata(picture[:2] + b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block + picture[2:]),
        PhotoMetadata,
    )


@given(st.integers(0, len(XMP.encode()) - 1), st.binary(max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_change_to_a_sidecar_can_be_survived(at: int, data: bytes) -> None:
    block = XMP.encode()
    for damaged in (data, block[:at] + data + block[at + len(data) :], block[:at] + data, data + block[at:]):
        found = metadata_of_xmp(damaged)
        assert all(len(text) <= MAX_TEXT and text.isprintable() for text in vars(found).values())


def test_a_region_is_a_keyword_and_the_name_of_a_look_is_not() -> None:
    block = b'<x xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"><crs:Look crs:Name="Vivid"/></x>'
    assert metadata_of_xmp(block) == PhotoMetadata()
    assert "Aiko" in metadata_of_xmp(XMP.encode()).keywords


TEXT = st.lists(st.sampled_from(["Kyoto", "kyoto", "harbor", "x y", ""]), max_size=3)


@given(TEXT, TEXT)
def test_texts_of_two_sources_are_joined_without_repeats(first: list[str], second: list[str]) -> None:
    one, other = (PhotoMetadata("\n".join(some), ", ".join(some)) for some in (first, second))
    both = one.followed_by(other)
    expected = list(dict.fromkeys(text for text in [*first, *second] if text))
    assert [line for line in both.caption.splitlines() if line] == expected
    assert both.keywords == ", ".join(expected)
    assert PhotoMetadata(taken="2019").followed_by(PhotoMetadata(taken="2020")).taken == "2019"
    assert PhotoMetadata().followed_by(PhotoMetadata(taken="2020", camera="Leica M3")).camera == "Leica M3"
    assert PhotoMetadata(camera="Leica").followed_by(PhotoMetadata(camera="Leica M3")).camera == "Leica M3"
