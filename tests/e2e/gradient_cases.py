"""The cases of each differentiable op: sizes of 1 and of no convenient multiple, broadcasting, attributes."""

import math

from general_cases import GENERAL_GROUPS
from gradient_image_cases import GROUPS as IMAGE_GROUPS
from gradient_model import attributes
from gradient_shapes import PAIRS, SHAPES, binary, broadcast_shape, reduction, unary

def squared_error():
    def build(model, shape):
        return model.op("nn.squared_error", [model.trained(shape), model.trained(shape, 0.5)], [shape])
    return build, [(shape,) for shape in SHAPES]


def broadcast():
    def build(model, shape, wide):
        return model.op("nn.broadcast", [model.trained(shape)], [wide], attributes(shape=wide))
    return build, [(left, broadcast_shape(left, right)) for left, right in PAIRS]


def dropout():
    def build(model, shape, p):
        number = len(model.cases)
        attrs = attributes(p=p, id=number)
        operand = model.trained(shape)
        model.lines.append("%%drop%d = nn.dropout %s, %%seed, %%step%s : (%s, tensor<i64>, tensor<i64>) -> %s"
                           % (number, operand.name, attrs, operand.type, operand.type))
        return [type(operand)("%%drop%d" % number, shape)]
    return build, [(shape, (0.1, 0.25, 0.5, 0.9)[i % 4]) for i, shape in enumerate(SHAPES)]


MATMULS = [([1, 1], [1, 1], ""), ([1, 5], [5, 1], ""), ([5, 1], [1, 5], "+"), ([3, 4], [4, 5], ""),
           ([3, 4], [4, 5], "+"), ([3, 4], [5, 4], "b"), ([3, 4], [5, 4], "b+"), ([4, 3], [4, 5], "a"),
           ([4, 3], [5, 4], "ab+"), ([2, 3, 4], [4, 5], ""), ([2, 3, 4], [5, 4], "b+"), ([2, 3, 4], [2, 4, 5], ""),
           ([2, 3, 4], [2, 5, 4], "b"), ([2, 4, 3], [2, 4, 5], "a"), ([2, 4, 3], [2, 5, 4], "ab"),
           ([2, 2, 3, 4], [2, 2, 4, 5], "+"), ([2, 2, 3, 4], [5, 4], "b+"), ([1, 2, 1, 3], [1, 2, 3, 1], ""),
           ([17, 5], [5, 9], ""), ([8, 16], [6, 16], "b+"), ([1, 64], [2, 64], "b+"), ([33, 3], [3, 2], ""),
           ([3, 1, 2], [2, 1], ""), ([4, 4], [4, 4], "=b")]


def matmul():
    def build(model, left, right, flags):
        a, b = "a" in flags, "b" in flags
        rows, columns = left[-1 if a else -2], right[-2 if b else -1]
        operands = [model.trained(left)]
        operands.append(operands[0] if "=" in flags else model.trained(right))  # once a matrix times itself
        if "+" in flags:
            operands.append(model.trained([columns]))
        return model.op("nn.matmul", operands, [left[:-2] + [rows, columns]],
                        attributes(transpose_a=a, transpose_b=b))
    return build, MATMULS


