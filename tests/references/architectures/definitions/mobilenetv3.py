"""MobileNetV3 (Howard et al., Searching for MobileNetV3, 2019)."""

import torch.nn.functional as F
from torch import nn


class ConvNorm(nn.Sequential):
    def __init__(self, inputs, outputs, kernel, stride, groups, activation):
        super().__init__(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
                         nn.BatchNorm2d(outputs, eps=0.001, momentum=0.01), activation)


class SqueezeExcite(nn.Module):
    """Scales the channels by what their means say."""

    def __init__(self, channels, squeezed):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        scale = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))
        return F.hardsigmoid(self.fc2(scale)) * x


class InvertedResidual(nn.Module):
    def __init__(self, inputs, expanded, outputs, kernel, stride, excite, activation):
        super().__init__()
        layers = [ConvNorm(inputs, expanded, 1, 1, 1, activation())] if expanded != inputs else []
        layers.append(ConvNorm(expanded, expanded, kernel, stride, expanded, activation()))
        if excite:
            layers.append(SqueezeExcite(expanded, max(4, expanded // 4)))
        layers.append(ConvNorm(expanded, outputs, 1, 1, 1, nn.Identity()))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.block(x) if self.residual else self.block(x)


class MobileNetV3(nn.Module):
    def __init__(self, width, blocks, hidden, classes):
        super().__init__()
        layers, inputs = [ConvNorm(3, width, 3, 2, 1, nn.Hardswish())], width
        for expanded, outputs, kernel, stride, excite, activation in blocks:
            layers.append(InvertedResidual(inputs, expanded, outputs, kernel, stride, excite, activation))
            inputs = outputs
        layers.append(ConvNorm(inputs, 6 * inputs, 1, 1, 1, nn.Hardswish()))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(6 * inputs, hidden), nn.Hardswish(), nn.Linear(hidden, classes))

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


def build(width=8, hidden=32, classes=10):
    blocks = [(8, 8, 3, 2, True, nn.ReLU), (24, 12, 3, 1, False, nn.ReLU), (36, 12, 5, 1, True, nn.Hardswish)]
    return MobileNetV3(width, blocks, hidden, classes)
