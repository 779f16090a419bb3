"""Augmentation of photos: crop, color, gray, blur.

On a CPU, torchvision's transforms change one photo after the other, which is fastest there: a photo stays in the cache.
On a GPU, ``photo_batch_augmentation`` changes the whole batch at once, with the same distributions.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from sketchseek.training.config import AugmentConfig
from sketchseek.training.photo_batch_augmentation import augment_photo_batch
from sketchseek.training.torchvision_guard import import_timm


def augment_photos(pixels: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Crop and scale back, change colors, make gray and blur photos, at random.

    Args:
        pixels: (batch, size, size, 3) uint8, on the device that is to do the work.
        config: Which augmentations to apply, and their strength.
        generator: Source of randomness. torch's global generator stays as it is.

    Returns:
        Pixels, like ``pixels``; the same tensor if every setting for photos is off.
    """
    if not config.changes_photos or not len(pixels):
        return pixels
    if pixels.device.type != "cpu":
        return augment_photo_batch(pixels, config, generator)
    transform = _transform(config, pixels.shape[1])
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # torchvision has no generator of its own
        return torch.stack([transform(each) for each in pixels.permute(0, 3, 1, 2)]).permute(0, 2, 3, 1)


@functools.cache
def _transform(config: AugmentConfig, size: int) -> Any:
    import_timm()  # makes torchvision importable
    from torchvision.transforms import v2

    steps: list[Any] = []
    if config.crop:
        steps.append(
            v2.RandomResizedCrop((size, size), scale=(1 - config.crop, 1.0), ratio=(0.8, 1.25), antialias=True)
        )
    if config.color:
        each = config.color
        steps.append(v2.ColorJitter(brightness=each, contrast=each, saturation=each, hue=each / 4))
    if config.gray:
        steps.append(v2.RandomGrayscale(p=config.gray))
    if config.blur:
        kernel = max(3, size // 20 * 2 + 1)  # about a tenth of the side
        steps.append(v2.RandomApply([v2.GaussianBlur(kernel, sigma=(0.5, max(1.0, size / 100)))], p=config.blur))
    return v2.Compose(steps)
