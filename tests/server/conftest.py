"""A library of generated pictures, and a client of its server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from served import COUNT, SMALL, picture
from sketchseek.artefact import Artefact
from sketchseek.search.library import Library
from sketchseek.server.app import create_app
from sketchseek.server.thumbnails import ThumbnailCache


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures: PNG files, one JPEG that EXIF turns, and one that is none."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "below").mkdir()
    for number in range(COUNT):
        picture(number).save(folder / ("below" if number % 4 == 0 else ".") / f"disc {number:03}.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    picture(99, (90, 30)).save(folder / "turned.jpg", exif=exif)
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="session")
def library(photos: Path, tiny_artefact: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The folder's library. Tests do not change it."""
    path = tmp_path_factory.mktemp("libraries") / "discs"
    with Library.open(path, tiny_artefact.path, create=True) as opened:
        opened.add([photos])
        yield opened


@pytest.fixture
def client(library: Library, tmp_path: Path) -> Iterator[TestClient]:
    """A client of the library's server, whose limits are small."""
    app = create_app(library, thumbnails=ThumbnailCache(tmp_path / "thumbnails"), limits=SMALL)
    with TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def id_of(library: Library) -> dict[str, int]:
    """Ids by file name."""
    return {one.path.name: one.id for one in library.search([[[0, 9], [0, 9]]], k=1000)}
