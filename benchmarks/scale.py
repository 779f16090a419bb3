"""Libraries of millions of photos: building, searching, adding, removing, checking, and the ratio to faiss alone.

    python benchmarks/scale.py [--photos 1000000 ...] [--kind local lance] [--at FOLDER] [--json]

The embeddings are synthetic: clustered and near a subspace, as those of photos are (see engines.py). Rows and paths are
like real ones; no photo is decoded. Each step runs in a process of its own, so that its memory can be told, and its
figures are stored in FOLDER: an interrupted run continues with the step that it was in. --at may be a URI for --kind
lance; then --state names the folder for the figures. with_store.py runs it with an S3 stand-in.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from sketchseek.models import DEFAULT_MODEL
from sketchseek.models.package import load_model_package
from sketchseek.search.catalog import Catalog, Row
from sketchseek.search.index.engine import load_faiss, use_threads
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.params import Filter

K = 10
QUERIES = 105
WARM_UP = 5
PART = 50_000
DAY = 86_400 * 10**9
FOLDERS = 100
CHANGED = 1000
STEPS = ("build", "query", "change", "faiss")
FILTERS = {
    "query": Filter(),
    "query in a folder": Filter(folder="/photos/07"),
    "query in a year": Filter(after=datetime(1975, 1, 1, tzinfo=UTC), before=datetime(1976, 1, 1, tzinfo=UTC)),
    "query in a folder and a year": Filter(
        folder="/photos/07", after=datetime(1975, 1, 1, tzinfo=UTC), before=datetime(1976, 1, 1, tzinfo=UTC)
    ),
}


class Made:
    """Synthetic embeddings, made in parts, so that they need not fit into memory. A part is always the same."""

    def __init__(self, count: int, dimension: int) -> None:
        rng = np.random.default_rng(0)
        self.count = count
        self.dimension = dimension
        clusters = max(10, int(np.sqrt(count)))
        self._basis = np.linalg.qr(rng.standard_normal((dimension, dimension // 2)))[0].T.astype(np.float32)
        self._centers = rng.standard_normal((clusters, dimension // 2)).astype(np.float32)
        weights = rng.pareto(1.5, clusters) + 0.05
        self._weights = weights / weights.sum()

    def parts(self, first: int = 0, end: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number of the first photo and the embeddings, fp16, of each part from ``first``, a part's first."""
        for start in range(first, self.count if end is None else end, PART):
            yield start, self._part(start, min(PART, (self.count if end is None else end) - start))

    def _part(self, start: int, size: int) -> np.ndarray:
        rng = np.random.default_rng((1, start))
        made = self._centers[rng.choice(len(self._centers), size, p=self._weights)]
        made = made + 0.7 * rng.standard_normal(made.shape, np.float32)
        full = made @ self._basis + 0.02 * rng.standard_normal((size, self.dimension), np.float32)
        return np.asarray(full / np.linalg.norm(full, axis=1, keepdims=True), np.float16)

    def queries(self) -> np.ndarray:
        """Return half noisy copies of embeddings and half midpoints, as sketches lie between photos."""
        some = self._part(0, min(PART, self.count)).astype(np.float32)
        rng = np.random.default_rng(2)
        first, second = some[rng.choice(len(some), QUERIES)], some[rng.choice(len(some), QUERIES)]
        mix = np.where(rng.random((QUERIES, 1)) < 0.5, 0.0, 0.5).astype(np.float32)
        made = (1 - mix) * first + mix * second + 0.03 * rng.standard_normal(first.shape).astype(np.float32)
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)

    def nearest(self, queries: np.ndarray) -> list[set[int]]:
        """Return the numbers of the true nearest of each query."""
        best = np.zeros((len(queries), 0), np.int64)
        scores = np.zeros((len(queries), 0), np.float32)
        for start, part in self.parts():
            scores = np.hstack([scores, queries @ part.astype(np.float32).T])
            best = np.hstack([best, np.broadcast_to(np.arange(start, start + len(part)), (len(queries), len(part)))])
            order = np.argpartition(-scores, K, axis=1)[:, :K]
            scores, best = np.take_along_axis(scores, order, 1), np.take_along_axis(best, order, 1)
        return [set(row.tolist()) for row in best]


def time_of(photo: int, count: int) -> int:
    """Return the file time of a photo: they are spread evenly over the ten years from 1970 on."""
    return photo * 3652 * DAY // count


def path_of(photo: int) -> str:
    """Return the path of a photo: the n-th of a hundred is in folder n."""
    return f"/photos/{photo % FOLDERS:02d}/{photo:09d}.jpg"


