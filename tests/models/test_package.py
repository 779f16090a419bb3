from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sketchseek.models.package import BUNDLED, MANIFEST, bundled_models, load_model_package


@pytest.mark.parametrize("name", bundled_models())
def test_manifests_of_bundled_models_are_valid_and_read_as_any_other(name: str, tmp_path: Path) -> None:
    shutil.copy(BUNDLED / name / MANIFEST, tmp_path / MANIFEST)
    assert load_model_package(tmp_path).manifest == load_model_package(name).manifest
