from __future__ import annotations

from pathlib import Path

import pytest

from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.params import Filter

pytestmark = pytest.mark.real_data


def test_real_photos_are_indexed_and_find_themselves(real_data: Path, tmp_path: Path, tiny_model: ModelPackage) -> None:
    folders = [real_data / "imagenet-sample", real_data / "pacs-photo" / "horse"]
    paths = sorted(path for folder in folders for path in folder.rglob("*.jpg"))
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        report = library.add(folders)
        assert (report.indexed, report.failed) == (len(paths), 0)
        assert library.verify().ok
        for path in paths[::50]:
            best = library.search_embedding(library.encoder.encode_photo(path), k=1)[0]
            assert best.score == pytest.approx(1.0, abs=5e-3)
        sketch = sorted((real_data / "quickdraw" / "simplified").glob("*.ndjson"))[0]
        below = library.search(sketch, k=10_000, filter=Filter(folders[1]))
        assert {result.path for result in below} == {path for path in paths if path.is_relative_to(folders[1])}
        assert library.sync().unchanged == len(paths)
