"""Where the official data sets are published, under which terms, and how their files become the expected folder."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from sketchseek.datasets.image_folders import photos_below
from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_files
from sketchseek.datasets.registry import dataset_spec
from sketchseek.datasets.releases import coverage
from sketchseek.errors import ConfigError

Algorithm = Literal["sha256", "md5"]


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set.

    Attributes:
        address: Its ``https://`` address.
        checksum: Algorithm and hexadecimal digits, where a publisher or a well-known library states them; None
            otherwise. A checksum is never made up: without one, the first download is recorded
            (``sketchseek.datasets.known_downloads``).
        checksum_source: Who states it.
        inner: Archives inside the archive that are unpacked in its place; empty for the archive itself.
        folder: Folder that the content is unpacked to, relative to the data set's.
        archive: Whether to unpack it; otherwise the file itself is stored.
        max_bytes: Cap on the file, and on what it unpacks to.
    """

    address: str
    checksum: tuple[Algorithm, str] | None = None
    checksum_source: str = ""
    inner: tuple[str, ...] = ()
    folder: str = ""
    archive: bool = True
    max_bytes: int = 4_000_000_000

    @property
    def name(self) -> str:
        """The file's name."""
        return PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(self.address).path)).name


@dataclass(frozen=True)
class OfficialDataset:
    """A published data set.

    Attributes:
        name: Name on the command line, which is that of the registry where it has one.
        title: Name for people.
        page: Its official page.
        terms: What is known about its terms, in one or two sentences. The page decides.
        layout: The folder that sketchseek reads.
        files: What can be downloaded from stable addresses; empty where people must use the page.
        steps: What to do on the page, where there are no such addresses.
        each_word: Address of the file of one word, with ``{word}`` in it, where there is a file for each.
    """

    name: str
    title: str
    page: str
    terms: str
    layout: str
    files: tuple[RemoteFile, ...] = ()
    steps: str = ""
    each_word: str = ""

    @property
    def downloads(self) -> bool:
        """Whether sketchseek can download it."""
        return bool(self.files or self.each_word)

    def chosen(self, words: Iterable[str] = ()) -> tuple[RemoteFile, ...]:
        """The files to download.

        Args:
            words: Words to download, where there is a file for each.

        Raises:
            ConfigError: Words are missing, are no words, or there are none to choose.
        """
        words = tuple(dict.fromkeys(words))
        if not self.each_word:
            if words:
                raise ConfigError(f"{self.name} has no files of single words.", remedy="Leave --word out.")
            return self.files
        if not words:
            raise ConfigError(
                f"{self.name} has one file for each word.",
                remedy="Name the words: --word cat --word 'hot air balloon'.",
            )
        for word in words:
            if not re.fullmatch(r"[\w '-]+", word):
                raise ConfigError(f"{word!r} is no word.", remedy="Use letters, digits, spaces and dashes.")
        return tuple(RemoteFile(self.each_word.format(word=urllib.parse.quote(word)), archive=False) for word in words)


_QMUL: dict[str, Any] = {
    "page": "https://sketchx.eecs.qmul.ac.uk/downloads/",
    "terms": "For research. The page states the terms of the sketches and the photos.",
    "layout": "One of: photo/train, photo/test, sketch/train, sketch/test; trainA, trainB, testA, testB; or photo, "
    "sketch, photo_train.txt and photo_test.txt.",
}

