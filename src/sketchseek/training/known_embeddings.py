"""A run's embeddings of all sketches and photos of a training set, for students whose pictures never change."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from sketchseek.datasets.records import SketchDataset
from sketchseek.errors import ConfigError
from sketchseek.progress import Progress
from sketchseek.training.branch_inputs import BranchInputs
from sketchseek.training.data import TrainingSet, read_pixels
from sketchseek.training.run_folder import load_run


def known_embeddings(run: Path, data: TrainingSet, cache: Path | None, progress: Progress) -> tuple[Tensor, Tensor]:
    """Embeddings (sketches, d) and (photos, d) by the best weights of a run, at its own sizes.

    Frozen stages that the run shares with others come from the cache.

    Args:
        run: Folder of the run.
        data: The training set.
        cache: Folder that keeps decoded pixels and the output of frozen stages; None for no cache.
        progress: Called with the stage, the number done and the total.

    Raises:
        ConfigError: The run cannot read some of the pictures.
    """
    model, config, _ = load_run(run)
    shown = SketchDataset("taught", tuple(data.photos), tuple(data.sketches), run)
    read = read_pixels(shown, config.photo.size, config.sketch.size, cache, progress)
    if len(read.photos) < len(data.photos) or len(read.sketches) < len(data.sketches):
        raise ConfigError("it cannot read some pictures.", subject=run, remedy="; ".join(read.skipped[:3]))
    sketches, photos = (
        BranchInputs(branch, pixels, mirrored=False, cache=cache, progress=progress).embed_all(branch)
        for branch, pixels in ((model.sketch, read.sketch_pixels), (model.photo, read.photo_pixels))
    )
    return torch.from_numpy(sketches), torch.from_numpy(photos)
