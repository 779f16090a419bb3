"""A large library of either kind: time to build, size on disk, memory, and queries with and without filters.

    python benchmarks/scale.py [--photos 1000000] [--kind local|lance] [--at FOLDER_OR_URI] [--json]

The embeddings are random and clustered (see engines.py), the rows and paths are like real ones; no photo is decoded.
With --kind lance and --at s3://bucket/folder, the library is in object storage.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from engines import vectors

from sketchseek.models import DEFAULT_MODEL
from sketchseek.models.package import load_model_package
from sketchseek.search.catalog import Catalog, Row
from sketchseek.search.index.engine import load_faiss, use_threads
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.params import Filter

K = 10
PART = 50_000
DAY = 86_400 * 10**9
JANUARY = datetime(1970, 1, 1, tzinfo=UTC)
FOLDERS = 100


def path_of(photo: int) -> str:
    """Return the path of a photo: the n-th part of a hundred is in folder n."""
    return f"/photos/{photo % FOLDERS:02d}/{photo:08d}.jpg"


def fill_local(library: LocalLibrary, made: np.ndarray, first: int) -> None:
    """Add photos that are not there to a library in a folder."""
    metadata = load_model_package(DEFAULT_MODEL).manifest
    with closing(Catalog(library.path, write=True)) as catalog:
        for start in range(0, len(made), PART):
            with catalog.transaction():
                for number, embedding in enumerate(made[start : start + PART], start=first + start):
                    digest = number.to_bytes(32, "big")
                    row = Row(path_of(number).encode(), 1, number * DAY // 100, digest, 640, 480, embedding.tobytes())
                    catalog.add(row)
        IndexMirror(library.path, metadata.dimensions, metadata.distance).save(catalog)


def fill_lance(address: str, made: np.ndarray, first: int, exact_below: int) -> None:
    """Add photos that are not there to a library in Lance."""
    import pyarrow as pa

    from sketchseek.cluster.maintenance import optimize
    from sketchseek.cluster.table import Change, Snapshot, Table, schema

    table = Table(address)
    for start in range(0, len(made), PART):
        part = made[start : start + PART]
        numbers = range(first + start, first + start + len(part))
        paths = [path_of(number) for number in numbers]
        ids = pa.array(numbers, pa.int64())
        columns = {
            "id": pa.array([number + 1 for number in numbers], pa.int64()),
            "path": paths,
            "folder": [path.rpartition("/")[0] for path in paths],
            "size": pa.array([1] * len(part), pa.int64()),
            "mtime_ns": pa.array([number * DAY // 100 for number in numbers], pa.int64()),
            "version": [""] * len(part),
            "source": pa.nulls(len(part), pa.string()),
            "digest": [number.to_bytes(32, "big") for number in numbers],
            "width": pa.array([640] * len(part), pa.int32()),
            "height": pa.array([480] * len(part), pa.int32()),
            "added": [0.0] * len(part),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), part.shape[1]),
            "reason": pa.nulls(len(ids), pa.string()),
            "state": pa.nulls(len(ids), pa.string()),
        }
        fragments = table.write_rows(pa.table(columns, schema=schema(part.shape[1])))

        def change(one: Snapshot, fragments: list[str] = fragments, last: int = numbers[-1]) -> Change:
            return Change(replace(one.state, next_id=last + 2), fragments)

        table.commit(change)
    optimize(table, exact_below=exact_below)


def percentiles(call: Callable[[np.ndarray], object], queries: np.ndarray) -> list[float]:
    """Return the median and the 95th percentile of a call's time, in ms. The first calls warm up."""
    times = []
    for query in queries:
        start = time.perf_counter()
        call(query)
        times.append(1000 * (time.perf_counter() - start))
    return [round(float(np.percentile(times[5:], share)), 2) for share in (50, 95)]


