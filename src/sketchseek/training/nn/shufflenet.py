"""ShuffleNetV2 (Ma et al. 2018, arXiv 1807.11164), with torchvision's parameter names, so that its checkpoints load."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS: dict[str, tuple[int, int, int, int, int]] = {
    "shufflenet_v2_x0_5": (24, 48, 96, 192, 1024),
    "shufflenet_v2_x1_0": (24, 116, 232, 464, 1024),
    "shufflenet_v2_x1_5": (24, 176, 352, 704, 1024),
    "shufflenet_v2_x2_0": (24, 244, 488, 976, 2048),
}
_REPEATS = (4, 8, 4)


class ShuffleUnit(nn.Module):
    """Half of the channels pass through (or are reduced, at stride 2), the others are convolved, then both shuffle."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        half = channels_out // 2
        self.stride = stride
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(
                _depthwise(channels_in, stride),
                nn.BatchNorm2d(channels_in),
                nn.Conv2d(channels_in, half, 1, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(inplace=True),
            )
        self.branch2 = nn.Sequential(
            nn.Conv2d(channels_in if stride > 1 else half, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
            _depthwise(half, stride),
            nn.BatchNorm2d(half),
            nn.Conv2d(half, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_in, h, w) to (batch, channels_out, h / stride, w / stride)."""
        if self.stride == 1:
            kept, convolved = x.chunk(2, dim=1)
        else:
            kept, convolved = self.branch1(x), x
        joined = torch.cat((kept, self.branch2(convolved)), dim=1)
        batch, channels, height, width = joined.shape
        shuffled = joined.view(batch, 2, channels // 2, height, width).transpose(1, 2)
        return shuffled.reshape(batch, channels, height, width)


class ShuffleNetV2(nn.Module):
    """The network without its classifier.

    Args:
        widths: Channels after the stem, the three stages and the last convolution.
    """

    def __init__(self, widths: tuple[int, int, int, int, int]) -> None:
        super().__init__()
        stem, *stages, last = widths
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True)
        )
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = stem
        for number, (width, repeats) in enumerate(zip(stages, _REPEATS, strict=True), start=2):
            units = [ShuffleUnit(channels if i == 0 else width, width, 2 if i == 0 else 1) for i in range(repeats)]
            setattr(self, f"stage{number}", nn.Sequential(*units))
            channels = width
        self.conv5 = nn.Sequential(
            nn.Conv2d(channels, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU(inplace=True)
        )

    def stages(self) -> list[nn.Module]:
        """The network as a chain of modules, for freezing its first links."""
        stem = nn.Sequential(self.conv1, self.maxpool)
        return [stem, *(self.get_submodule(f"stage{n}") for n in (2, 3, 4)), self.conv5]

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, h, w) to (batch, channels, h / 32, w / 32)."""
        for stage in (self.conv1, self.maxpool, *self.stages()[1:]):
            x = stage(x)
        return x


def _depthwise(channels: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, stride=stride, padding=1, groups=channels, bias=False)