# input, out, kernel, stride, padding (top, left, bottom, right), dilation, groups, bias
CONVOLUTIONS = [
    ([1, 1, 1, 1], 1, [1, 1], [1, 1], [0, 0, 0, 0], [1, 1], 1, False),
    ([1, 1, 1, 1], 2, [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], 1, True),
    ([2, 3, 1, 1], 4, [1, 1], [1, 1], [0, 0, 0, 0], [1, 1], 1, True),
    ([1, 2, 4, 4], 3, [1, 1], [1, 1], [0, 0, 0, 0], [1, 1], 1, False),
    ([1, 2, 4, 4], 2, [1, 1], [2, 2], [0, 0, 0, 0], [1, 1], 1, True),
    ([1, 1, 5, 5], 2, [3, 3], [1, 1], [0, 0, 0, 0], [1, 1], 1, True),
    ([2, 2, 4, 4], 3, [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], 1, True),
    ([2, 2, 5, 4], 3, [3, 3], [2, 2], [1, 1, 1, 1], [1, 1], 1, False),
    ([1, 2, 5, 6], 2, [2, 3], [1, 2], [0, 1, 1, 2], [1, 1], 1, True),
    ([1, 1, 6, 6], 1, [2, 2], [3, 3], [0, 0, 0, 0], [1, 1], 1, True),
    ([1, 1, 7, 7], 2, [3, 3], [1, 1], [0, 0, 0, 0], [2, 2], 1, True),
    ([1, 2, 5, 5], 2, [2, 2], [1, 1], [2, 1, 0, 1], [3, 2], 1, False),
    ([1, 4, 3, 3], 4, [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], 4, True),
    ([2, 4, 3, 3], 6, [2, 2], [1, 1], [0, 0, 0, 0], [1, 1], 2, True),
    ([1, 2, 4, 4], 8, [3, 3], [2, 2], [1, 1, 1, 1], [1, 1], 2, False),
    ([3, 1, 2, 9], 2, [1, 5], [1, 1], [0, 2, 0, 2], [1, 1], 1, True),
    ([1, 3, 8, 1], 2, [3, 1], [2, 1], [1, 0, 1, 0], [1, 1], 1, True),
    ([1, 1, 4, 4], 17, [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], 1, False),
    ([1, 17, 2, 2], 1, [2, 2], [1, 1], [0, 0, 0, 0], [1, 1], 1, True),
    ([2, 2, 3, 3], 2, [3, 3], [1, 1], [2, 2, 2, 2], [1, 1], 1, True),
    ([1, 2, 3, 4], 2, [3, 4], [1, 1], [0, 0, 0, 0], [1, 1], 1, True),
]


def windows(extent, kernel, stride, before, after, dilation=1):
    return (extent + before + after - dilation * (kernel - 1) - 1) // stride + 1


def planes(shape, kernel, stride, padding, dilation=(1, 1)):
    return [windows(shape[2 + i], kernel[i], stride[i], padding[i], padding[2 + i], dilation[i]) for i in range(2)]