def fill_local(library: LocalLibrary, made: Made, first: int, end: int) -> None:
    """Add photos that are not there to a library in a folder."""
    manifest = load_model_package(DEFAULT_MODEL).manifest
    with closing(Catalog(library.path, write=True)) as catalog:
        for start, part in made.parts(first, end):
            with catalog.transaction():
                for number, embedding in enumerate(part, start=start):
                    digest = number.to_bytes(32, "big")
                    path, when = path_of(number).encode(), time_of(number, made.count)
                    catalog.add(Row(path, 1, when, digest, 640, 480, embedding.tobytes()))
        IndexMirror(library.path, manifest.dimensions, manifest.distance).save(catalog)


def fill_lance(address: str, made: Made, first: int, end: int) -> None:
    """Add photos that are not there to a library in Lance."""
    import pyarrow as pa

    from sketchseek.cluster.maintenance import optimize
    from sketchseek.cluster.table import Change, Snapshot, Table, schema

    table = Table(address)
    for start, part in made.parts(first, end):
        numbers = range(start, start + len(part))
        paths = [path_of(number) for number in numbers]
        known = {
            "id": pa.array([number + 1 for number in numbers], pa.int64()),
            "path": paths,
            "folder": [path.rpartition("/")[0] for path in paths],
            "size": pa.array([1] * len(part), pa.int64()),
            "mtime_ns": pa.array([time_of(number, made.count) for number in numbers], pa.int64()),
            "version": [""] * len(part),
            "digest": [number.to_bytes(32, "big") for number in numbers],
            "width": pa.array([640] * len(part), pa.int32()),
            "height": pa.array([480] * len(part), pa.int32()),
            "added": [0.0] * len(part),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), part.shape[1]),
        }
        kinds = schema(part.shape[1])
        rows = pa.table([known.get(one.name, pa.nulls(len(part), one.type)) for one in kinds], schema=kinds)
        fragments = table.write_rows(rows)

        def change(one: Snapshot, fragments: list[str] = fragments, last: int = numbers[-1]) -> Change:
            return Change(replace(one.state, next_id=last + 2), fragments)

        table.commit(change)
    optimize(table)


def percentiles(call: Callable[[np.ndarray], object], queries: np.ndarray) -> dict[str, float]:
    """Return the median and the 95th percentile of a call's time, in ms, without the first calls."""
    times = []
    for query in queries:
        start = time.perf_counter()
        call(query)
        times.append(1000 * (time.perf_counter() - start))
    return {f"p{share}": round(float(np.percentile(times[WARM_UP:], share)), 2) for share in (50, 95)}


def resident_mb() -> int:
    """Return the memory that this process has now, in MB."""
    found = re.search(r"VmRSS:\s*(\d+)", Path("/proc/self/status").read_text())
    return round(int(found[1]) / 1000) if found else 0


def timed(call: Callable[[], object]) -> float:
    """Return a call's time in seconds."""
    start = time.perf_counter()
    call()
    return round(time.perf_counter() - start, 3)


