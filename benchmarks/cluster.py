"""Indexing into a library in Lance by threads and by Ray, compared with a library in a folder, on the same cores.

    python benchmarks/cluster.py FOLDER [--limit 2000] [--workers 1 2 4] [--json]

Ray is started before the clock, its workers load the model on it, as threads do.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from sketchseek.cluster.library import LanceLibrary
from sketchseek.cluster.ray_runner import RayRunner, start_ray
from sketchseek.search.index.engine import available_cores
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary


def index(library: Library, photos: Path) -> dict[str, Any]:
    """Index a folder; returns photos and seconds."""
    with library:
        start = time.perf_counter()
        report = library.add([photos])
        seconds = time.perf_counter() - start
    return {"photos": report.indexed, "seconds": seconds, "photos_per_second": report.indexed / seconds}


def with_ray(place: Path, photos: Path, workers: int) -> dict[str, Any]:
    """Index with a local Ray that has some workers."""
    import ray

    start = time.perf_counter()
    start_ray(num_cpus=workers)
    started = time.perf_counter() - start
    try:
        library = LanceLibrary.open(place / f"ray{workers}", create=True, runner=RayRunner())
        return {"name": f"Lance, Ray, {workers} workers", **index(library, photos), "start_seconds": started}
    finally:
        ray.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--limit", type=int, default=2000, help="Number of photos.")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    files = sorted(file for file in options.photos.rglob("*") if file.suffix in (".jpg", ".jpeg", ".png"))
    with tempfile.TemporaryDirectory() as folder:
        place, photos = Path(folder), Path(folder) / "photos"
        photos.mkdir()
        for number, file in enumerate(files[: options.limit]):
            (photos / f"{number:06}{file.suffix}").symlink_to(file.resolve())
        rows = [
            {"name": "in a folder", **index(LocalLibrary.create(place / "local"), photos)},
            {"name": "Lance, threads", **index(LanceLibrary.open(place / "threads", create=True), photos)},
            *(with_ray(place, photos, workers) for workers in options.workers),
        ]
    for row in rows:
        row["ratio"] = row["photos_per_second"] / rows[0]["photos_per_second"]
    if options.json:
        print(json.dumps({"cores": available_cores(), "rows": rows}, indent=2))
        return
    print(f"{rows[0]['photos']:,} photos, {available_cores()} cores")
    print(f"  {'library':<24}{'photos/s':>10}{'ratio':>8}{'Ray starts in, s':>18}")
    for row in rows:
        start = f"{row['start_seconds']:.1f}" if "start_seconds" in row else ""
        print(f"  {row['name']:<24}{row['photos_per_second']:>10.1f}{row['ratio']:>8.2f}{start:>18}")


if __name__ == "__main__":
    main()
