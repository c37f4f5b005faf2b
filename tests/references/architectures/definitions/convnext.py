"""ConvNeXt (Liu et al., A ConvNet for the 2020s, 2022)."""

import torch
import torch.nn.functional as F
from torch import nn


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    def __init__(self, width, layer_scale):
        super().__init__()
        self.mix, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width, eps=1e-6)
        self.expand, self.reduce = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.layer_scale = nn.Parameter(torch.full((width, 1, 1), layer_scale))

    def forward(self, x):
        y = self.norm(self.mix(x).permute(0, 2, 3, 1))
        y = self.reduce(F.gelu(self.expand(y))).permute(0, 3, 1, 2)
        return x + self.layer_scale * y


class ConvNeXt(nn.Module):
    def __init__(self, depths, widths, patch, classes, layer_scale=1e-6):
        super().__init__()
        layers = [nn.Conv2d(3, widths[0], patch, patch), ChannelNorm(widths[0], eps=1e-6)]
        for stage, (depth, width) in enumerate(zip(depths, widths)):
            layers += [Block(width, layer_scale) for _ in range(depth)]
            if stage + 1 < len(widths):
                layers += [ChannelNorm(width, eps=1e-6), nn.Conv2d(width, widths[stage + 1], 2, 2)]
        self.features = nn.Sequential(*layers)
        self.norm, self.head = ChannelNorm(widths[-1], eps=1e-6), nn.Linear(widths[-1], classes)

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.features(x), 1)
        return self.head(self.norm(x).flatten(1))


def build(depths=(1, 1), widths=(16, 24), patch=2, classes=10):
    return ConvNeXt(depths, widths, patch, classes)
