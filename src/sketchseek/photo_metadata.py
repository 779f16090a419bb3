"""What a photo's file says about it in words: caption, keywords, camera, date and place, from EXIF, IPTC and XMP.

Only the file's metadata is read, not its pixels. A damaged block is skipped: the photo itself can still be found. The
same is read from XMP sidecars, which programs write beside a photo (``sketchseek.search.sidecars``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import ParseError, XMLParser

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

from sketchseek.images import ImageSource, opened_header

MAX_TEXT = 4000
"""Characters of each field; the rest is cut."""

MAX_XMP = 1_000_000
"""Bytes of an XMP block; longer ones are skipped."""

_MAX_ELEMENTS = 20_000
_MAX_DEPTH = 50

_MONTHS = {
    1: "january januar janvier enero",
    2: "february februar fevrier febrero",
    3: "march märz mars marzo",
    4: "april avril abril",
    5: "may mai mayo",
    6: "june juni juin junio",
    7: "july juli juillet julio",
    8: "august août agosto",
    9: "september septembre septiembre",
    10: "october oktober octobre octubre",
    11: "november novembre noviembre",
    12: "december dezember décembre diciembre",
}
"""Names of months in English, German, French and Spanish."""


@dataclass(frozen=True)
class PhotoMetadata:
    """What a file says about a photo.

    Attributes:
        caption: Title, headline, description and comment.
        keywords: Keywords and names of people, separated by commas.
        camera: Maker, model and lens.
        taken: When it was taken, ``YYYY-MM-DD HH:MM:SS`` in the camera's local time; empty if unknown.
        place: Location, city, state and country, as far as they have names.
    """

    caption: str = ""
    keywords: str = ""
    camera: str = ""
    taken: str = ""
    place: str = ""

    def followed_by(self, other: PhotoMetadata) -> PhotoMetadata:
        """Return the texts of both, without repeated ones; the date is this one's, if it has one."""
        return PhotoMetadata(
            caption=_joined(dict.fromkeys([*self.caption.splitlines(), *other.caption.splitlines()]), "\n"),
            keywords=_joined(dict.fromkeys([*_listed(self.keywords), *_listed(other.keywords)]), ", "),
            camera=_joined(_camera(list(dict.fromkeys(filter(None, (self.camera, other.camera))))), " "),
            taken=self.taken or other.taken,
            place=_joined(dict.fromkeys([*_listed(self.place), *_listed(other.place)]), ", "),
        )


@dataclass
class _Found:
    """Texts found so far, by field, in the order of discovery."""

    caption: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    camera: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    place: list[str] = field(default_factory=list)

    def add(self, name: str, value: Any) -> None:
        text = _text(value)
        texts: list[str] = getattr(self, name)
        if text and text.casefold() not in (known.casefold() for known in texts) and len(texts) < 500:
            texts.append(text)

    def metadata(self) -> PhotoMetadata:
        return PhotoMetadata(
            caption=_joined(self.caption, "\n"),
            keywords=_joined(self.keywords, ", "),
            camera=_joined(_camera(self.camera), " "),
            taken=next((date for text in self.taken if (date := _date(text))), ""),
            place=_joined(self.place, ", "),
        )


def read_photo_metadata(source: ImageSource) -> PhotoMetadata:
    """Read what a photo's file says about it.

    Args:
        source: A path, the file's bytes, or a PIL image.

    Raises:
        ImageError: It is not a picture in a supported format.
    """
    if isinstance(source, Image.Image):
        return metadata_of(source)
    with opened_header(source) as image:
        return metadata_of(image)


def metadata_of(image: Image.Image) -> PhotoMetadata:
    """Return what an open image's metadata says; see ``read_photo_metadata``."""
    found = _Found()
    for read in (_read_xmp, _read_iptc, _read_exif, _read_png):
        # Parsers raise nearly anything on hostile input; what other blocks say still counts.
        with suppress(Exception):
            read(image, found)
    return found.metadata()


def metadata_of_xmp(block: bytes) -> PhotoMetadata:
    """Return what an XMP sidecar says; nothing if it is damaged, too long, or has a document type."""
    found = _Found()
    _add_xmp(block, found)
    return found.metadata()


