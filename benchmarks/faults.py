"""Index real photos into object storage with a Ray cluster while what can fail fails, and check that nothing is lost.

    python benchmarks/faults.py FOLDER ... [--rows 1000000] [--json]

The store is SeaweedFS with three volume servers and two copies of each object; the cluster has three nodes; all are
processes of this machine. The library has ROWS synthetic photos before. One command begins to index and is killed; two
others go on at the same time; then a node of the cluster is killed, and a volume server. In the end, each photo must be
in the library once, with the embedding of its bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scale import Run

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from object_store import ObjectStore, running_store

SUFFIXES = (".jpg", ".jpeg", ".png")
NODES = 3
MEMORY = 100 << 20
SAMPLE = 300
"""Photos whose embeddings are computed again."""


@contextmanager
def cluster() -> Iterator[Any]:
    """Run a Ray cluster whose nodes are processes of this machine."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    head = {"num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False}
    running = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(NODES - 1):
            running.add_node(num_cpus=1, object_store_memory=MEMORY)
        running.wait_for_nodes()
        yield running
    finally:
        running.shutdown()


def upload(store: ObjectStore, folders: list[Path], bucket: str) -> list[str]:
    """Copy photos into the store and return their URIs."""
    files = {
        f"{bucket}/photos/{folder.name}/{file.relative_to(folder).as_posix()}": file
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in SUFFIXES
    }
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda item: store.put(item[0], item[1].read_bytes()), files.items()))
    return list(files)


class Indexing:
    """Commands that index, and what happens to them."""

    def __init__(self, bucket: str, address: str, begin: int, total: int) -> None:
        self._arguments = ["index", f"{bucket}/photos", "--library", f"{bucket}/library", "--json"]
        self._arguments += ["--ray-address", address]
        self._library = f"{bucket}/library"
        self._begin, self._total = begin, total
        self.running: list[subprocess.Popen[str]] = []
        self.again = 0

    def start(self) -> None:
        """Start a command."""
        command = [sys.executable, "-m", "sketchseek", *self._arguments]
        self.running.append(
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
            )
        )

    def wait_for(self, fraction: float) -> float:
        """Wait until a fraction of the photos is in the library, and return it. Commands that fail start again."""
        from sketchseek.cluster.library import LanceLibrary
        from sketchseek.errors import SketchseekError

        done = 0.0
        while done < fraction:
            time.sleep(1)
            self._restart_failed()
            if not self.running:
                return 1.0
            try:
                with LanceLibrary.open(self._library, readonly=True) as library:
                    done = (len(library) - self._begin) / self._total
            except SketchseekError as error:  # the volume was just killed
                print(error, file=sys.stderr)
        return done

    def finish(self) -> None:
        """Wait until every command has ended well."""
        while self.running:
            time.sleep(1)
            self._restart_failed()

    def _restart_failed(self) -> None:
        for process in [one for one in self.running if one.poll() is not None]:
            _, errors = process.communicate()
            self.running.remove(process)
            if process.returncode:
                print(errors[-2000:], file=sys.stderr)
                self.again += 1
                assert self.again < 10
                self.start()


def check(address: str, wanted: list[str], synthetic: int) -> dict[str, Any]:
    """Check that each photo is in the library once, or has failed with a reason."""
    from sketchseek.cluster.library import LanceLibrary
    from sketchseek.cluster.table import IS_PHOTO

    with LanceLibrary.open(address, readonly=True) as library:
        rows = library._table.latest().rows(["id", "path"], IS_PHOTO)
        paths = [path for path in rows["path"].to_pylist() if path.startswith("s3://")]
        failures = {str(one.path): one.reason for one in library.failures()}
        problems = library.verify(sample=SAMPLE).problems
    ids = rows["id"].to_pylist()
    figures = {
        "photos": len(wanted),
        "indexed": len(paths),
        "failed": len(failures),
        "twice": len(paths) - len(set(paths)) + len(ids) - len(set(ids)),
        "lost": len(set(wanted) - set(paths) - set(failures)),
        "synthetic": len(ids) - len(paths),
        "problems": problems,
    }
    assert figures["twice"] == figures["lost"] == 0, figures
    assert figures["synthetic"] == synthetic, figures
    assert not problems, problems
    return figures


def timed(figures: dict[str, Any], name: str, call: Callable[[], Any]) -> Any:
    """Call a function, and note its seconds."""
    print(name, file=sys.stderr, flush=True)
    start = time.perf_counter()
    result = call()
    figures[f"{name}_s"] = round(time.perf_counter() - start, 1)
    return result


def run(folders: list[Path], rows: int) -> dict[str, Any]:
    """Do all of it."""
    figures: dict[str, Any] = {}
    program = Path(sys.executable).with_name("weed")
    with tempfile.TemporaryDirectory() as place, running_store(program, Path(place), more_volumes=2) as store:
        os.environ.update(store.environment)
        bucket = store.bucket()
        if rows:
            timed(figures, "synthetic", Run("lance", f"{bucket}/library", rows).build)
        photos = timed(figures, "upload", lambda: upload(store, folders, bucket))
        with cluster() as nodes:
            start = time.perf_counter()
            indexing = Indexing(bucket, nodes.address, rows, len(photos))
            indexing.start()
            figures["command_killed_at"] = indexing.wait_for(0.05)
            for process in indexing.running:
                process.kill()
                process.communicate()
            indexing.running.clear()
            indexing.start()
            indexing.start()
            figures["node_killed_at"] = indexing.wait_for(0.3)
            nodes.remove_node(nodes.list_all_nodes()[-1], allow_graceful=False)
            figures["volume_killed_at"] = indexing.wait_for(0.5)
            store.kill_volume()
            indexing.finish()
            figures["index_s"] = round(time.perf_counter() - start, 1)
            figures["commands_started_again"] = indexing.again
        figures |= timed(figures, "check", lambda: check(f"{bucket}/library", photos, rows))
    return figures


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--rows", type=int, default=1_000_000, help="Number of synthetic photos.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = run(options.folders, options.rows)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:<24} {value}")


if __name__ == "__main__":
    main()
