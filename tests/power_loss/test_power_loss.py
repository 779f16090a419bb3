"""Power is cut after every operation on a catalog, an index and an installation; what was acknowledged must be there.

CI cuts at every ninth operation and at both ends; ``STRIDE=1`` at each, as the torture suite does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from power_loss.disk import MODELS, Disk, read_recording
from power_loss.recording import build_recorder, record
from search.test_crash import draw_photos
from sketchseek.errors import LibraryNotFoundError, ModelPackageError
from sketchseek.models.package import ModelPackage, load_model_package
from sketchseek.search.local_library import LocalLibrary
from tiny_model import write_tiny_package

pytestmark = pytest.mark.slow

STRIDE = int(os.environ.get("STRIDE", "9"))
PHOTOS = 14


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_recorder(tmp_path_factory.mktemp("recorder"))


def cut_everywhere(
    log: Path, root: Path, scratch: Path, check: Callable[[Path, list[str]], None], before: Path | None = None
) -> tuple[int, list[str]]:
    """Replay a recording, lose power after operations, and check what survives.

    Returns:
        Number of power cuts, and the failures.
    """
    disk = Disk(root, before)
    operations = list(read_recording(log))
    cuts = 0
    failures = []
    for number, operation in enumerate(operations):
        disk.apply(operation)
        if operation.path == str(root / "acknowledged"):
            continue
        if number % STRIDE and number != len(operations) - 1:
            continue
        acknowledged = disk.content(root / "acknowledged").decode().splitlines()
        for model in MODELS:
            disk.after_power_loss(model, scratch, seed=number)
            cuts += 1
            try:
                check(scratch, acknowledged)
            except Exception as error:
                failures.append(f"{model}, after operation {number} ({operation.what} {operation.path}): {error!r}")
            shutil.rmtree(scratch)
    print(f"{len(operations)} operations, {cuts} power cuts, {len(failures)} failures")  # noqa: T201
    return cuts, failures


def check_library(root: Path, acknowledged: list[str]) -> None:
    try:
        library = LocalLibrary.open(root / "library")
    except LibraryNotFoundError:
        assert not acknowledged, "the library is gone"
        return
    with library:
        catalog = library._catalog
        present = {str(photo.path): photo.id for photo in catalog.photos(catalog.ids().tolist()).values()}
        removed = [line.partition(" ")[2] for line in acknowledged if line.startswith("removed ")]
        for line in acknowledged:
            if line.startswith("photo "):
                _, photo, path = line.split(" ", 2)
                assert f"removing {path}" in acknowledged or present.get(path) == int(photo), f"lost: {path}"
        if removed and len(acknowledged) == acknowledged.index(f"removed {removed[0]}") + 1:
            assert removed[0] not in present, "a removed photo came back"
        found = [result.id for result in library.search_embedding(np.ones(16), k=1000)]
        assert sorted(found) == sorted(present.values())
        assert catalog.check() == []


def cut_indexing(recorder: Path, tmp_path: Path, model: ModelPackage, *faults: str) -> tuple[int, list[str]]:
    """Record the scenario ``library``, and cut the power everywhere; see ``cut_everywhere``."""
    draw_photos(tmp_path / "photos", PHOTOS)
    root = tmp_path / "root"
    root.mkdir()
    record(recorder, "library", root, tmp_path / "log", tmp_path / "photos", model.path, *faults)
    return cut_everywhere(tmp_path / "log", root, tmp_path / "scratch", check_library)


def test_nothing_acknowledged_is_lost_in_a_library(recorder: Path, tmp_path: Path, tiny_model: ModelPackage) -> None:
    cuts, failures = cut_indexing(recorder, tmp_path, tiny_model)
    assert failures == []
    assert cuts > 40


def test_the_detector_finds_a_planted_loss(recorder: Path, tmp_path: Path, tiny_model: ModelPackage) -> None:
    """Without SQLite's syncs the same check must fail."""
    _, failures = cut_indexing(recorder, tmp_path, tiny_model, "unsynced")
    assert any("lost: " in failure or "gone" in failure for failure in failures)


def test_a_model_is_installed_whole_or_not_at_all(recorder: Path, tmp_path: Path) -> None:
    source = write_tiny_package(tmp_path / "source", name="mine").path
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for file in source.iterdir():
            archive.write(file, file.name)
    sha256 = hashlib.sha256((tmp_path / "mine.zip").read_bytes()).hexdigest()
    root = tmp_path / "root"
    root.mkdir()
    record(recorder, "install", root, tmp_path / "log", tmp_path / "mine.zip", sha256)

    def check(scratch: Path, acknowledged: list[str]) -> None:
        place = scratch / "data" / "models" / "mine"
        if acknowledged or place.exists():
            load_model_package(place).verify()
        else:
            with pytest.raises(ModelPackageError):
                load_model_package(place)

    cuts, failures = cut_everywhere(tmp_path / "log", root, tmp_path / "scratch", check)
    assert failures == []
    assert cuts > 4


def test_a_repair_that_loses_power_can_be_repeated(recorder: Path, tmp_path: Path, tiny_model: ModelPackage) -> None:
    from sketchseek.errors import LibraryCorruptError
    from sketchseek.search.repair import repair

    draw_photos(tmp_path / "photos", PHOTOS)
    root = tmp_path / "root"
    with LocalLibrary.create(root / "library", tiny_model.path) as library:
        library.add([tmp_path / "photos"])
    with (root / "library" / "catalog.db").open("r+b") as file:
        file.write(b"\0" * 100)
    before = tmp_path / "before"
    shutil.copytree(root, before)
    record(recorder, "repair", root, tmp_path / "log")

    def check(scratch: Path, acknowledged: list[str]) -> None:
        try:
            LocalLibrary.open(scratch / "library").close()
        except LibraryCorruptError:
            assert not acknowledged
            repair(scratch / "library")
        with LocalLibrary.open(scratch / "library") as library:
            assert len(library) == PHOTOS
            assert library._catalog.check() == []

    _, failures = cut_everywhere(tmp_path / "log", root, tmp_path / "scratch", check, before)
    assert failures == []
