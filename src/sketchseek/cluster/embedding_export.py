"""A library's embeddings as a Parquet file, for pandas, polars, DuckDB and the like."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np

from sketchseek.atomic_write import atomic_path, make_folders
from sketchseek.cluster.copying import PART, open_rows
from sketchseek.search.library import PathLike
from sketchseek.search.results import IndexProgress, ProgressCallback

METADATA = b"sketchseek"
"""Key of the schema's metadata: JSON with ``model``, ``fingerprint``, ``distance`` and ``dimensions``."""


def export_embeddings(library: PathLike, file: Path, progress: ProgressCallback | None = None) -> int:
    """Write ``id``, ``path``, ``width``, ``height`` and ``embedding`` of every photo to a Parquet file.

    The file appears when it is complete. Embeddings are float32, a list of fixed size.

    Args:
        library: The library's folder, or its URI.
        file: The file to create or replace.
        progress: Called after each part.

    Returns:
        The number of photos.

    Raises:
        LibraryError: There is no such library, or it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    done = 0
    make_folders(file.parent)
    with open_rows(library) as (rows, contents), atomic_path(file) as aside:
        known = contents.metadata
        about = {
            "model": known.name,
            "fingerprint": known.fingerprint,
            "distance": known.distance,
            "dimensions": known.dimensions,
        }
        schema = pa.schema(
            {
                "id": pa.int64(),
                "path": pa.string(),
                "width": pa.int32(),
                "height": pa.int32(),
                "embedding": pa.list_(pa.float32(), known.dimensions),
            },
            metadata={METADATA: json.dumps(about).encode()},
        )
        with pq.ParquetWriter(aside, schema) as writer:
            while part := list(islice(rows, PART)):
                columns = {name: [row[name] for row in part] for name in ("id", "path", "width", "height")}
                values = np.concatenate([row["embedding"] for row in part]).astype(np.float32)
                embeddings = pa.FixedSizeListArray.from_arrays(values, known.dimensions)
                writer.write_table(pa.table({**columns, "embedding": embeddings}, schema=schema))
                done += len(part)
                if progress is not None:
                    progress(IndexProgress("embed", done, len(contents.paths), done))
    return done