def date_words(taken: str) -> str:
    """Return the words that find a date: its numbers and the month's name in several languages."""
    if not re.match(r"\d{4}-\d\d-\d\d", taken):
        return ""
    return f"{taken[:10]} {_MONTHS.get(int(taken[5:7]), '')}"


# --- EXIF ----------

_EXIF_TEXTS = {
    ExifTags.Base.ImageDescription: "caption",
    ExifTags.Base.XPTitle: "caption",
    ExifTags.Base.XPSubject: "caption",
    ExifTags.Base.XPComment: "caption",
    ExifTags.Base.XPKeywords: "keywords",
    ExifTags.Base.Make: "camera",
    ExifTags.Base.Model: "camera",
    ExifTags.Base.DateTime: "taken",
}
_EXIF_IFD_TEXTS = {
    ExifTags.Base.DateTimeOriginal: "taken",
    ExifTags.Base.DateTimeDigitized: "taken",
    ExifTags.Base.UserComment: "caption",
    ExifTags.Base.LensModel: "camera",
}
_CHARSETS = {b"ASCII\0\0\0": "latin-1", b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp", b"\0" * 8: "utf-8"}


def _read_exif(image: Image.Image, found: _Found) -> None:
    exif = image.getexif()
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    for values, names in ((inner, _EXIF_IFD_TEXTS), (exif, _EXIF_TEXTS)):
        for tag, name in names.items():
            value = values.get(tag)
            if tag in (ExifTags.Base.UserComment,):
                value = _with_charset(value)
            elif isinstance(value, bytes):
                value = value.decode("utf-16-le", "replace")  # Windows writes the XP tags so
            if tag == ExifTags.Base.XPKeywords and isinstance(value, str):
                for keyword in value.split(";"):
                    found.add(name, keyword)
            else:
                found.add(name, value)
    found.add("place", _with_charset(exif.get_ifd(ExifTags.IFD.GPSInfo).get(ExifTags.GPS.GPSAreaInformation)))


def _with_charset(value: Any) -> str:
    """Decode a text that EXIF stores behind the name of its character set."""
    if not isinstance(value, bytes):
        return value if isinstance(value, str) else ""
    charset = _CHARSETS.get(value[:8])
    return "" if charset is None else value[8:].decode(charset, "replace")


# --- IPTC ----------

_IPTC_TEXTS = {
    (2, 5): "caption",
    (2, 105): "caption",
    (2, 120): "caption",
    (2, 25): "keywords",
    (2, 92): "place",
    (2, 90): "place",
    (2, 95): "place",
    (2, 101): "place",
}


def _read_iptc(image: Image.Image, found: _Found) -> None:
    if not isinstance(image, ImageFile.ImageFile):
        return
    records = IptcImagePlugin.getiptcinfo(image) or {}
    for key, name in _IPTC_TEXTS.items():
        values = records.get(key, [])
        for value in values if isinstance(values, list) else [values]:
            try:
                found.add(name, value.decode("utf-8"))
            except UnicodeDecodeError:
                found.add(name, value.decode("latin-1"))


# --- PNG ----------

_PNG_TEXTS = {
    "Title": "caption",
    "Description": "caption",
    "Comment": "caption",
    "Keywords": "keywords",
    "Creation Time": "taken",
}


def _read_png(image: Image.Image, found: _Found) -> None:
    for key, name in _PNG_TEXTS.items():
        value = image.info.get(key)
        if isinstance(value, str):
            found.add(name, value)
    comment = image.info.get("comment")  # JPEG and GIF
    if isinstance(comment, bytes):
        found.add("caption", comment.decode("utf-8", "replace"))


# --- XMP ----------

_XMP_TEXTS = {
    "title": "caption",
    "description": "caption",
    "Headline": "caption",
    "UserComment": "caption",
    "subject": "keywords",
    "hierarchicalSubject": "keywords",
    "PersonInImage": "keywords",
    "{http://www.metadataworkinggroup.com/schemas/regions/}Name": "keywords",  # of a region, such as a face
    "PersonDisplayName": "keywords",
    "Make": "camera",
    "Model": "camera",
    "Lens": "camera",
    "LensModel": "camera",
    "DateTimeOriginal": "taken",
    "CreateDate": "taken",
    "DateCreated": "taken",
    "Location": "place",
    "Sublocation": "place",
    "City": "place",
    "State": "place",
    "ProvinceState": "place",
    "Country": "place",
    "CountryName": "place",
}
"""Local names of XMP properties. Programs write several namespaces for one thing, so these are compared only where
another property has the same name: Camera Raw's ``Name`` is that of a look, not of a person."""


def _read_xmp(image: Image.Image, found: _Found) -> None:
    block = next(
        (image.info[key] for key in ("xmp", "XML:com.adobe.xmp", "Raw profile type xmp") if image.info.get(key)), None
    )
    if block is None and image.format == "TIFF":
        block = image.getexif().get(ExifTags.Base.XMLPacket)
    if isinstance(block, str):
        block = block.encode("utf-8", "replace")
    if isinstance(block, bytes):
        _add_xmp(block, found)


def _add_xmp(block: bytes, found: _Found) -> None:
    if len(block) > MAX_XMP:
        return
    for name, text in _xmp_texts(block.strip(b"\0 \r\n\t")):
        found.add(name, text.rsplit("|", 1)[-1] if name == "keywords" else text)


def _xmp_texts(block: bytes) -> Iterator[tuple[str, str]]:
    """Yield field and text of each known property.

    Like SVG (``sketchseek.sketches.svg``), an XMP block with a document type or an entity is not read: entities make a
    small text expand without end. Nothing outside the block is opened.
    """
    # XML in UTF-16 would hide the declarations from this check; no program writes XMP so.
    if b"<!DOCTYPE" in block or b"<!ENTITY" in block or block[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in block:
        return
    reader = _XmpReader()
    parser = XMLParser(target=reader)
    with suppress(ParseError, _TooLargeError):
        parser.feed(block)
        parser.close()
    yield from reader.found


class _TooLargeError(Exception):
    """An XMP block has too many or too deep elements."""


class _XmpReader:
    """Target of the XML parser: collects the texts and attributes of known properties."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._open: list[str] = []  # the field of each open element, inherited by what is in it
        self._count = 0
        self._text: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > _MAX_ELEMENTS or len(self._open) >= _MAX_DEPTH:
            raise _TooLargeError
        self._text = []
        inherited = self._open[-1] if self._open else ""
        self._open.append(_field_of(tag) or inherited)
        for key, value in attributes.items():
            if name := _field_of(key):
                self.found.append((name, value))

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, tag: str) -> None:
        name = self._open.pop()
        text = "".join(self._text).strip()
        self._text = []
        if name and text:
            self.found.append((name, text))

    def close(self) -> None:
        pass


def _field_of(name: str) -> str:
    """Return the field that a property belongs to; empty if it is not known."""
    return _XMP_TEXTS.get(name) or _XMP_TEXTS.get(name.rsplit("}", 1)[-1], "")


# --- texts ----------


def _text(value: Any) -> str:
    """Return a value as one clean text: no control characters, no surrogates, not too long."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    value = value[:MAX_TEXT].encode("utf-8", "replace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())


def _joined(texts: Iterable[str], separator: str) -> str:
    return separator.join(texts)[:MAX_TEXT]


def _listed(text: str) -> list[str]:
    return [part for part in text.split(", ") if part]


def _camera(texts: list[str]) -> Iterator[str]:
    """Leave out a maker that its model's name repeats."""
    for text in texts:
        if not any(text != other and text.casefold() in other.casefold() for other in texts):
            yield text


def _date(text: str) -> str:
    """Return a date of EXIF (``YYYY:MM:DD HH:MM:SS``) or XMP (ISO 8601) in one form; empty if it is no date."""
    text = re.sub(r"^(\d{4}):(\d\d):(\d\d)", r"\1-\2-\3", text.strip())
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0).isoformat(sep=" ")
    except ValueError:
        return ""
