"""Category-level protocols on unseen categories: zero-shot Sketchy, QuickDraw-Extended and TU-Berlin.

All photos of the tested categories are the gallery, all their sketches are queries, and every photo of the sketch's
category is relevant. The literature reports ``mAP`` (mAP@all), ``mAP@200``, ``P@100`` and ``P@200``.
"""

from __future__ import annotations

import os
from dataclasses import replace

from sketchseek.datasets.image_folders import photos_of
from sketchseek.datasets.quickdraw_extended import load_quickdraw_extended
from sketchseek.datasets.records import SketchDataset
from sketchseek.datasets.releases import coverage
from sketchseek.datasets.sketchy import load_sketchy
from sketchseek.datasets.splits import checksum
from sketchseek.datasets.tuberlin import load_tuberlin
from sketchseek.datasets.zero_shot import CategorySplit, drawn_split, published_split
from sketchseek.errors import ConfigError
from sketchseek.evaluation.encode_dataset import EncoderPair
from sketchseek.evaluation.protocols import Evaluation, Setting, evaluate_category_level
from sketchseek.progress import Progress

UNSEEN = 30
"""Number of unseen categories of TU-Berlin by convention."""

_REMARK = "Zero-shot only if the model was not trained on the tested categories, which cannot be checked here."


def evaluate_sketchy_zero_shot(
    root: str | os.PathLike[str],
    encoder: EncoderPair,
    *,
    split: str = "sketchy-104-21",
    photos: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Sketchy's unseen categories: all their sketches against all their photos.

    Args:
        root: As for ``sketchseek.datasets.sketchy.load_sketchy``.
        encoder: The model.
        split: ``sketchy-104-21`` or ``sketchy-100-25``.
        photos: Folder of more photos, one folder a category, such as Sketchy Extended.
        progress: Called with the progress of encoding.

    Raises:
        DatasetError: The data are missing or broken, or have none of the categories.
    """
    whole = load_sketchy(root, allow_missing=True)
    chosen = published_split(split, whole.categories)
    test = chosen.test(whole)
    if photos is not None:
        further = tuple(replace(photo, key=f"further/{photo.key}") for photo in photos_of(photos, chosen.unseen))
        test = replace(test, photos=test.photos + further)
    return evaluate_category_level(test, encoder, _setting("sketchy-zero-shot", chosen, whole), progress=progress)


def evaluate_quickdraw_extended(
    root: str | os.PathLike[str], encoder: EncoderPair, *, progress: Progress | None = None
) -> Evaluation:
    """The 30 unseen categories of QuickDraw-Extended: all their sketches against all their photos.

    Args:
        root: As for ``sketchseek.datasets.quickdraw_extended.load_quickdraw_extended``.
        encoder: The model.
        progress: Called with the progress of encoding.

    Raises:
        DatasetError: The data are missing or broken, or have none of the categories.
    """
    whole = load_quickdraw_extended(root)
    split = published_split("quickdraw-extended-80-30", whole.categories)
    setting = _setting("quickdraw-extended-zero-shot", split, whole)
    return evaluate_category_level(split.test(whole), encoder, setting, progress=progress)


def _setting(protocol: str, split: CategorySplit, whole: SketchDataset) -> Setting:
    return Setting(
        protocol,
        split.name,
        split.sha256,
        details={
            "unseen": list(split.unseen),
            "absent_categories": list(split.missing),
            "release": coverage(whole).to_dict(),
            "remark": _REMARK,
        },
    )


def evaluate_tuberlin(
    root: str | os.PathLike[str],
    photos: str | os.PathLike[str],
    encoder: EncoderPair,
    *,
    zero_shot: bool = True,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """TU-Berlin: its sketches are queries, folders of photos are the gallery.

    Args:
        root, photos: As for ``sketchseek.datasets.tuberlin.load_tuberlin``.
        encoder: The model.
        zero_shot: Test only the 30 unseen categories of the split, else all categories with photos.
        seed: Seed to draw other unseen categories than the published ones.
        progress: Called with the progress of encoding.

    Raises:
        ConfigError: ``seed`` is set without ``zero_shot``.
        DatasetError: The data are missing or broken, or have none of the categories.
    """
    if seed is not None and not zero_shot:
        raise ConfigError("A seed only applies to the zero-shot split.", remedy="Omit the seed, or test zero-shot.")
    whole = load_tuberlin(root, photos)
    if not zero_shot:
        shown = {photo.category for photo in whole.photos}
        dataset = whole.subset(categories=shown)
        keys = [photo.key for photo in dataset.photos] + [sketch.key for sketch in dataset.sketches]
        setting = Setting("tuberlin", "all", checksum((), keys), details={"release": coverage(whole).to_dict()})
        return evaluate_category_level(dataset, encoder, setting, progress=progress)
    drawn = sorted({sketch.category for sketch in whole.sketches})
    split: CategorySplit = (
        published_split("tuberlin-220-30", drawn)
        if seed is None
        else drawn_split("tuberlin-220-30", drawn, UNSEEN, seed)
    )
    return evaluate_category_level(split.test(whole), encoder, _setting("tuberlin", split, whole), progress=progress)
