"""All sample files: photos, sketches, a data set, and the configuration of a short training."""

from __future__ import annotations

from pathlib import Path

from sketchseek.samples.pictures import write_pictures
from sketchseek.samples.shapes_dataset import write_shapes

EXAMPLE = """\
name: example
sketch: {backbone: shufflenet_v2_x0_5, size: 64}
photo: {backbone: shufflenet_v2_x1_0, size: 64}
sources: [{kind: sketchy, path: sketchy}]
losses: [{name: triplet, options: {margin: 0.3, negatives: semihard}}]
distance: cosine
batch: {categories: 4, photos: 4, sketches: 2}
steps: 4
evaluate_every: 2
"""
"""A training configuration, the one that the README shows."""


def write_samples(folder: Path) -> list[Path]:
    """Write ``photos``, ``cat.png``, ``cat.json``, ``example.yaml`` and ``data/sketchy`` into a folder.

    Files that exist are kept; a data set that exists is not touched.

    Returns:
        The files, and the folder of the data set, that were written.
    """
    written = write_pictures(folder)
    if not (path := folder / "example.yaml").exists():
        path.write_text(EXAMPLE, encoding="utf-8")
        written.append(path)
    if not (path := folder / "data" / "sketchy").exists():
        written.append(write_shapes(path))
    return written
