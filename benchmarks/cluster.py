"""Indexing into a library in Lance by threads and by Ray, compared with a library in a folder, on the same cores.

    python benchmarks/cluster.py FOLDER [--limit 1500] [--workers 1 2 4] [--json]

Each indexes a fifth of the photos, and then the others: the difference tells the time to begin (Ray's workers start and
load the model each time) from the time for each photo. Ray itself is started before the clock.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sketchseek.cluster.library import LanceLibrary
from sketchseek.cluster.ray_runner import RayRunner, start_ray
from sketchseek.search.index.engine import available_cores
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary


def index(name: str, library: Library, folders: Sequence[Path], workers: int) -> dict[str, Any]:
    """Index two folders, a small and a large one; returns the time to begin and the photos per second after that."""
    runs = []
    with library:
        for folder in folders:
            start = time.perf_counter()
            indexed = library.add([folder]).indexed
            runs.append((indexed, time.perf_counter() - start))
    (few, short), (many, long) = runs
    seconds = (long - short) / (many - few)
    return {
        "name": name,
        "photos": few + many,
        "photos_per_second": 1 / seconds,
        "core_ms_per_photo": 1000 * seconds * min(workers, available_cores()),
        "begin_seconds": short - few * seconds,
    }


def with_ray(place: Path, folders: Sequence[Path], workers: int) -> dict[str, Any]:
    """Index with a local Ray that has some workers."""
    import ray

    start = time.perf_counter()
    start_ray(num_cpus=workers)
    started = time.perf_counter() - start
    try:
        library = LanceLibrary.open(place / f"ray{workers}", create=True, runner=RayRunner())
        row = index(f"Lance, Ray, {workers} worker{'s' * (workers > 1)}", library, folders, workers)
        return {**row, "ray_starts_seconds": started}
    finally:
        ray.shutdown()


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--limit", type=int, default=1500, help="Number of photos.")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    files = sorted(file for file in options.photos.rglob("*") if file.suffix in (".jpg", ".jpeg", ".png"))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        folders = (place / "few", place / "many")
        for one in folders:
            one.mkdir()
        for number, file in enumerate(files[: options.limit]):
            (folders[number % 5 > 0] / f"{number:06}{file.suffix}").symlink_to(file.resolve())
        cores = available_cores()
        rows = [
            index("in a folder", LocalLibrary.create(place / "local"), folders, cores),
            index("Lance, threads", LanceLibrary.open(place / "threads", create=True), folders, cores),
            *(with_ray(place, folders, workers) for workers in options.workers),
        ]
    for row in rows:
        row["ratio"] = row["photos_per_second"] / rows[0]["photos_per_second"]
        row["ms_more_than_threads"] = row["core_ms_per_photo"] - rows[1]["core_ms_per_photo"]
    if options.json:
        print(json.dumps({"cores": cores, "rows": rows}, indent=2))
        return
    print(f"{rows[0]['photos']:,} photos, {cores} cores; ms are those of one core, for each photo")
    print(f"  {'library':<24}{'photos/s':>10}{'ratio':>8}{'ms':>8}{'more':>8}{'begins, s':>11}{'Ray starts, s':>15}")
    for row in rows:
        start = f"{row['ray_starts_seconds']:.1f}" if "ray_starts_seconds" in row else ""
        print(
            f"  {row['name']:<24}{row['photos_per_second']:>10.1f}{row['ratio']:>8.2f}{row['core_ms_per_photo']:>8.1f}"
            f"{row['ms_more_than_threads']:>8.1f}{row['begin_seconds']:>11.1f}{start:>15}"
        )


if __name__ == "__main__":
    main()