def conv2d():
    def build(model, shape, out, kernel, stride, padding, dilation, groups, bias):
        operands = [model.trained(shape), model.trained([out, shape[1] // groups, *kernel])]
        if bias:
            operands.append(model.trained([out]))
        result = [shape[0], out, *planes(shape, kernel, stride, padding, dilation)]
        return model.op("nn.conv2d", operands, [result],
                        attributes(stride=stride, padding=padding, dilation=dilation, groups=groups))
    return build, CONVOLUTIONS


def batch_norm():
    def build(model, shape):
        channels = [shape[1]]
        operands = [model.trained(shape), model.trained(channels), model.trained(channels)]
        operands += [model.fixed(channels), model.fixed(channels)]  # running statistics
        return model.op("nn.batch_norm", operands, [shape] + [channels] * 4, attributes(eps=1e-3, momentum=0.1))[:1]
    return build, [(shape,) for shape in (
        [2, 1], [4, 1], [3, 4], [8, 5], [17, 3], [33, 2], [2, 3, 2], [1, 3, 4], [4, 1, 5], [3, 17, 2], [1, 1, 1, 2],
        [1, 1, 2, 1], [2, 3, 1, 1], [1, 2, 3, 3], [2, 1, 4, 4], [3, 2, 1, 5], [2, 5, 2, 2], [4, 3, 3, 1], [2, 8, 2, 3],
        [1, 16, 2, 2], [5, 1, 1, 3])]


def layer_norm():
    def build(model, shape, axis):
        rows, tail = shape[:axis], shape[axis:]
        operands = [model.trained(shape), model.trained(tail), model.trained(tail)]
        return model.op("nn.layer_norm", operands, [shape, rows, rows], attributes(axis=axis, eps=1e-3))[:1]
    return build, [([1, 1], 1), ([1, 2], 1), ([3, 1], 1), ([2, 4], 1), ([5, 7], 1), ([3, 16], 1), ([2, 33], 1),
                   ([1, 64], 1), ([9, 3], 1), ([2, 3, 4], 2), ([2, 3, 4], 1), ([1, 3, 4], 1), ([3, 1, 5], 2),
                   ([3, 1, 5], 1), ([2, 4, 1], 2), ([2, 4, 1], 1), ([2, 2, 2, 4], 3), ([2, 2, 2, 4], 2),
                   ([2, 2, 3, 3], 1), ([1, 1, 1, 6], 1), ([4, 17], 1)]


# input, kernel, stride, padding
POOLS = [([1, 1, 1, 1], [1, 1], [1, 1], [0, 0, 0, 0]), ([1, 1, 2, 2], [2, 2], [2, 2], [0, 0, 0, 0]),
         ([1, 1, 4, 4], [2, 2], [2, 2], [0, 0, 0, 0]), ([2, 3, 4, 4], [2, 2], [2, 2], [0, 0, 0, 0]),
         ([1, 2, 5, 5], [2, 2], [2, 2], [0, 0, 0, 0]), ([1, 2, 5, 5], [3, 3], [2, 2], [1, 1, 1, 1]),
         ([1, 1, 6, 6], [3, 3], [1, 1], [0, 0, 0, 0]), ([1, 1, 6, 6], [3, 3], [1, 1], [1, 1, 1, 1]),
         ([1, 2, 4, 6], [2, 3], [2, 3], [0, 0, 0, 0]), ([1, 2, 4, 6], [2, 3], [1, 2], [1, 1, 0, 1]),
         ([2, 1, 3, 7], [3, 1], [1, 1], [1, 0, 1, 0]), ([2, 1, 7, 3], [1, 3], [2, 1], [0, 1, 0, 1]),
         ([1, 3, 4, 4], [4, 4], [4, 4], [0, 0, 0, 0]), ([1, 1, 5, 3], [5, 3], [1, 1], [0, 0, 0, 0]),
         ([3, 1, 3, 3], [2, 2], [1, 1], [0, 0, 1, 1]), ([1, 1, 9, 9], [2, 2], [4, 4], [0, 0, 0, 0]),
         ([1, 17, 2, 2], [2, 2], [2, 2], [0, 0, 0, 0]), ([2, 2, 4, 4], [1, 1], [1, 1], [0, 0, 0, 0]),
         ([2, 2, 4, 4], [1, 1], [2, 2], [0, 0, 0, 0]), ([1, 1, 3, 16], [3, 4], [3, 2], [0, 2, 0, 1]),
         ([1, 2, 8, 8], [4, 4], [2, 2], [2, 2, 2, 2])]


def max_pool2d():
    def build(model, shape, kernel, stride, padding):
        result = shape[:2] + planes(shape, kernel, stride, padding)
        return model.op("nn.max_pool2d", [model.trained(shape)], [(result, "f64"), (result, "i32")],
                        attributes(kernel=kernel, stride=stride, padding=padding))[:1]
    return build, POOLS


def avg_pool2d(exclude):
    def build(model, shape, kernel, stride, padding):
        result = shape[:2] + planes(shape, kernel, stride, padding)
        return model.op("nn.avg_pool2d", [model.trained(shape)], [result],
                        attributes(kernel=kernel, stride=stride, padding=padding, exclude_pad=exclude))
    return build, POOLS


def softmax():
    def build(model, shape):
        return model.op("nn.softmax", [model.trained(shape, 2.0)], [shape])
    return build, [(shape,) for shape in SHAPES if shape] + [([4, 33],)]


def cross_entropy():
    def build(model, rows, classes, smoothing):
        operands = [model.trained([rows, classes], 2.0), model.ids(rows, classes)]
        return model.op("nn.cross_entropy", operands, [[rows], [rows]], attributes(label_smoothing=smoothing))[:1]
    sizes = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 5), (5, 3), (1, 10), (8, 10), (4, 7), (7, 4), (16, 3), (3, 16),
             (1, 64), (33, 2), (2, 33), (17, 5), (9, 9)]
    smoothings = [(3, 5, 0.1), (1, 10, 0.5), (8, 10, 0.1), (4, 17, 0.9), (1, 1, 0.2)]
    return build, [(*size, 0.0) for size in sizes] + smoothings


def reshape():
    def build(model, shape, result):
        return model.op("nn.reshape", [model.trained(shape)], [result], attributes(shape=result))
    return build, [([], [1]), ([1], []), ([1], [1, 1]), ([6], [2, 3]), ([2, 3], [6]), ([2, 3], [3, 2]), ([4, 1], [4]),
                   ([4], [1, 4, 1]), ([2, 3, 4], [6, 4]), ([2, 3, 4], [2, 12]), ([2, 3, 4], [24]), ([24], [2, 3, 4]),
                   ([2, 12], [2, 3, 4]), ([8, 9], [9, 8]), ([1, 1, 1], [1]), ([2, 2, 2, 2], [4, 4]),
                   ([4, 4], [2, 2, 2, 2]), ([1, 64], [64]), ([3, 1, 5], [3, 5]), ([3, 5], [3, 1, 5])]


def transpose():
    def build(model, shape, perm):
        return model.op("nn.transpose", [model.trained(shape)], [[shape[i] for i in perm]], attributes(perm=perm))
    return build, [([1], [0]), ([5], [0]), ([1, 1], [1, 0]), ([1, 5], [1, 0]), ([5, 1], [1, 0]), ([3, 4], [1, 0]),
                   ([3, 4], [0, 1]), ([8, 9], [1, 0]), ([17, 3], [1, 0]), ([2, 3, 4], [0, 2, 1]),
                   ([2, 3, 4], [1, 0, 2]), ([2, 3, 4], [2, 1, 0]), ([2, 3, 4], [1, 2, 0]), ([2, 3, 4], [2, 0, 1]),
                   ([1, 3, 4], [2, 1, 0]),
                   ([2, 3, 2, 4], [0, 2, 1, 3]), ([2, 3, 2, 4], [0, 2, 3, 1]), ([2, 3, 2, 4], [3, 2, 1, 0]),
                   ([2, 1, 2, 3], [0, 3, 1, 2]), ([2, 1, 2, 1, 3], [4, 0, 3, 1, 2])]


# shape, axis, sizes
CUTS = [([1], 0, [1]), ([2], 0, [1, 1]), ([7], 0, [3, 4]), ([7], 0, [1, 5, 1]), ([64], 0, [16, 48]),
        ([1, 4], 1, [1, 3]), ([4, 1], 0, [2, 2]), ([3, 4], 1, [2, 2]), ([3, 4], 0, [1, 2]), ([3, 4], 1, [1, 1, 2]),
        ([8, 9], 1, [4, 5]),
        ([5, 17], 1, [16, 1]), ([2, 3, 4], 0, [1, 1]), ([2, 3, 4], 1, [2, 1]), ([2, 3, 4], 2, [3, 1]),
        ([2, 1, 6], 2, [2, 2, 2]), ([2, 4, 2, 2], 1, [1, 3]), ([2, 4, 2, 2], 3, [1, 1]), ([1, 6, 1, 1], 1, [2, 4]),
        ([2, 1, 2, 3, 1], 3, [1, 2])]


def pieces_of(shape, axis, sizes):
    return [shape[:axis] + [size] + shape[axis + 1:] for size in sizes]


def split():
    def build(model, shape, axis, sizes):
        pieces = model.op("nn.split", [model.trained(shape)], pieces_of(shape, axis, sizes),
                          attributes(axis=axis, sizes=sizes))
        return pieces[1:] if len(sizes) > 2 else pieces  # some pieces are left without a use
    return build, CUTS


def concat():
    def build(model, shape, axis, sizes):
        operands = [model.trained(piece) for piece in pieces_of(shape, axis, sizes)]
        return model.op("nn.concat", operands, [shape], attributes(axis=axis))
    return build, CUTS


# shape of the ids, rows and columns of the table
TABLES = [(1, 1, 1), (1, 5, 1), (4, 1, 3), (5, 3, 1), (5, 3, 4), (7, 16, 2), (9, 4, 17), (16, 2, 8), (33, 10, 2),
          (2, 70, 3), (3, 100, 1), (12, 12, 5), (1, 20, 16), (6, 6, 6), (64, 3, 1), (10, 9, 8), (8, 33, 2), (2, 2, 33),
          (17, 17, 1), (20, 1, 1)]


def embedding():
    def build(model, count, rows, columns):
        return model.op("nn.embedding", [model.trained([rows, columns]), model.ids(count, rows)], [[count, columns]])
    return build, TABLES


# batch, heads, queries, keys, columns of a head, flags: causal, query key and value in one tensor
ATTENTIONS = [(1, 1, 1, 1, 1, "p"), (1, 1, 1, 1, 4, "cp"), (1, 1, 2, 2, 1, "cp"), (2, 1, 3, 3, 2, "p"),
              (1, 2, 3, 3, 2, "cp"), (2, 2, 4, 4, 3, "cp"), (1, 3, 5, 5, 4, "p"), (1, 1, 9, 9, 8, "cp"),
              (1, 1, 17, 17, 2, "cp"), (1, 1, 16, 16, 3, "p"), (1, 2, 8, 8, 9, "cp"), (1, 1, 1, 5, 3, ""),
              (1, 1, 5, 1, 3, ""), (2, 1, 3, 4, 2, ""), (1, 2, 4, 3, 2, ""), (1, 1, 3, 7, 5, "c"), (1, 1, 7, 3, 2, "c"),
              (2, 2, 3, 3, 3, "c"), (1, 4, 2, 2, 1, ""), (1, 1, 15, 20, 2, ""), (1, 1, 20, 15, 2, "c")]


def attention():
    def build(model, batch, heads, queries, keys, depth, flags):
        columns = heads * depth
        if "p" in flags:
            operands = [model.trained([batch, queries, 3 * columns])]
        else:
            operands = [model.trained([batch, rows, columns]) for rows in (queries, keys, keys)]
        result = model.op("nn.attention", operands, [[batch, queries, columns], [batch, heads, queries]],
                          attributes(heads=heads, causal="c" in flags, scale=0.7))[0]
        model.cases[-1].terms = max(model.cases[-1].terms, keys * depth)
        return [result]
    return build, ATTENTIONS


# Flags as above; g: the heads of queries that share keys; k: integers hide keys, a: a mask of this shape is added. Every
# third key is hidden, and all those of the last sample or query.
MASKED = [(1, 2, 1, 1, 1, "", 2, ""), (1, 2, 3, 3, 2, "c", 2, ""), (2, 4, 3, 3, 2, "cp", 2, ""), (1, 4, 5, 2, 3, "", 4, ""),
          (1, 6, 4, 4, 1, "p", 3, ""), (2, 2, 16, 16, 2, "c", 2, ""), (1, 4, 17, 5, 3, "", 2, ""),
          (1, 1, 1, 1, 1, "", 1, "k"), (2, 1, 2, 3, 1, "", 1, "k"), (2, 2, 4, 4, 2, "cp", 1, "k"), (3, 2, 5, 17, 3, "", 2, "k"),
          (2, 1, 16, 16, 1, "c", 1, "k"), (2, 2, 3, 33, 2, "", 1, "k"), (1, 1, 1, 1, 2, "", 1, [1, 1, 1, 1]),
          (2, 2, 3, 4, 2, "", 1, [1, 1, 1, 4]), (2, 2, 3, 4, 2, "", 1, [2, 1, 1, 4]), (2, 2, 3, 4, 2, "", 2, [1, 2, 1, 4]),
          (2, 2, 3, 4, 2, "", 1, [1, 1, 3, 4]), (2, 2, 3, 3, 2, "cp", 1, [2, 2, 3, 3]), (1, 4, 17, 9, 3, "", 2, [1, 4, 17, 9]),
          (1, 1, 33, 16, 2, "", 1, [1, 1, 33, 16])]


def mask(model, batch, keys, kind):
    """Apart from the scores, so that no key that is hidden matters and none that is seen is lost."""
    if kind != "k":
        rows = math.prod(kind[:-1])
        values = [-1e30 if i % 3 == 1 or (rows > 1 and i // keys + 1 == rows) else (i % 5) / 4
                  for i in range(rows * keys)]
        return model.given(kind, values)
    shown = [int(i % 3 != 1 and not (batch > 1 and i // keys + 1 == batch)) for i in range(batch * keys)]
    return model.op("nn.reshape", [model.ids(batch * keys, 2, shown)], [[batch, keys]],
                    attributes(shape=[batch, keys]), element="i64")[0]


def masked_attention():
    def build(model, batch, heads, queries, keys, depth, flags, sharing, kind):
        columns, key_columns = heads * depth, heads // sharing * depth
        if "p" in flags:
            operands = [model.trained([batch, queries, columns + 2 * key_columns])]
        else:
            operands = [model.trained([batch, queries, columns])]
            operands += [model.trained([batch, keys, key_columns]) for _ in range(2)]
        if kind:
            operands.append(mask(model, batch, keys, kind))
        result = model.op("nn.attention", operands, [[batch, queries, columns], [batch, heads, queries]],
                          attributes(heads=heads, kv_heads=heads // sharing, causal="c" in flags, masked=bool(kind),
                                     scale=0.7))[0]
        model.cases[-1].terms = max(model.cases[-1].terms, keys * depth * sharing)
        return [result]
    return build, MASKED


def rms_norm():
    shapes = [([1], 0), ([5], 0), ([16], 0), ([33], 0), ([1, 1], 1), ([1, 7], 1), ([7, 1], 1), ([2, 4], 1), ([3, 5], 0),
              ([4, 17], 1), ([2, 64], 1), ([2, 3, 4], 2), ([2, 3, 4], 1), ([2, 3, 4], 0), ([1, 1, 8], 2), ([3, 1, 9], 2),
              ([5, 2, 16], 2), ([2, 2, 2, 5], 3), ([2, 2, 3, 5], 2), ([1, 3, 1, 2], 1), ([9, 31], 1), ([2, 100], 1)]

    def build(model, shape, axis):
        operands = [model.trained(shape), model.trained(shape[axis:])]
        return model.op("nn.rms_norm", operands, [shape, shape[:axis]], attributes(axis=axis, eps=0.25))[:1]
    return build, shapes


def rotary():
    cases = [(batch, places, heads, depth, interleaved) for interleaved in (False, True)
             for batch, places, heads, depth in ((1, 1, 1, 2), (1, 3, 1, 2), (2, 1, 2, 4), (2, 3, 2, 4), (1, 5, 3, 6),
                                                 (3, 2, 1, 16), (1, 17, 2, 8), (2, 4, 4, 10), (1, 2, 1, 64),
                                                 (1, 7, 5, 2), (2, 2, 2, 34))]

    def build(model, batch, places, heads, depth, interleaved):
        operands = [model.trained([batch, places, heads * depth])]
        operands += [model.fixed([places, depth]) for _ in range(2)]
        return model.op("nn.rotary", operands, [[batch, places, heads * depth]], attributes(interleaved=interleaved))
    return build, cases


# One model each: a name, and the ops in it.
GROUPS = {
    "relu-tanh-sigmoid": [unary("nn.relu"), unary("nn.tanh"), unary("nn.sigmoid")],
    "silu-gelu": [unary("nn.silu"), unary("nn.gelu"), unary("nn.gelu", tanh=True)],
    "add-sub-mul": [binary("nn.add"), binary("nn.sub"), binary("nn.mul")],
    "squared-error-broadcast": [squared_error(), broadcast()],
    "dropout": [dropout()],
    "matmul": [matmul()],
    "conv2d": [conv2d()],
    "batch-norm": [batch_norm()],
    "layer-norm": [layer_norm()],
    "max-pool": [max_pool2d()],
    "avg-pool": [avg_pool2d(False), avg_pool2d(True)],
    "softmax-cross-entropy": [softmax(), cross_entropy()],
    "reductions": [reduction("nn.reduce_sum"), reduction("nn.reduce_mean")],
    "reshape-transpose": [reshape(), transpose()],
    "split-concat": [split(), concat()],
    "embedding": [embedding()],
    "attention": [attention()],
    "attention-masks": [masked_attention()],
    "rms-norm-rotary": [rms_norm(), rotary()],
    **GENERAL_GROUPS,
    **IMAGE_GROUPS,
}
