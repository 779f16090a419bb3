"""Indexing with Ray, in real processes: a cluster of three nodes, of which one is killed, and commands that are."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cli_runs import RunningCommand, run
from object_store import ObjectStore, need_cluster
from served import picture
from sketchseek.errors import ConfigError
from sketchseek.models.package import ModelPackage

need_cluster()
if find_spec("ray") is None:
    pytest.skip("ray is not installed: pip install 'sketchseek[cluster]'", allow_module_level=True)

from sketchseek.cluster import indexing
from sketchseek.cluster.library import LanceLibrary
from sketchseek.cluster.ray_runner import RayRunner, start_ray
from sketchseek.cluster.runners import run_here
from sketchseek.cluster.table import IS_PHOTO

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # of its own settings

COUNT = 40
NODES = 3
TIMEOUT = 400
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def photos(object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Photos in a bucket, and a file that is none."""
    bucket = object_store.bucket()
    file = tmp_path_factory.mktemp("photos") / "photo.png"
    for number in range(COUNT):
        picture(number).save(file)
        object_store.put(f"{bucket}/photos/{number % 3}/{number:02}.png", file.read_bytes())
    object_store.put(f"{bucket}/photos/bad.png", b"no picture")
    return f"{bucket}/photos"


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks, each committed at once."""
    monkeypatch.setattr(indexing, "SMALLEST", 4)
    monkeypatch.setattr(indexing, "LARGEST", 4)
    monkeypatch.setattr(indexing, "COMMIT_EVERY", 0.0)


def check(address: str) -> dict[str, Any]:
    """Check that every photo is there once, and the bad one with its reason; return digest and embedding by path."""
    with LanceLibrary.open(address, readonly=True) as library:
        rows = library._table.latest().rows(["path", "digest", "embedding"], IS_PHOTO).to_pylist()
        found = {row["path"]: (row["digest"], row["embedding"]) for row in rows}
        assert len(rows) == len(found) == COUNT
        (failure,) = library.failures()
        assert failure.path.name == "bad.png"
        assert "not a picture" in failure.reason
        assert library.verify(sample=COUNT).problems == []
        return found


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Three nodes with one core each, in processes of their own; this process is connected to them."""
    import ray
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    node = {"num_cpus": 1, "object_store_memory": 100 * MEGABYTE, "include_dashboard": False}
    running = Cluster(initialize_head=True, head_node_args=node)
    try:
        for _ in range(NODES - 1):
            running.add_node(num_cpus=1, object_store_memory=100 * MEGABYTE)
        running.wait_for_nodes()
        start_ray(running.address)
        yield running
    finally:
        ray.shutdown()
        running.shutdown()


@pytest.mark.slow
@pytest.mark.usefixtures("small_blocks")
def test_a_node_is_killed(cluster: Any, photos: str, tiny_model: ModelPackage) -> None:
    """Its work is done again by the others, and the embeddings are those that this process computes."""
    import ray

    assert ray.cluster_resources()["CPU"] == NODES
    address = f"{photos.removesuffix('/photos')}/by-nodes"
    lost: list[int] = []

    def kill_one(progress: Any) -> None:
        if progress.stage == "embed" and progress.done > 0 and not lost:
            lost.append(progress.done)
            threading.Thread(target=cluster.remove_node, args=(cluster.list_all_nodes()[-1], False)).start()

    with LanceLibrary.open(address, tiny_model.path, create=True, runner=RayRunner()) as library:
        report = library.add([photos], kill_one)
    assert lost
    assert lost[0] < COUNT
    assert (report.indexed, report.failed) == (COUNT, 1)
    here = address + "-here"
    with LanceLibrary.open(here, tiny_model.path, create=True, runner=run_here) as library:
        library.add([photos])
    assert check(address) == check(here)


@pytest.mark.slow
def test_the_driver_is_killed_and_two_drivers_resume(photos: str, tiny_model: ModelPackage) -> None:
    """Kill the command once it embeds, then let two commands finish the work at the same time."""
    address = f"{photos.removesuffix('/photos')}/by-commands"
    arguments = ["index", photos, "--library", address, "--model", str(tiny_model.path), "--ray-address", "local"]
    commands = [RunningCommand(*arguments)]
    try:
        _wait_until_it_embeds(commands[0], address)
        commands[0].kill()
        commands += [RunningCommand(*arguments), RunningCommand(*arguments)]
        reports = [command.report() for command in commands[1:]]
    finally:
        for command in commands:
            command.kill()
    check(address)
    assert all(report["indexed"] + report["unchanged"] == COUNT for report in reports)


def _wait_until_it_embeds(command: RunningCommand, address: str) -> None:
    """Wait until ids were given out to photos, or the command ended."""
    end = time.monotonic() + TIMEOUT
    while command.process.poll() is None and time.monotonic() < end:
        with suppress(Exception), LanceLibrary.open(address, readonly=True) as library:  # it may not be there yet
            if library._table.latest().state.next_id > 1:
                return
        time.sleep(0.1)


def test_nothing_to_do_starts_no_ray(photos: str, tiny_model: ModelPackage) -> None:
    import ray

    from sketchseek.cluster.embedding import Job

    job = Job("s3://nowhere/library", str(tiny_model.path), tiny_model.manifest.fingerprint)
    assert list(RayRunner()(job, [])) == []
    assert not ray.is_initialized()


def test_an_address_that_nobody_answers() -> None:
    with pytest.raises(ConfigError, match="Ray cannot be started or reached") as error:
        start_ray("no address at all")
    assert error.value.subject == "no address at all"


def test_a_library_in_a_folder_cannot_use_it(tmp_path: Path, tiny_model: ModelPackage) -> None:
    result = run(
        "index", tmp_path, "--library", tmp_path / "library", "--model", tiny_model.path, "--ray-address", "local"
    )
    assert result.exit_code == 2
    assert "needs a library in Lance" in result.output
