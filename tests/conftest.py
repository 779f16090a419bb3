"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sketchseek.models.package import ModelPackage
from tiny_model import write_tiny_package

pytest_plugins = ("server_fixtures",)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """A model package whose encoders are made of one random matrix."""
    return write_tiny_package(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data beside the repository, or the one that SKETCHSEEK_DATA names; else skips."""
    folder = Path(os.environ.get("SKETCHSEEK_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder
