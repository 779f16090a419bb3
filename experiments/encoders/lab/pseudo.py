"""Pseudo-sketches of all training photos, added to a pack: what learned edges say that a hand might draw.

``python -m lab.pseudo PACK HED`` finds edges by HED at the size of the packed photos, once (``edges.npy``), follows
them as strokes, longest first, and appends one sketch of each training photo that has clear lines. Their keys begin
with ``pseudo/``. Validation photos get none.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.pack import SIZE, Pack, read_pack
from lab.vectorize import pack_lines
from sketchseek.training.edge_lines import edge_lines
from sketchseek.training.hed import SIDE, Hed, load_hed
from sketchseek.training.polylines import Polylines, simplify_polyline

SOURCE = "pseudo"
WEAKEST, STRONG = 0.2, 0.4
"""Edge probability down to which a line goes on, and the least that its strongest point has, where there are few."""
MOST_EDGES = 0.13
"""Greatest fraction of a photo that edges cover: where there are more, only the strongest stay. Variants drop strokes,
so this is more than a person would draw."""
TOLERANCE = 1.5
"""Of simplified strokes, in pixels of HED's side."""


@torch.no_grad()
def find_edges(hed: Hed, photos: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64], file: Path) -> None:
    """Write edge maps (rows, SIZE, SIZE) uint8 of some photos to a .npy file, in bfloat16 batches of 4."""
    aside = file.with_suffix(".tmp.npy")
    out = np.lib.format.open_memmap(aside, mode="w+", dtype=np.uint8, shape=(len(rows), SIZE, SIZE))
    hed = hed.to(memory_format=torch.channels_last)
    started = time.time()
    for start in range(0, len(rows), 4):
        some = torch.from_numpy(photos[rows[start : start + 4]]).permute(0, 3, 1, 2)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            edges: Tensor = hed(some.float().contiguous(memory_format=torch.channels_last))
        out[start : start + 4] = (edges.float() * 255).round().byte().numpy()
        if start % 400 == 396:
            pace = (time.time() - started) / (start + 4)
            print(f"{start + 4} of {len(rows)} photos, {pace:.3f} s a photo", flush=True)
    out.flush()
    aside.replace(file)


def strokes_of(edges: npt.NDArray[np.uint8]) -> Polylines:
    """Strokes of an edge map, longest first, in coordinates from 0 to 255; none if there are no clear lines."""
    large = cv2.resize(edges, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    level = max(WEAKEST, float(np.quantile(large, 1 - MOST_EDGES)) / 255)
    chosen = WEAKEST + (1 - WEAKEST) * (large / np.float32(255) - level) / (1 - level)
    chosen = np.where(chosen < WEAKEST, 0, chosen * 255).astype(np.uint8)
    return [simplify_polyline(line, TOLERANCE) * (255 / (SIDE - 1)) for line in edge_lines(chosen, STRONG)]


def _strokes(folder: Path, row: int) -> Polylines:
    cv2.setNumThreads(1)
    return strokes_of(np.asarray(np.load(folder / "edges.npy", mmap_mode="r")[row]))


def training_photos(pack: Pack) -> npt.NDArray[np.int64]:
    """Numbers of the photos that get a pseudo-sketch."""
    return np.flatnonzero([subset == "train" for subset in pack.photo_subset])


def add_pseudo_sketches(folder: Path, hed_file: Path, workers: int = 2) -> int:
    """Append pseudo-sketches to a pack that has none; returns their number.

    Raises:
        ValueError: The pack has pseudo-sketches.
    """
    pack = read_pack(folder)
    if any(key.startswith(f"{SOURCE}/") for key in pack.sketch_keys):
        raise ValueError(f"{folder} has pseudo-sketches already. Pack the data again.")
    rows = training_photos(pack)
    if not (folder / "edges.npy").is_file():
        find_edges(load_hed(hed_file), pack.photo_pixels(), rows, folder / "edges.npy")
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    data = [(folder / "sketches.bin").read_bytes()]
    count = 0
    with ProcessPoolExecutor(workers, get_context("fork")) as pool:
        found = list(pool.map(_strokes, [folder] * len(rows), range(len(rows)), chunksize=64))
    for photo, strokes in zip(rows.tolist(), found, strict=True):
        if not strokes:
            continue
        data.append(pack_lines(strokes))
        for name, value in (
            ("keys", f"{SOURCE}/{pack.photo_keys[photo]}"), ("words", pack.photo_words[photo]), ("subset", "train"),
            ("photo", photo), ("is_picture", False), ("invalid", ""),
            ("offsets", index["sketch_offsets"][-1] + len(data[-1])),
        ):  # fmt: skip
            index[f"sketch_{name}"].append(value)
        count += 1
    for name, content in (("sketches.bin", b"".join(data)), ("index.json", json.dumps(index).encode())):
        (folder / f"{name}.tmp").write_bytes(content)
        (folder / f"{name}.tmp").replace(folder / name)
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Add pseudo-sketches to a pack.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("hed", type=Path)
    a = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{add_pseudo_sketches(a.pack, a.hed)} pseudo-sketches")
