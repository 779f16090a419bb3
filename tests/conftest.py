"""Fixtures that all tests share."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from sketchseek.models.package import ModelPackage
from tiny_model import write_tiny_package

pytest_plugins = ("azure_store", "object_store", "server_fixtures", "unclosed_databases")


# A busy machine is slow; tests do not depend on time.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")

_TRAINING_HALF = ("ablations", "release", "training", "datasets/test_registry.py", "experiments/test_paper.py")


class _WithoutTorch(pytest.Module):
    """A module of tests that need the extra ``train``."""

    def collect(self) -> NoReturn:
        pytest.skip("torch is not installed: pip install 'sketchseek[train]'", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skip the tests of the training half, visibly, where its libraries are not installed."""
    inside = module_path.relative_to(Path(__file__).parent).as_posix()
    if find_spec("torch") is not None or not inside.startswith(_TRAINING_HALF):
        return None
    module: pytest.Module = _WithoutTorch.from_parent(parent, path=module_path)
    return module


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests as slow that need an object store, whose start takes seconds."""
    for item in items:
        params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if "object_store" in getattr(item, "fixturenames", ()) or "object storage" in map(str, params.values()):
            item.add_marker(pytest.mark.slow)


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
