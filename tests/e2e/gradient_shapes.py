"""The shapes that most gradient cases share, and cases of ops that take nothing but them."""

from gradient_model import attributes

SHAPES = [[], [1], [2], [7], [16], [33], [64], [1, 1], [1, 5], [5, 1], [3, 4], [8, 16], [2, 17], [1, 1, 1], [2, 3, 4],
          [1, 3, 1], [3, 1, 5], [4, 2, 8], [2, 3, 4, 5], [1, 2, 1, 3], [2, 1, 2, 1, 2]]

PAIRS = [([], []), ([1], [1]), ([5], [5]), ([5], []), ([], [5]), ([1], [5]), ([5], [1]), ([3, 4], [4]), ([4], [3, 4]),
         ([3, 4], [3, 1]), ([3, 1], [3, 4]), ([3, 1], [1, 4]), ([1, 4], [3, 1]), ([2, 3, 4], [3, 4]),
         ([2, 3, 4], [4]), ([2, 3, 4], [1, 3, 1]), ([2, 1, 4], [1, 3, 1]), ([2, 3, 4], [2, 1, 1]),
         ([1, 1, 1], [2, 3, 4]), ([2, 3, 2, 5], [3, 1, 1]), ([2, 3, 2, 5], [1, 3, 2, 1]), ([8, 16], [16]),
         ([1], [2, 1, 3]), ([2, 1], [1, 1, 1])]


def broadcast_shape(left, right):
    rank = max(len(left), len(right))
    padded = [[1] * (rank - len(shape)) + shape for shape in (left, right)]
    return [max(extents) for extents in zip(*padded)]


def unary(op, **attrs):
    def build(model, shape):
        return model.op(op, [model.trained(shape, 2.5)], [shape], attributes(**attrs))
    return build, [(shape,) for shape in SHAPES]


def binary(op):
    def build(model, left, right):
        operands = [model.trained(left), model.trained(right)]
        if left == right == [5]:  # once with the same value on both sides
            operands[1] = model.op("nn.add", operands, [left])[0]
            operands[0] = operands[1]
        return model.op(op, operands, [broadcast_shape(left, right)])
    return build, PAIRS


# shape, axes
REDUCTIONS = [([1], [0]), ([7], [0]), ([64], [0]), ([1, 1], [0]), ([1, 5], [0]), ([1, 5], [1]), ([5, 1], [0, 1]),
              ([3, 4], [0]), ([3, 4], [1]), ([3, 4], [0, 1]), ([8, 17], [0]), ([8, 17], [1]), ([2, 3, 4], [1]),
              ([2, 3, 4], [0, 2]), ([2, 3, 4], [1, 2]), ([2, 3, 4], [0, 1]), ([2, 3, 4], [2]), ([2, 3, 2, 5], [2, 3]),
              ([2, 3, 2, 5], [0, 2, 3]), ([1, 2, 1, 3], [0, 2]), ([2, 1, 2, 1, 2], [0, 4])]


def reduction(op):
    def build(model, shape, axes):
        keep = len(model.cases) % 2 == 0
        result = [1 if i in axes else extent for i, extent in enumerate(shape) if keep or i not in axes]
        return model.op(op, [model.trained(shape)], [result], attributes(axes=axes, keep_dims=keep))
    return build, REDUCTIONS