class Run:
    """One library: its kind, where it is, and its photos."""

    def __init__(self, kind: str, address: str, count: int) -> None:
        self.kind = kind
        self.address = address
        self.made = Made(count, load_model_package(DEFAULT_MODEL).manifest.dimensions)

    def open(self) -> Library:
        """Open the library, or create it."""
        if self.kind == "local":
            return LocalLibrary.open(self.address, create=True)
        from sketchseek.cluster.library import LanceLibrary

        return LanceLibrary.open(self.address, create=True)

    def fill(self, first: int, end: int) -> None:
        """Add photos that are not there."""
        if self.kind == "local":
            with LocalLibrary.open(self.address) as library:
                fill_local(library, self.made, first, end)
        else:
            fill_lance(self.address, self.made, first, end)

    def build(self) -> dict[str, Any]:
        """Build the library; after an interrupt, the rest of it."""
        with self.open() as library:
            there = len(library) // PART * PART
        seconds = timed(lambda: self.fill(there, self.made.count))
        return {"build_s": seconds, "continued_at": there, "memory_while_building_mb": resident_mb()}

    def query(self) -> dict[str, Any]:
        """Search, from a process that has just started."""
        queries = self.made.queries()
        before = resident_mb()
        start = time.perf_counter()
        with self.open() as library:
            library.search_embedding(queries[0], K)
            figures: dict[str, Any] = {"open_and_first_query_s": round(time.perf_counter() - start, 3)}
            for name, filter in FILTERS.items():
                figures[f"{name} ms"] = percentiles(
                    lambda query, f=filter: library.search_embedding(query, K, filter=f),  # type: ignore[misc]
                    queries,
                )
            figures["the same queries again ms"] = percentiles(
                lambda query: library.search_embedding(query, K), queries
            )
            figures["resident_mb"] = resident_mb() - before
            figures["disk_mb"] = round(library.status().bytes / 1e6)
            figures["engine"] = library.status().engine
            some = queries[WARM_UP:55]
            found = [{int(one.path.stem) for one in library.search_embedding(query, K)} for query in some]
        hits = sum(len(ids & true) for ids, true in zip(found, self.made.nearest(some), strict=True))
        return figures | {"recall_at_10": round(hits / (K * len(some)), 4)}

    def change(self) -> dict[str, Any]:
        """Add photos in another process while this one searches; remove them, sync and verify."""
        queries = self.made.queries()
        with self.open() as library:
            there = len(library)
            library.search_embedding(queries[0], K)
            start = time.perf_counter()
            adding = subprocess.Popen(command("add", self.kind, self.address, self.made.count))
            slowest, number = 0.0, 0
            while adding.poll() is None:
                asked = time.perf_counter()
                library.search_embedding(queries[number % QUERIES], K)
                slowest = max(slowest, time.perf_counter() - asked)
                number += 1
            assert adding.returncode == 0
            figures: dict[str, Any] = {"add_1000_s": round(time.perf_counter() - start, 3)}
            figures |= {"slowest_query_while_adding_ms": round(1000 * slowest), "queries_while_adding": number}
            assert library.status().photos == there + CHANGED
            paths = [path_of(photo) for photo in range(self.made.count, self.made.count + CHANGED)]
            figures["remove_1000_s"] = timed(lambda: library.remove(paths))
            assert library.status().photos == there
            # No folder: the time to find that nothing changed, without that of listing folders.
            figures["sync_without_folders_s"] = timed(library.sync)
            figures["verify_s"] = timed(library.verify)
        return figures

    def add(self) -> dict[str, Any]:
        """Add the photos that ``change`` removes."""
        self.fill(self.made.count, self.made.count + CHANGED)
        return {}

    def faiss(self) -> dict[str, Any]:
        """Search with faiss alone, exhaustively over fp16, in memory."""
        faiss = load_faiss()
        index = faiss.IndexScalarQuantizer(
            self.made.dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        for _, part in self.made.parts():
            index.add(part.astype(np.float32))
        use_threads(1)
        return {
            "faiss_exhaustive_ms": percentiles(lambda query: index.search(query[None], K), self.made.queries()[:35])
        }


def command(step: str, kind: str, address: str, count: int) -> list[str]:
    """Return the command that does one step."""
    return [sys.executable, __file__, "--step", step, "--kind", kind, "--at", address, "--photos", str(count)]


def measure(kind: str, address: str, count: int, state: Path) -> dict[str, Any]:
    """Do the steps that were not done yet, and return all figures."""
    file = state / f"{kind}-{count}.json"
    figures: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {"kind": kind, "photos": count}
    done = figures.setdefault("steps", [])
    for step in STEPS:
        if step in done:
            continue
        print(f"{kind}, {count:,} photos: {step}", file=sys.stderr, flush=True)
        out = subprocess.run(command(step, kind, address, count), check=True, stdout=subprocess.PIPE, text=True).stdout
        figures |= json.loads(out.splitlines()[-1])
        done.append(step)
        file.write_text(json.dumps(figures, indent=2))
    figures["ratio_to_faiss"] = round(figures["query ms"]["p50"] / figures["faiss_exhaustive_ms"]["p50"], 3)
    file.write_text(json.dumps(figures, indent=2))
    return figures


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--kind", choices=("local", "lance"), nargs="+", default=["local", "lance"])
    parser.add_argument("--at", help="Folder or URI for the libraries; by default a temporary folder.")
    parser.add_argument("--state", type=Path, help="Folder for the figures; by default that of the libraries.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run = Run(options.kind[0], options.at, options.photos[0])
        print(json.dumps(getattr(run, options.step)()))
        return
    with tempfile.TemporaryDirectory() as place:
        at = options.at or place
        state = options.state or Path(at)
        state.mkdir(parents=True, exist_ok=True)
        every = [
            measure(kind, f"{at}/{kind}-{count}-library", count, state)
            for count in options.photos
            for kind in options.kind
        ]
    if options.json:
        print(json.dumps({"cores": os.cpu_count(), "runs": every}, indent=2))
        return
    for figures in every:
        print()
        for name, value in figures.items():
            print(f"{name:<32} {value}")


if __name__ == "__main__":
    main()
