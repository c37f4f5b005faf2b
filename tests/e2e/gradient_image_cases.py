"""The cases of ops on images: transposed and depthwise convolution, normalisation in groups, resizing, pool options."""

from gradient_model import attributes


def windows(extent, kernel, stride, before, after, dilation=1):
    return (extent + before + after - dilation * (kernel - 1) - 1) // stride + 1


# input, out / groups, kernel, stride, padding (top, left, bottom, right), dilation, output padding, groups, bias
TRANSPOSED = [
    ([1, 1, 1, 1], 1, [1, 1], [1, 1], [0, 0, 0, 0], [1, 1], [0, 0], 1, False),
    ([1, 1, 1, 1], 2, [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], [0, 0], 1, True),
    ([1, 2, 2, 2], 3, [2, 2], [2, 2], [0, 0, 0, 0], [1, 1], [0, 0], 1, True),
    ([2, 3, 3, 3], 2, [3, 3], [1, 1], [0, 0, 0, 0], [1, 1], [0, 0], 1, False),
    ([2, 3, 4, 3], 2, [3, 3], [2, 2], [1, 1, 1, 1], [1, 1], [1, 1], 1, True),
    ([1, 2, 3, 4], 2, [4, 4], [2, 2], [1, 1, 1, 1], [1, 1], [0, 0], 1, True),
    ([1, 2, 3, 4], 2, [2, 3], [1, 2], [0, 1, 1, 0], [1, 1], [0, 1], 1, True),
    ([1, 1, 3, 3], 2, [2, 2], [3, 3], [0, 0, 0, 0], [1, 1], [2, 1], 1, True),
    ([1, 2, 3, 3], 1, [3, 3], [1, 1], [2, 2, 2, 2], [2, 2], [0, 0], 1, False),
    ([1, 1, 4, 2], 2, [2, 2], [2, 1], [1, 0, 0, 1], [3, 2], [1, 0], 1, True),
    ([1, 4, 3, 3], 2, [3, 3], [2, 2], [1, 1, 1, 1], [1, 1], [1, 0], 2, True),
    ([1, 3, 4, 4], 1, [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], [0, 0], 3, True),
    ([2, 4, 3, 5], 1, [2, 2], [2, 2], [0, 0, 0, 0], [1, 1], [0, 0], 4, True),
    ([1, 2, 3, 3], 2, [1, 1], [2, 2], [0, 0, 0, 0], [1, 1], [1, 1], 2, False),
    ([1, 1, 1, 7], 2, [1, 5], [1, 2], [0, 2, 0, 1], [1, 1], [0, 1], 1, True),
    ([3, 2, 5, 1], 1, [3, 1], [2, 1], [1, 0, 1, 0], [1, 1], [0, 0], 1, True),
    ([1, 17, 2, 2], 1, [2, 2], [2, 2], [0, 0, 0, 0], [1, 1], [0, 0], 1, True),
    ([1, 1, 2, 2], 17, [2, 2], [1, 1], [0, 0, 0, 0], [1, 1], [0, 0], 1, False),
    ([1, 2, 9, 8], 2, [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], [0, 0], 1, True),
    ([1, 2, 2, 2], 2, [5, 5], [2, 2], [2, 2, 2, 2], [1, 1], [1, 1], 1, True),
    ([1, 6, 2, 3], 1, [3, 2], [1, 2], [0, 1, 2, 0], [2, 1], [0, 1], 6, True),
]


