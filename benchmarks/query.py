"""The time of a query in its parts, the library's own share over bare faiss, start-up time, and memory.

Words and colors are compared with the query by a sketch alone, explanations with the encoding that they are part of.

    python benchmarks/query.py [--model NAME_OR_PATH] [--photos 100000] [--json]

The library's embeddings are random and clustered (see engines.py): no photo is decoded, and the query is a real sketch.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from engines import vectors

from sketchseek.errors import ModelPackageError
from sketchseek.models import DEFAULT_MODEL
from sketchseek.photo_metadata import PhotoMetadata
from sketchseek.search.catalog import Catalog, Description, Row
from sketchseek.search.colors import PaletteColor, signature_of
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.params import Filter

K = 10
REPEATS = 50
# getrusage counts what the parent had before exec too; the kernel's own high-water mark does not.
_PROGRAM = """
import atexit, pathlib, re, sys
def peak():
    found = re.search(r"VmHWM:\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())
    print(found[1] if found else 0, file=sys.stderr)
atexit.register(peak)
from sketchseek.cli import main
main()
"""
_WORDS = ["beach", "garden", "cat", "dog", "sunset", "harbor", "mountain", "forest", "snow", "bicycle", "street"]
HOUSE = [
    [[0, 0, 200, 200, 0], [200, 90, 90, 200, 200]],
    [[0, 100, 200], [90, 0, 90]],
    [[80, 80, 120, 120], [200, 140, 140, 200]],
]


Calls = dict[str, Callable[[], object]]


def milliseconds(calls: Calls) -> dict[str, float]:
    """Median time of each call; they take turns, so that whatever else the machine does falls on all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(REPEATS + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:  # the first is to warm up
                times[name].append(time.perf_counter() - start)
    return {name: 1000 * float(np.median(some)) for name, some in times.items()}


def fill(path: Path, library: LocalLibrary, count: int) -> np.ndarray:
    """Put photos that are not there into a library; returns unit queries like its embeddings, (m, d)."""
    dimension = library.encoder.manifest.dimensions
    signatures = [
        signature_of(picture) for picture in np.random.default_rng(1).integers(0, 256, (64, 8, 8, 3), np.uint8)
    ]
    made, queries = vectors(count, dimension, np.random.default_rng(0))
    catalog = Catalog(path, write=True)
    with catalog.transaction():
        for i, embedding in enumerate(made.astype(np.float16)):
            name = f"/photos/{i % 100:02d}/{i:07d}.jpg".encode()
            caption = f"{_WORDS[i % 7]} {_WORDS[i // 7 % 11]} {i}"
            description = Description(PhotoMetadata(caption=caption), signatures[i % len(signatures)])
            catalog.add(Row(name, 1, 1, i.to_bytes(32, "big"), 640, 480, embedding.tobytes(), description))
    IndexMirror(path, dimension, library.encoder.manifest.distance).save(catalog)
    catalog.close()
    return queries


def measure(model: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place, LocalLibrary.create(Path(place) / "library", model) as library:
        queries = fill(Path(place) / "library", library, count)
        start = time.perf_counter()
        library.search_embedding(queries[0], K)
        opening = time.perf_counter() - start
        space = (" " * number for number in itertools.count())  # another text with the same words: caches do not help
        turn = iter(np.resize(queries, (20 * REPEATS, queries.shape[1])))
        encoder = library.encoder
        pixels = encoder.read_sketch(HOUSE)[None]
        side = encoder.manifest.photo.size
        photo = np.random.default_rng(2).integers(0, 256, (1, side, side, 3), np.uint8)
        index = library._engine.mirror._index
        assert index is not None
        asked = K * index.oversampling
        inner = index._inner  # type: ignore[attr-defined]
        ids = [result.id for result in library.search_embedding(queries[0], K)]
        folder = Path("/photos/07")
        house, red = Example(sketch=HOUSE), (PaletteColor("red"), PaletteColor("white"))
        stages: Calls = {
            "sketch_ms": lambda: encoder.read_sketch(HOUSE),
            "encoding_ms": lambda: encoder.encode_sketch_pixels(pixels),
            "index_ms": lambda: index.search(next(turn)[None], asked),
            "fetching_ms": lambda: library._catalog.photos(ids),
            "search_embedding_ms": lambda: library.search_embedding(next(turn), K),
            "search_in_a_hundredth_ms": lambda: library.search_embedding(next(turn), K, filter=Filter(folder)),
            "whole_query_ms": lambda: library.search(HOUSE, K),
        }
        if index.name == "exact":
            stages["faiss_ms"] = lambda: inner.search(next(turn)[None], K)
        beside: Calls = {
            "sketch_alone_ms": stages["whole_query_ms"],
            "words_ms": lambda: library.search_query(Query(text=f"beach garden{next(space)}"), K),
            "typo_ms": lambda: library.search_query(Query(text=f"baech{next(space)}"), K),
            "sketch_and_words_ms": lambda: library.search_query(Query((house,), f"beach garden{next(space)}"), K),
            "sketch_and_same_words_ms": lambda: library.search_query(Query((house,), "beach garden"), K),
            "sketch_and_required_words_ms": lambda: library.search_query(
                Query((house,), f"beach garden{next(space)}", text_mode="require"), K
            ),
            "sketch_and_colors_ms": lambda: library.search_query(Query((house,), colors=red), K),
        }
        explained: Calls = {
            "sketch_unexplained_ms": stages["encoding_ms"],
            "sketch_cells_ms": lambda: encoder.explain_sketch_pixels(pixels),
            "photo_ms": lambda: encoder.encode_photo_pixels(photo),
            "photo_cells_ms": lambda: encoder.explain_photo_pixels(photo),
        }
        row: dict[str, Any] = {"photos": count, "model": encoder.manifest.name, "engine": index.name}
        # Each group by itself: calls that take turns cool the processor's caches for one another.
        row |= milliseconds(stages) | {"first_query_s": opening} | milliseconds(beside)
        with suppress(ModelPackageError):  # not every model explains
            row |= milliseconds(explained)
            row["cells_over_encoding"] = row["sketch_cells_ms"] / row["sketch_unexplained_ms"]
            row["cells_over_photo"] = row["photo_cells_ms"] / row["photo_ms"]
        for name in (
            "words",
            "typo",
            "sketch_and_words",
            "sketch_and_same_words",
            "sketch_and_required_words",
            "sketch_and_colors",
        ):
            row[f"{name}_over_sketch"] = row[f"{name}_ms"] / row["sketch_alone_ms"]
        if index.name == "exact":
            row["library_over_faiss"] = row["search_embedding_ms"] / row["faiss_ms"]
        row |= command_times(Path(place) / "library", Path(place) / "sketch.json")
        row["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return row


def command_times(library: Path, sketch: Path) -> dict[str, float]:
    """Wall-clock times and peak memory of the command, in processes of its own."""
    sketch.write_text(json.dumps(HOUSE))
    help_s = min(_command("--help")[0] for _ in range(5))
    runs = [_command("search", str(sketch), "--library", str(library), "--json") for _ in range(3)]
    return {
        "command_help_s": help_s,
        "command_search_s": min(seconds for seconds, _ in runs),
        "command_search_peak_mb": runs[0][1],
    }


def _command(*arguments: str) -> tuple[float, float]:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True
    )
    return time.perf_counter() - start, int(done.stderr.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    row = measure(options.model, options.photos)
    if options.json:
        print(json.dumps(row, indent=2))
        return
    print(f"{row['photos']:,} photos, model {row['model']}, engine {row['engine']}; medians")
    for name, key, unit in (
        ("sketch to raster", "sketch_ms", "ms"),
        ("encoding", "encoding_ms", "ms"),
        ("search in the index", "index_ms", "ms"),
        ("fetching rows", "fetching_ms", "ms"),
        ("a whole query by sketch", "whole_query_ms", "ms"),
        ("a query by embedding", "search_embedding_ms", "ms"),
        ("words alone, 1 in 77 photos", "words_ms", "ms"),
        ("  over a sketch alone", "words_over_sketch", ""),
        ("a word with a typo, 1 in 7", "typo_ms", "ms"),
        ("  over a sketch alone", "typo_over_sketch", ""),
        ("a sketch and words", "sketch_and_words_ms", "ms"),
        ("  over a sketch alone", "sketch_and_words_over_sketch", ""),
        ("the next sketch and the same words", "sketch_and_same_words_ms", "ms"),
        ("  over a sketch alone", "sketch_and_same_words_over_sketch", ""),
        ("a sketch and required words", "sketch_and_required_words_ms", "ms"),
        ("  over a sketch alone", "sketch_and_required_words_over_sketch", ""),
        ("a sketch and colors", "sketch_and_colors_ms", "ms"),
        ("  over a sketch alone", "sketch_and_colors_over_sketch", ""),
        ("encoding, explained", "sketch_cells_ms", "ms"),
        ("  over encoding", "cells_over_encoding", ""),
        ("encoding a photo", "photo_ms", "ms"),
        ("encoding a photo, explained", "photo_cells_ms", "ms"),
        ("  over encoding a photo", "cells_over_photo", ""),
        ("the same in 1 % of the folders", "search_in_a_hundredth_ms", "ms"),
        ("bare faiss", "faiss_ms", "ms"),
        ("query by embedding / bare faiss", "library_over_faiss", ""),
        ("first query after opening", "first_query_s", "s"),
        ("sketchseek --help", "command_help_s", "s"),
        ("sketchseek search", "command_search_s", "s"),
        ("  its peak memory", "command_search_peak_mb", "MB"),
        ("peak memory of this run", "peak_mb", "MB"),
    ):
        if key in row:
            print(f"  {name:<36} {row[key]:9.3f} {unit}")


if __name__ == "__main__":
    main()