OFFICIAL: dict[str, OfficialDataset] = {
    each.name: each
    for each in (
        OfficialDataset(
            "sketchy",
            "The Sketchy Database (Sangkloy et al. 2016)",
            page="https://sketchy.eye.gatech.edu/",
            terms="For research. The photos come from ImageNet, whose terms apply to them. The page states the terms.",
            layout="256x256/photo, 256x256/sketch and info (test list and invalid lists).",
            steps="Download the rendered images (256x256) and the folder info from the page, by way of a file host, "
            "and unpack both into one folder.",
        ),
        OfficialDataset(
            "chairv2", "QMUL-ChairV2 (Yu et al. 2021)", **_QMUL, steps="Download ChairV2 from the page and unpack it."
        ),
        OfficialDataset(
            "shoev2", "QMUL-ShoeV2 (Yu et al. 2021)", **_QMUL, steps="Download ShoeV2 from the page and unpack it."
        ),
        OfficialDataset(
            "tuberlin",
            "TU-Berlin sketches (Eitz, Hays, Alexa 2012)",
            page="https://cybertron.cg.tu-berlin.de/eitz/projects/classifysketch/",
            terms="CC BY 4.0.",
            layout="png/<category>/<n>.png, with filelist.txt.",
            files=(RemoteFile("https://cybertron.cg.tu-berlin.de/eitz/projects/classifysketch/sketches_png.zip"),),
        ),
        OfficialDataset(
            "quickdraw",
            "Quick, Draw! (Google 2017), simplified strokes",
            page="https://github.com/googlecreativelab/quickdraw-dataset",
            terms="CC BY 4.0.",
            layout="<word>.ndjson, one file for each word.",
            each_word="https://storage.googleapis.com/quickdraw_dataset/full/simplified/{word}.ndjson",
        ),
        OfficialDataset(
            "quickdraw-extended",
            "QuickDraw-Extended (Dey et al. 2019)",
            page="https://github.com/sounakdey/doodle2search",
            terms="For research. The sketches are of Quick, Draw! (CC BY 4.0); the photos come from Flickr and belong "
            "to their authors.",
            layout="QuickDraw_sketches_final/<category> and QuickDraw_images_final/<category>.",
            steps="Download both archives that the page links (they are only offered without encryption, so sketchseek "
            "does not fetch them) and unpack them into one folder.",
        ),
        OfficialDataset(
            "caltech101",
            "Caltech-101 (Fei-Fei, Fergus, Perona 2004), photos",
            page="https://data.caltech.edu/records/mzrjq-6wc02",
            terms="CC BY 4.0 according to its page. The photos were collected on the web.",
            layout="101_ObjectCategories/<category>/*.jpg.",
            files=(
                RemoteFile(
                    "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip?download=1",
                    ("md5", "3138e1922a9193bfa496528edbbc45d0"),
                    "several libraries list this MD5 for it",
                    inner=("caltech-101/101_ObjectCategories.tar.gz",),
                ),
            ),
        ),
    )
}


def official_dataset(name: str) -> OfficialDataset:
    """The official data set of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in OFFICIAL:
        raise ConfigError(f"There is no official data set {name!r}.", remedy=f"Use one of {', '.join(OFFICIAL)}.")
    return OFFICIAL[name]


@dataclass(frozen=True)
class FolderCheck:
    """What a folder holds of a data set.

    Attributes:
        counts: Numbers of photos, sketches and categories.
        notes: How that compares with the release.
        missing: Photos that sketches belong to and that are not there.
    """

    counts: dict[str, int]
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"counts": self.counts, "notes": list(self.notes), "missing": list(self.missing)}


def check_folder(name: str, folder: Path) -> FolderCheck:
    """Read a folder as a data set, as training and evaluation do, and compare it with the release. Pictures are listed,
    not decoded.

    Raises:
        ConfigError: There is no such data set.
        DatasetError: The folder lacks files or has another layout.
    """
    official_dataset(name)
    if name == "quickdraw":
        load_quickdraw(folder, limit=1)
        lines = sum(_lines(file) for file in quickdraw_files(folder))
        return FolderCheck({"sketches": lines, "categories": len(quickdraw_files(folder))})
    if name == "caltech101":
        photos = photos_below(folder)
        return FolderCheck({"photos": len(photos), "categories": len({photo.path.parent for photo in photos})})
    dataset = dataset_spec(name).read(folder, allow_missing=True).dataset
    categories = {photo.category for photo in dataset.photos} | {sketch.category for sketch in dataset.sketches}
    counts = {"photos": len(dataset.photos), "sketches": len(dataset.sketches), "categories": len(categories)}
    return FolderCheck(counts, coverage(dataset).notes, tuple(sorted(dataset.missing)))


def _lines(file: Path) -> int:
    with file.open("rb") as opened:
        return sum(1 for line in opened if line.strip())