def bare_faiss(made: np.ndarray, queries: np.ndarray) -> list[float]:
    """Return the times of faiss alone, exhaustive over fp16 vectors."""
    faiss = load_faiss()
    index = faiss.IndexScalarQuantizer(made.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    for start in range(0, len(made), PART):
        index.add(made[start : start + PART].astype(np.float32))
    use_threads(1)
    return percentiles(lambda query: index.search(query[None], K), queries)


def recall(library: Library, made: np.ndarray, queries: np.ndarray) -> float:
    """Return the fraction of the true nearest photos that are found."""
    hits = 0
    for query in queries:
        best = np.argpartition(-(made @ query.astype(np.float32)), K)[:K]
        found = {int(one.path.stem) for one in library.search_embedding(query, K)}
        hits += len(found & set(best.tolist()))
    return hits / (K * len(queries))


def resident_mb() -> float:
    """Return the memory that this process has now, in MB."""
    found = re.search(r"VmRSS:\s*(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1000 if found else 0.0


def timed(call: Callable[[], object]) -> float:
    """Return a call's time in seconds."""
    start = time.perf_counter()
    call()
    return round(time.perf_counter() - start, 3)


def measure(kind: str, at: str, count: int, exact_below: int) -> dict[str, Any]:
    """Build a library and measure it."""
    dimension = load_model_package(DEFAULT_MODEL).manifest.dimensions
    made, queries = vectors(count + 1000, dimension, np.random.default_rng(0))
    made, queries = made.astype(np.float16), queries[:100].astype(np.float32)
    figures: dict[str, Any] = {"kind": kind, "photos": count}
    address = f"{at}/library"

    def opened() -> Library:
        if kind == "local":
            return LocalLibrary.open(address, create=True)
        from sketchseek.cluster.library import LanceLibrary

        return LanceLibrary.open(address, create=True, exact_below=exact_below)

    def fill(photos: np.ndarray, first: int) -> None:
        if kind == "local":
            with LocalLibrary.open(address) as library:
                fill_local(library, photos, first)
        else:
            fill_lance(address, photos, first, exact_below)

    opened().close()
    figures["build_s"] = timed(lambda: fill(made[:count], 0))
    before = resident_mb()
    start = time.perf_counter()
    with opened() as library:
        library.search_embedding(queries[0], K)
        figures["open_and_first_query_s"] = round(time.perf_counter() - start, 3)
        figures["resident_mb"] = round(resident_mb() - before)
        figures["disk_mb"] = round(library.status().bytes / 1e6)
        filters = {
            "query_ms": Filter(),
            "query_in_a_folder_ms": Filter(folder="/photos/07"),
            "query_in_a_year_ms": Filter(
                after=datetime(1970, 6, 1, tzinfo=UTC), before=datetime(1971, 6, 1, tzinfo=UTC)
            ),
        }
        for name, filter in filters.items():
            figures[name] = percentiles(lambda query, f=filter: library.search_embedding(query, K, filter=f), queries)  # type: ignore[misc]
        figures["recall_at_10"] = round(recall(library, made[:count].astype(np.float32), queries[:50]), 4)
        figures["faiss_exhaustive_ms"] = bare_faiss(made[:count], queries)
        figures["ratio_to_faiss"] = round(figures["query_ms"][0] / figures["faiss_exhaustive_ms"][0], 2)
        figures["add_1000_s"] = timed(lambda: fill(made[count:], count))
        figures["remove_a_folder_s"] = timed(lambda: library.remove(["/photos/07"]))
        figures["verify_s"] = timed(lambda: library.verify())
    return figures


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=("local", "lance"), default="local")
    parser.add_argument("--at", help="Folder or URI for the library; by default a temporary folder.")
    parser.add_argument("--exact-below", type=int, default=50_000, help="Photos below which Lance's index is not used.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        figures = measure(options.kind, options.at or place, options.photos, options.exact_below)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<24} {value}")


if __name__ == "__main__":
    main()
