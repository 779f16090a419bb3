"""Links to the data sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from sketchseek.errors import DatasetError
from sketchseek.release.data import link_data


def test_every_folder_and_the_gallery_are_linked_and_linked_anew(tmp_path: Path) -> None:
    for name in ("data/sketchy", "data/chairv2", "gallery"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "data/README.md").write_text("no data set")
    for _ in range(2):
        link_data(tmp_path / "data", tmp_path / "links", tmp_path / "gallery")
    found = {link.name: link.resolve() for link in (tmp_path / "links").iterdir()}
    assert found == {
        "sketchy": tmp_path / "data/sketchy",
        "chairv2": tmp_path / "data/chairv2",
        "emoji": tmp_path / "gallery",
    }


def test_what_is_no_link_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "data/sketchy").mkdir(parents=True)
    (tmp_path / "links/sketchy").mkdir(parents=True)
    with pytest.raises(DatasetError, match="not a link"):
        link_data(tmp_path / "data", tmp_path / "links", tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        link_data(tmp_path / "absent", tmp_path / "links", tmp_path)
