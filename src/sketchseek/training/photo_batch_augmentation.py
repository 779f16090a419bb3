"""Augmentation of photos for a whole batch at once, on a GPU: crop, color, gray, blur.

The distributions are those of torchvision's transforms (``RandomResizedCrop``, ``ColorJitter``, ``RandomGrayscale``,
``GaussianBlur``), which take one photo at a time. Every photo has random numbers of its own; only the order in which
brightness, contrast, saturation and hue change is drawn once for a batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sketchseek.training.config import AugmentConfig

_RATIO = (0.8, 1.25)  # of a crop's width to its height
_TRIES = 10
_LUMA = (0.2989, 0.587, 0.114)


def augment_photo_batch(pixels: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Crop and scale back, change colors, make gray and blur photos, at random.

    Args:
        pixels: (batch, size, size, 3) uint8, on the device that is to do the work.
        config: Which augmentations to apply, and their strength.
        generator: Source of randomness, on the CPU, so that every device draws the same numbers.

    Returns:
        Pixels, like ``pixels``; the same tensor if every setting for photos is off.
    """
    if not config.changes_photos or not len(pixels):
        return pixels
    images = pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    if config.crop:
        images = crop(images, crop_boxes(len(pixels), pixels.shape[1], config.crop, generator))
    if config.color:
        images = _jitter(images, config.color, generator)
    if config.gray:
        chosen = torch.rand(len(images), generator=generator) < config.gray
        images = torch.where(_each(chosen, images), _luma(images).expand_as(images), images)
    if config.blur:
        images = _blur_some(images, config.blur, generator)
    return images.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def crop_boxes(batch: int, size: int, most: float, generator: torch.Generator) -> Tensor:
    """Left, top, width and height (batch, 4), in pixels, of crops that lose at most this fraction of the area."""
    area = size * size * (1 - most * torch.rand(batch, _TRIES, generator=generator))
    low, high = torch.tensor(_RATIO).log().tolist()
    ratio = (low + (high - low) * torch.rand(batch, _TRIES, generator=generator)).exp()
    width, height = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (width <= size) & (height <= size)
    first = fits.int().argmax(dim=1, keepdim=True)
    found = fits.any(dim=1, keepdim=True)
    sides = [torch.where(found, each.gather(1, first), float(size))[:, 0] for each in (width, height)]
    places = [(torch.rand(batch, generator=generator) * (size - side + 1)).floor() for side in sides]
    return torch.stack([*places, *sides], dim=1)


def crop(images: Tensor, boxes: Tensor) -> Tensor:
    """Crops (batch, 3, size, size) of images of this shape, scaled back to it by bilinear interpolation."""
    size = images.shape[-1]
    left, top, width, height = boxes.to(images.device).unbind(dim=1)
    nothing = torch.zeros_like(left)
    rows = [
        torch.stack([width / size, nothing, (2 * left + width) / size - 1], dim=1),
        torch.stack([nothing, height / size, (2 * top + height) / size - 1], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _jitter(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    factors = 1 + strength * (2 * torch.rand(3, len(images), generator=generator) - 1)
    turns = strength / 4 * (2 * torch.rand(len(images), generator=generator) - 1)
    for number in torch.randperm(4, generator=generator).tolist():
        if number < 3:
            images = (brighten, change_contrast, saturate)[number](images, factors[number])
        else:
            images = turn_hue(images, turns)
    return images


def brighten(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply each image (batch, 3, h, w), from 0 to 255, by its factor (batch,)."""
    return (images * _each(factor, images)).clamp(0, 255)


def change_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend each image with its mean brightness; 1 leaves it as it is."""
    mean = _luma(images).mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(mean.expand_as(images), images, _each(factor, images)).clamp(0, 255)


def saturate(images: Tensor, factor: Tensor) -> Tensor:
    """Blend each image with its gray version; 1 leaves it as it is."""
    return torch.lerp(_luma(images).expand_as(images), images, _each(factor, images)).clamp(0, 255)


def turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of each image by a part of the color circle, in HSV."""
    red, green, blue = images.unbind(dim=1)
    value = images.amax(dim=1)
    chroma = value - images.amin(dim=1)
    whole = chroma.clamp(min=1e-6)
    hue = torch.where(
        value == red,
        (green - blue) / whole,
        torch.where(value == green, 2 + (blue - red) / whole, 4 + (red - green) / whole),
    )
    hue = hue + 6 * _each(turn, images)[:, 0]
    # The standard formula for f in {5, 3, 1}: red, green and blue from hue, chroma and value.
    channels = [value - chroma * _ramp((offset + hue) % 6) for offset in (5, 3, 1)]
    return torch.stack(channels, dim=1)


def _ramp(place: Tensor) -> Tensor:
    return torch.minimum(place, 4 - place).clamp(0, 1)


def _blur_some(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    size = images.shape[-1]
    chosen = torch.rand(len(images), generator=generator) < probability
    sigma = 0.5 + (max(1.0, size / 100) - 0.5) * torch.rand(len(images), generator=generator)
    places = chosen.nonzero()[:, 0]  # on the CPU, so the device is not waited for
    if not len(places):
        return images
    blurred = blur(images[places.to(images.device)], sigma[places])
    return images.index_copy(0, places.to(images.device), blurred)


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each image (batch, 3, h, w) by a Gaussian of its own width (batch,), about a tenth of the side at most."""
    reach = max(3, images.shape[-1] // 20 * 2 + 1) // 2
    place = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = (-0.5 * (place / sigma[:, None]) ** 2).exp()
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).to(images.device)
    batch, channels, height, width = images.shape
    weight = kernel.repeat_interleave(channels, dim=0)[:, None]  # (batch · 3, 1, k)
    padded = F.pad(images, (reach, reach, reach, reach), mode="reflect").reshape(
        1, batch * channels, -1, width + 2 * reach
    )
    across = F.conv2d(padded, weight[:, :, None, :], groups=batch * channels)
    down: Tensor = F.conv2d(across, weight[:, :, :, None], groups=batch * channels)
    return down.view(batch, channels, height, width)


def _luma(images: Tensor) -> Tensor:
    red, green, blue = images.split(1, dim=1)
    gray: Tensor = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return gray


def _each(values: Tensor, images: Tensor) -> Tensor:
    """One value for each image, ready to be broadcast over it."""
    return values.to(images.device).view(-1, 1, 1, 1)
