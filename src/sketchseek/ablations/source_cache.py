"""The data of an ablation's runs, most of which share them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from sketchseek.datasets.same_pictures import require_no_same_pictures
from sketchseek.progress import Progress
from sketchseek.training.config import TrainConfig
from sketchseek.training.data import DataSplits, load_sources


class SourceCache:
    """Keeps the sources that were loaded last.

    Args:
        data: Base folder of the sources' paths.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._key: Any = None
        self._splits: DataSplits | None = None
        self._checked: set[Path] = set()

    def load(self, config: TrainConfig, progress: Progress) -> DataSplits:
        """The data of an experiment. Each photo is compared with the evaluation photos once."""
        key = (config.sources, config.validation, config.validation_seed, config.evaluation_photos, config.fold)
        if self._splits is None or key != self._key:
            splits = load_sources(
                config.sources,
                self._data,
                config.validation,
                config.validation_seed,
                config.evaluation_photos,
                config.fold,
            )
            parts = (splits.training, splits.validation, splits.fold)
            new = [photo for part in parts for photo in part.photos if photo.path not in self._checked]
            require_no_same_pictures(new, splits.evaluation_photos, progress)
            self._checked |= {photo.path for photo in new}
            self._splits, self._key = dataclasses.replace(splits, evaluation_photos=()), key
        return self._splits
