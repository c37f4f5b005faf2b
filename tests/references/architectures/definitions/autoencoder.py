"""A convolutional autoencoder: strided convolutions to a code, transposed ones back to the image."""

import torch.nn.functional as F
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self, channels, image, width, code):
        super().__init__()
        self.inner = (2 * width, image // 4, image // 4)
        size = 2 * width * (image // 4) ** 2
        self.conv1, self.norm1 = nn.Conv2d(channels, width, 3, 2, 1), nn.InstanceNorm2d(width, affine=True)
        self.conv2, self.norm2 = nn.Conv2d(width, 2 * width, 3, 2, 1), nn.BatchNorm2d(2 * width)
        self.encode, self.decode = nn.Linear(size, code), nn.Linear(code, size)
        self.up1, self.norm3 = nn.ConvTranspose2d(2 * width, width, 3, 2, 1, 1), nn.BatchNorm2d(width)
        self.up2 = nn.ConvTranspose2d(width, channels, 4, 2, 1)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        x = F.relu(self.decode(self.encode(x.flatten(1))))
        x = F.relu(self.norm3(self.up1(x.reshape(-1, *self.inner))))
        return self.up2(x).tanh()


def build(channels=1, image=16, width=6, code=12):
    return Autoencoder(channels, image, width, code)
