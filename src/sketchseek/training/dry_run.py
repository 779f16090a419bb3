"""Dry runs: an experiment on small networks of the same families with random weights, for two steps.

A dry run finds what would stop the real one: in the configuration, the data, the losses, the evaluation. It downloads
nothing, and its metrics mean nothing.
"""

from __future__ import annotations

import dataclasses

from sketchseek.errors import ModelPackageError
from sketchseek.models import DEFAULT_MODEL
from sketchseek.models.package import load_model_package
from sketchseek.training.config import BatchConfig, TrainConfig
from sketchseek.training.nn.backbones import SHUFFLENETS
from sketchseek.training.nn.model import BranchConfig
from sketchseek.training.teachers import is_run
from sketchseek.training.torchvision_guard import import_timm

STAND_INS = {
    "vision_transformer": ("test_vit", 8),
    "convnext": ("test_convnext", 6),
    "resnet": ("test_resnet", 5),
    "efficientnet": ("test_efficientnet", 7),
}
"""By timm's module: a small network of it and the number of its stages. Other networks stand in for themselves."""


def dry_run_config(config: TrainConfig) -> TrainConfig:
    """The settings of an experiment's dry run.

    A teacher that does not exist yet is replaced by the bundled model. What it held out for validation does not matter
    then, so nothing is validated.
    """
    distil, embedding, validation = config.distil, config.embedding, config.validation
    if distil is not None and not all(_exists(name) for name in distil.teachers):
        distil = dataclasses.replace(distil, teachers=[DEFAULT_MODEL])
        embedding, validation = load_model_package(DEFAULT_MODEL).manifest.dimensions, 0.0
    return dataclasses.replace(
        config,
        sketch=_small(config.sketch),
        photo=_small(config.photo),
        batch=BatchConfig(categories=2, photos=3, sketches=1, unpaired_sketches=0),
        distil=distil,
        embedding=embedding,
        validation=validation,
        init_from="",
        model_soup=[],
        steps=2,
        evaluate_every=2,
        warmup=1,
    )


def _small(branch: BranchConfig) -> BranchConfig:
    name, stages = branch.backbone, branch.frozen
    if name in SHUFFLENETS:
        name = SHUFFLENETS[0]
    else:
        module = import_timm().model_entrypoint(name).__module__.split(".")[-1]
        name, stages = STAND_INS.get(module, (name, stages))
        if "siglip" in branch.backbone:  # pools by attention
            name, stages = "test_vit3", 12
    return dataclasses.replace(
        branch, backbone=name, size=32, weights="none", init_from="", frozen=min(branch.frozen, stages)
    )


def _exists(name: str) -> bool:
    if is_run(name):
        return True
    try:
        load_model_package(name)
    except ModelPackageError:
        return False
    return True
