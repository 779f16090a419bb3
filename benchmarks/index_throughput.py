"""Photos a second: indexing beside its limits, decoding only and encoding only, in one run over the same photos.

    python benchmarks/index_throughput.py DIR [--model NAME_OR_PATH] [--limit N] [--json]

"both" is what decoding and encoding allow together on the same cores, 1 / (1/decoding + 1/encoding); the fraction of it
that indexing reaches is what scan, checksums, catalog and index leave.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sketchseek.encoder import Encoder, load_encoder
from sketchseek.errors import ImageError
from sketchseek.images import read_photo
from sketchseek.models import DEFAULT_MODEL
from sketchseek.search.index.engine import available_cores
from sketchseek.search.library import Library
from sketchseek.search.pipeline import BATCH
from sketchseek.search.scan import Found, absolute, scan

ROUNDS = 4


def decode(paths: list[bytes], size: int) -> int:
    """Read and decode photos; returns how many could be."""
    good = 0
    for path in paths:
        try:
            read_photo(Path(os.fsdecode(path)).read_bytes(), size)
            good += 1
        except ImageError:
            pass
    return good


def seconds(work: Callable[[], Iterable[object]]) -> float:
    """The time that some work takes."""
    start = time.perf_counter()
    for _ in work():
        pass
    return time.perf_counter() - start


def measure(folder: str, model: str, limit: int) -> dict[str, Any]:
    encoder = load_encoder(model, threads=1)
    size = encoder.manifest.photo.size
    cores = available_cores()
    found = (item.path for item in scan([absolute(folder)]) if isinstance(item, Found))
    paths = list(itertools.islice(found, limit))
    for path in paths:  # into the system's cache
        Path(os.fsdecode(path)).read_bytes()
    spent = dict.fromkeys(("decoding", "decoding_in_processes", "encoding", "indexing"), 0.0)
    failed = 0
    embed_noise(encoder)
    with (
        ThreadPoolExecutor(cores) as threads,
        ProcessPoolExecutor(cores) as processes,
        tempfile.TemporaryDirectory() as place,
        Library.create(Path(place) / "library", model) as library,
    ):
        list(processes.map(decode, [paths[:1]] * cores, itertools.repeat(size)))  # starts the processes
        # In turns, so that whatever else the machine does falls on all of them alike.
        for turn in range(ROUNDS):
            part = paths[turn::ROUNDS]
            batches = [part[i : i + BATCH] for i in range(0, len(part), BATCH)]
            sizes, encoders = [size] * len(batches), [encoder] * len(batches)
            spent["decoding"] += seconds(partial(threads.map, decode, batches, sizes))
            spent["decoding_in_processes"] += seconds(partial(processes.map, decode, batches, sizes))
            spent["encoding"] += (
                seconds(partial(threads.map, embed_noise, encoders)) * len(part) / (BATCH * len(batches))
            )
            subset = Path(place) / f"photos{turn}"
            subset.mkdir()
            for i, path in enumerate(part):
                (subset / f"{i:07d}{Path(os.fsdecode(path)).suffix}").symlink_to(os.fsdecode(path))
            report = library.add([subset])
            spent["indexing"] += report.seconds
            failed += report.failed
    rates = {f"{name}_per_s": len(paths) / time for name, time in spent.items()}
    both = len(paths) / (spent["decoding"] + spent["encoding"])
    return {
        "photos": len(paths),
        "failed": failed,
        "cores": cores,
        "model": encoder.manifest.name,
        **rates,
        "both_per_s": both,
        "share_of_both": rates["indexing_per_s"] / both,
    }


def embed_noise(encoder: Encoder) -> None:
    """Embed one batch; what the pixels are does not matter to the time."""
    size = encoder.manifest.photo.size
    encoder.encode_photo_pixels(np.zeros((BATCH, size, size, 3), np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--limit", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    row = measure(options.folder, options.model, options.limit)
    if options.json:
        print(json.dumps(row, indent=2))
        return
    print(f"{row['photos']:,} photos, model {row['model']}, {row['cores']} cores; photos a second")
    for name, key in (
        ("decoding only, threads", "decoding_per_s"),
        ("decoding only, processes", "decoding_in_processes_per_s"),
        ("encoding only", "encoding_per_s"),
        ("both, one after the other", "both_per_s"),
        ("indexing", "indexing_per_s"),
    ):
        print(f"  {name:<28} {row[key]:9.1f}")
    print(f"  {'indexing / both':<28} {row['share_of_both']:9.2f}")


if __name__ == "__main__":
    main()
