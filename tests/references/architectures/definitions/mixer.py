"""MLP-Mixer (Tolstikhin et al., MLP-Mixer: An all-MLP Architecture for Vision, 2021)."""

from torch import nn


class Mlp(nn.Sequential):
    def __init__(self, width, hidden):
        super().__init__(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class Block(nn.Module):
    """Mixes the patches of a channel, then the channels of a patch."""

    def __init__(self, patches, width, patch_hidden, hidden):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix_patches, self.mix_channels = Mlp(patches, patch_hidden), Mlp(width, hidden)

    def forward(self, x):
        x = x + self.mix_patches(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.mix_channels(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, image, patch, width, patch_hidden, hidden, depth, classes):
        super().__init__()
        self.stem = nn.Conv2d(3, width, patch, stride=patch)
        patches = (image // patch) ** 2
        self.blocks = nn.Sequential(*(Block(patches, width, patch_hidden, hidden) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.blocks(tokens)).mean(dim=1))


def build(image=16, patch=4, width=32, patch_hidden=24, hidden=48, depth=2, classes=10):
    return Mixer(image, patch, width, patch_hidden, hidden, depth, classes)
