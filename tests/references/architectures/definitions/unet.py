"""U-Net (Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015), with GroupNorm.

Its three ways up are all there are: a transposed convolution, and bilinear and nearest upsampling.
"""

import torch
import torch.nn.functional as F
from torch import nn


class Double(nn.Module):
    """Two convolutions, each normalised in groups."""

    def __init__(self, inputs, outputs, groups):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(groups, outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(groups, outputs)

    def forward(self, x):
        return F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


class UNet(nn.Module):
    def __init__(self, channels, width, groups, outputs):
        super().__init__()
        self.down1, self.down2 = Double(channels, width, groups), Double(width, 2 * width, groups)
        self.bottom = Double(2 * width, 4 * width, groups)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.join2, self.join1 = Double(4 * width, 2 * width, groups), Double(3 * width, width, groups)
        self.head = nn.Conv2d(5 * width, outputs, 1)

    def forward(self, x):
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        bottom = self.bottom(F.max_pool2d(second, 2))
        second = self.join2(torch.cat([self.up2(bottom), second], 1))
        first = self.join1(torch.cat([F.interpolate(second, scale_factor=2, mode="bilinear"), first], 1))
        return self.head(torch.cat([first, F.interpolate(bottom, scale_factor=4, mode="nearest")], 1))


def build(channels=3, width=8, groups=4, outputs=1):
    return UNet(channels, width, groups, outputs)
