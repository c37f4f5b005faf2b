"""A ResNet of bottlenecks, as ResNet-50."""

from definitions.resnet import Bottleneck, ResNet


def build(depths=(2, 1), width=4, classes=10):
    return ResNet(Bottleneck, depths, width, classes)