def conv_transpose2d():
    def build(model, shape, out, kernel, stride, padding, dilation, more, groups, bias):
        operands = [model.trained(shape), model.trained([shape[1], out, *kernel])]
        if bias:
            operands.append(model.trained([out * groups]))
        extents = [(shape[2 + i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 + more[i]
                   - padding[i] - padding[2 + i] for i in range(2)]
        return model.op("nn.conv_transpose2d", operands, [[shape[0], out * groups, *extents]],
                        attributes(stride=stride, padding=padding, dilation=dilation, output_padding=more,
                                   groups=groups))
    return build, TRANSPOSED


# images, channels, height, width; kernel, stride, padding, dilation, bias
DEPTHWISE = [
    ([1, 2, 1, 1], [1, 1], [1, 1], [0, 0, 0, 0], [1, 1], True),
    ([1, 2, 1, 1], [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], False),
    ([2, 3, 4, 4], [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], True),
    ([2, 3, 5, 4], [3, 3], [2, 2], [1, 1, 1, 1], [1, 1], False),
    ([1, 4, 8, 8], [3, 3], [2, 2], [1, 1, 1, 1], [1, 1], True),
    ([1, 2, 9, 9], [5, 5], [1, 1], [2, 2, 2, 2], [1, 1], True),
    ([1, 2, 9, 10], [5, 5], [2, 2], [2, 2, 2, 2], [1, 1], False),
    ([1, 2, 7, 7], [7, 7], [1, 1], [3, 3, 3, 3], [1, 1], True),
    ([1, 3, 6, 6], [3, 3], [1, 1], [2, 2, 2, 2], [2, 2], True),
    ([1, 3, 7, 6], [3, 2], [2, 1], [1, 0, 2, 1], [1, 2], True),
    ([1, 2, 6, 7], [2, 3], [1, 2], [0, 1, 1, 0], [1, 1], True),
    ([1, 2, 6, 6], [2, 2], [3, 2], [0, 0, 0, 0], [1, 1], True),
    ([1, 2, 6, 6], [2, 2], [2, 3], [0, 0, 0, 0], [1, 1], True),  # too far apart for the depthwise kernel
    ([3, 2, 3, 17], [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], False),
    ([1, 2, 3, 16], [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], True),
    ([1, 2, 2, 33], [1, 3], [1, 2], [0, 1, 0, 1], [1, 1], True),
    ([1, 17, 2, 2], [2, 2], [1, 1], [0, 0, 0, 0], [1, 1], True),
    ([2, 2, 1, 5], [1, 3], [1, 1], [0, 1, 0, 1], [1, 1], True),
    ([1, 2, 5, 1], [3, 1], [1, 1], [1, 0, 1, 0], [1, 1], True),
    ([1, 2, 4, 4], [4, 4], [1, 1], [0, 0, 0, 0], [1, 1], False),
    ([1, 2, 3, 3], [2, 2], [4, 2], [0, 0, 0, 0], [1, 1], True),
    ([1, 2, 9, 9], [9, 9], [1, 1], [4, 4, 4, 4], [1, 1], True),  # more taps than the depthwise kernel unrolls
]


def depthwise():
    def build(model, shape, kernel, stride, padding, dilation, bias):
        operands = [model.trained(shape), model.trained([shape[1], 1, *kernel])]
        if bias:
            operands.append(model.trained([shape[1]]))
        extents = [windows(shape[2 + i], kernel[i], stride[i], padding[i], padding[2 + i], dilation[i])
                   for i in range(2)]
        return model.op("nn.conv2d", operands, [shape[:2] + extents],
                        attributes(stride=stride, padding=padding, dilation=dilation, groups=shape[1]))
    return build, DEPTHWISE


# shape, groups
GROUPS_OF_CHANNELS = [([1, 1, 2], 1), ([1, 2], 1), ([3, 4], 2), ([2, 6], 1), ([2, 1, 3], 1), ([2, 3, 4], 3),
                      ([2, 4, 3], 2), ([1, 4, 5], 1), ([2, 4, 3], 4), ([1, 2, 3, 3], 1), ([1, 2, 3, 3], 2),
                      ([2, 4, 2, 2], 2), ([3, 6, 1, 2], 3), ([1, 6, 2, 1], 2), ([2, 8, 3, 3], 4), ([1, 8, 4, 4], 8),
                      ([1, 16, 2, 2], 4), ([2, 3, 2, 2, 2], 1), ([1, 4, 1, 17], 2), ([1, 2, 33], 2), ([4, 2, 2], 1),
                      ([1, 12, 2, 2], 3)]


def group_norm():
    def build(model, shape, groups):
        channels, statistics = [shape[1]], shape[:2]
        operands = [model.trained(shape), model.trained(channels), model.trained(channels)]
        return model.op("nn.group_norm", operands, [shape, statistics, statistics],
                        attributes(groups=groups, eps=1e-3))[:1]
    return build, GROUPS_OF_CHANNELS


# shape, size, factor, offset: by the numbers of torch's and ONNX's coordinate modes, and beyond the image
RESIZES = [([1, 1, 1, 1], [1, 1], [1.0, 1.0], [0.0, 0.0]), ([1, 1, 1, 1], [3, 2], [0.0, 0.0], [0.0, 0.0]),
           ([1, 2, 2, 2], [4, 4], [0.5, 0.5], [-0.25, -0.25]), ([1, 2, 2, 2], [4, 4], [0.5, 0.5], [0.0, 0.0]),
           ([2, 1, 3, 4], [6, 8], [0.5, 0.5], [-0.25, -0.25]), ([1, 1, 3, 3], [5, 5], [0.5, 0.5], [0.0, 0.0]),
           ([1, 1, 4, 4], [2, 2], [2.0, 2.0], [0.5, 0.5]), ([1, 1, 4, 4], [2, 2], [2.0, 2.0], [0.0, 0.0]),
           ([1, 1, 5, 7], [3, 4], [5 / 3, 7 / 4], [1 / 3, 3 / 8]), ([1, 2, 3, 3], [9, 9], [1 / 3, 1 / 3], [0.0, 0.0]),
           ([1, 2, 3, 3], [9, 9], [1 / 3, 1 / 3], [-1 / 3, -1 / 3]), ([1, 1, 7, 2], [49, 4], [1 / 7, 0.5], [0.0, 0.0]),
           ([1, 1, 2, 7], [2, 21], [1.0, 1 / 3], [0.0, -1 / 3]), ([1, 1, 4, 1], [8, 1], [0.5, 1.0], [-0.25, 0.0]),
           ([1, 3, 1, 4], [1, 7], [1.0, 0.5], [0.0, 0.0]), ([1, 1, 3, 3], [4, 4], [1.0, 1.0], [-2.0, 1.5]),
           ([2, 2, 4, 4], [4, 4], [1.0, 1.0], [0.0, 0.0]), ([1, 1, 16, 17], [8, 34], [2.0, 0.5], [0.5, -0.25]),
           ([1, 17, 2, 2], [3, 3], [0.5, 0.5], [0.0, 0.0]), ([1, 1, 2, 2], [16, 16], [1 / 15, 1 / 15], [0.0, 0.0]),
           ([3, 1, 3, 2], [2, 3], [1.5, 2 / 3], [0.25, -1 / 6])]


def resize2d(**mode):
    def build(model, shape, size, factor, offset):
        return model.op("nn.resize2d", [model.trained(shape)], [shape[:2] + size],
                        attributes(size=size, factor=factor, offset=offset, **mode))
    return build, RESIZES


# input, kernel, stride, padding, dilation
DILATED = [([1, 1, 3, 3], [2, 2], [1, 1], [0, 0, 0, 0], [2, 2]), ([1, 1, 5, 5], [2, 2], [1, 1], [0, 0, 0, 0], [2, 2]),
           ([2, 3, 5, 6], [3, 3], [1, 1], [0, 0, 0, 0], [2, 2]), ([1, 2, 7, 7], [3, 3], [2, 2], [1, 1, 1, 1], [2, 2]),
           ([1, 2, 7, 7], [3, 3], [1, 1], [1, 1, 1, 1], [3, 3]), ([1, 1, 8, 8], [2, 3], [2, 1], [1, 1, 0, 1], [3, 2]),
           ([1, 1, 1, 9], [1, 3], [1, 1], [0, 1, 0, 1], [1, 4]), ([1, 1, 9, 1], [3, 1], [2, 1], [1, 0, 1, 0], [3, 1]),
           ([1, 17, 3, 3], [2, 2], [1, 1], [0, 0, 0, 0], [2, 1]), ([3, 1, 4, 4], [2, 2], [1, 1], [1, 1, 1, 1], [3, 3]),
           ([1, 2, 6, 5], [4, 2], [1, 3], [2, 0, 1, 1], [1, 3]), ([1, 1, 6, 6], [3, 3], [3, 3], [1, 1, 2, 2], [1, 1]),
           ([1, 1, 5, 5], [2, 2], [2, 2], [0, 0, 1, 1], [1, 1]), ([1, 1, 7, 6], [3, 3], [2, 2], [1, 1, 1, 2], [1, 1]),
           ([1, 2, 4, 4], [1, 1], [3, 3], [0, 0, 0, 0], [5, 5]), ([1, 1, 10, 3], [4, 3], [1, 1], [2, 1, 2, 1], [2, 1]),
           ([2, 1, 5, 5], [5, 5], [1, 1], [2, 2, 2, 2], [1, 1]), ([1, 1, 16, 16], [3, 3], [4, 4], [0, 0, 0, 0], [7, 7]),
           ([1, 1, 2, 8], [2, 2], [1, 2], [1, 0, 1, 0], [1, 5]), ([1, 3, 3, 3], [3, 3], [1, 1], [1, 1, 1, 1], [1, 2])]


def max_pool2d_dilated():
    def build(model, shape, kernel, stride, padding, dilation):
        result = shape[:2] + [windows(shape[2 + i], kernel[i], stride[i], padding[i], padding[2 + i], dilation[i])
                              for i in range(2)]
        return model.op("nn.max_pool2d", [model.trained(shape)], [(result, "f64"), (result, "i32")],
                        attributes(kernel=kernel, stride=stride, padding=padding, dilation=dilation))[:1]
    return build, DILATED


# input, kernel, stride, padding, uncounted (bottom, right) of it
CEILED = [([1, 1, 2, 2], [2, 2], [1, 1], [0, 0, 1, 1], [1, 1]), ([1, 1, 3, 3], [2, 2], [2, 2], [0, 0, 1, 1], [1, 1]),
          ([2, 2, 5, 5], [2, 2], [2, 2], [0, 0, 1, 1], [1, 1]), ([1, 1, 5, 4], [3, 3], [2, 2], [1, 1, 1, 2], [0, 1]),
          ([1, 2, 7, 6], [3, 2], [2, 2], [1, 1, 1, 1], [0, 0]), ([1, 1, 6, 6], [3, 3], [2, 2], [0, 0, 1, 1], [1, 1]),
          ([1, 1, 8, 8], [3, 3], [3, 3], [0, 0, 1, 1], [1, 1]), ([1, 1, 4, 9], [2, 4], [2, 4], [0, 0, 0, 3], [0, 3]),
          ([1, 3, 4, 4], [3, 3], [2, 2], [1, 1, 2, 2], [1, 1]), ([3, 1, 3, 5], [2, 2], [2, 2], [1, 1, 1, 1], [0, 0]),
          ([1, 1, 1, 7], [1, 3], [1, 2], [0, 1, 0, 2], [0, 1]), ([1, 1, 7, 1], [3, 1], [2, 1], [1, 0, 2, 0], [1, 0]),
          ([1, 17, 3, 3], [2, 2], [2, 2], [0, 0, 1, 1], [1, 1]), ([1, 1, 9, 9], [4, 4], [3, 3], [0, 0, 1, 1], [1, 1]),
          ([1, 1, 5, 5], [5, 5], [2, 2], [2, 2, 2, 2], [0, 1]), ([2, 1, 4, 4], [2, 2], [3, 3], [0, 0, 1, 1], [1, 1]),
          ([1, 2, 6, 5], [4, 3], [4, 3], [1, 1, 1, 2], [0, 2]), ([1, 1, 3, 3], [3, 3], [1, 1], [1, 1, 2, 2], [1, 1]),
          ([1, 1, 16, 17], [3, 3], [2, 2], [0, 0, 1, 0], [1, 0]), ([1, 1, 10, 10], [3, 3], [2, 2], [1, 1, 1, 1], [1, 1])]


def avg_pool2d_ceiled():
    def build(model, shape, kernel, stride, padding, uncounted):
        result = shape[:2] + [windows(shape[2 + i], kernel[i], stride[i], padding[i], padding[2 + i]) for i in range(2)]
        return model.op("nn.avg_pool2d", [model.trained(shape)], [result],
                        attributes(kernel=kernel, stride=stride, padding=padding, uncounted=uncounted))
    return build, CEILED


GROUPS = {
    "conv-transpose2d": [conv_transpose2d()],
    "depthwise": [depthwise()],
    "group-norm": [group_norm()],
    "resize2d": [resize2d(linear=True), resize2d(), resize2d(ceil=True)],
    "pool-options": [max_pool2d_dilated(), avg_pool2d_ceiled()],
}
