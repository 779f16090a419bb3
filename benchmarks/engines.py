"""Vector engines compared: milliseconds a query, recall@10, seconds to build, megabytes.

    python benchmarks/engines.py [--sizes 10000 100000] [--million] [--json]

The vectors are clustered and lie near a subspace, as embeddings do; half of the queries are noisy copies, and half lie
between two vectors, as sketches lie between photos. The approximate engine's candidates are scored again by their true
vectors, as a library does it (there from the catalog: see benchmarks/query.py).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from sketchseek.search.index import ENGINES, engine_for, sample_size
from sketchseek.search.index.engine import load_faiss
from sketchseek.search.index.partition import cells_for, probes_for

QUERIES = 200
K = 10


def vectors(count: int, dimension: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (count, dimension) in clusters of uneven size, and (QUERIES, dimension) queries."""
    clusters = max(10, int(np.sqrt(count)))
    inner = dimension // 2
    basis = np.linalg.qr(rng.standard_normal((dimension, inner)))[0].T.astype(np.float32)
    centers = rng.standard_normal((clusters, inner)).astype(np.float32)
    weights = rng.pareto(1.5, clusters) + 0.05
    weights /= weights.sum()
    made = np.empty((count, dimension), np.float32)
    for start in range(0, count, 100_000):
        size = min(100_000, count - start)
        points = centers[rng.choice(clusters, size, p=weights)] + 0.7 * rng.standard_normal((size, inner)).astype(
            np.float32
        )
        made[start : start + size] = points @ basis + 0.02 * rng.standard_normal((size, dimension)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    first, second = made[rng.choice(count, QUERIES)], made[rng.choice(count, QUERIES)]
    mix = np.where(rng.random((QUERIES, 1)) < 0.5, 0.0, 0.5).astype(np.float32)
    queries = (1 - mix) * first + mix * second + 0.03 * rng.standard_normal((QUERIES, dimension)).astype(np.float32)
    return made, queries / np.linalg.norm(queries, axis=1, keepdims=True)


def measure(engine: str, made: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Build one engine and search it, one query at a time."""
    count, dimension = made.shape
    ids = np.arange(1, count + 1, dtype=np.int64)
    rng = np.random.default_rng(1)
    start, cpu = time.perf_counter(), time.process_time()
    sample = made[rng.choice(count, sample_size(engine, count), replace=False)]
    index = ENGINES[engine].create(dimension, "cosine", sample=sample, count=count)
    index.add(ids, made)
    built, built_cpu = time.perf_counter() - start, time.process_time() - cpu
    found, times = [], []
    for query in queries:
        start = time.perf_counter()
        candidates = index.search(query[None], K * index.oversampling)[0][0]
        if index.oversampling > 1:
            candidates = candidates[np.argsort(-(made[candidates - 1] @ query))[:K]]
        times.append(time.perf_counter() - start)
        found.append(candidates)
    tenth = np.sort(rng.choice(ids, count // 10, replace=False))
    start = time.perf_counter()
    for query in queries:
        index.search(query[None], K * index.oversampling, allowed=tenth)
    filtered = (time.perf_counter() - start) / len(queries)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index.save(path)
        size = path.stat().st_size
        start = time.perf_counter()
        ENGINES[engine].load(path, dimension, "cosine")
        loaded = time.perf_counter() - start
    recall = np.mean([len(set(f) & set(t)) / K for f, t in zip(found, truth, strict=True)])
    row = {
        "vectors": count,
        "engine": engine,
        "ms_query": 1000 * float(np.median(times)),
        "ms_query_of_a_tenth": 1000 * filtered,
        "recall@10": float(recall),
        "build_s": built,
        "build_cpu_s": built_cpu,
        "load_s": loaded,
        "mb": size / 1e6,
    }
    if engine == "approximate":
        row["cells"] = cells_for(count)
        row["probes"] = probes_for(row["cells"])
    return row


def true_neighbors(made: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Ids of the K nearest, in float32, exhaustively: (QUERIES, K)."""
    _, found = load_faiss().knn(queries, made, K, metric=load_faiss().METRIC_INNER_PRODUCT)
    return np.asarray(found + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--million", action="store_true", help="add 1,000,000 vectors: minutes, 3 GB of memory")
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for count in options.sizes + ([1_000_000] if options.million else []):
        made, queries = vectors(count, options.dimension, np.random.default_rng(0))
        truth = true_neighbors(made, queries)
        rows += [measure(engine, made, queries, truth) for engine in ("exact", "approximate")]
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{options.dimension} dimensions, cosine; one query at a time, median of {QUERIES}; times in ms and s")
    print("  vectors engine         query  of a tenth  recall@10   build (CPU)     load       MB  chosen")
    for row in rows:
        chosen = "yes" if engine_for(row["vectors"]) == row["engine"] else ""
        cells = f"{row['cells']} cells, {row['probes']} probed" if "cells" in row else ""
        print(
            f"{row['vectors']:9,} {row['engine']:<12} {row['ms_query']:7.3f}  {row['ms_query_of_a_tenth']:10.3f}"
            f"  {row['recall@10']:9.4f}  {row['build_s']:6.1f} ({row['build_cpu_s']:4.0f})  {row['load_s']:7.3f}"
            f"  {row['mb']:7.1f}  {chosen:<4} {cells}"
        )


if __name__ == "__main__":
    main()
