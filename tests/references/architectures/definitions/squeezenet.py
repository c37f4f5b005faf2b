"""SqueezeNet 1.1 (Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016)."""

import torch
import torch.nn.functional as F
from torch import nn


class Fire(nn.Module):
    """A squeezing convolution, and two that expand what it leaves, side by side."""

    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1, self.expand3x3 = nn.Conv2d(squeezed, expanded, 1), nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4 * width, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(4 * width, width, 4 * width), Fire(8 * width, width, 4 * width), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(8 * width, 2 * width, 8 * width))
        self.classifier = nn.Conv2d(16 * width, classes, 1)

    def forward(self, x):
        return F.adaptive_avg_pool2d(F.relu(self.classifier(self.features(x))), 1).flatten(1)


def build(width=4, classes=10):
    return SqueezeNet(width, classes)
