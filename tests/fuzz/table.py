"""The ops of the random graphs: a row an op. A new op joins by a row and, if it is none of these, a formula."""

import math

import formulas as f
import functions as g
from tape import Unsuitable


class Row:
    """`choose` draws operands, attributes and the number of results; `formula` is what they compute. Of what the graphs
    do not have, `extra` gives the types of results, pairs of shape and element (None: a floating one), and `buffers`
    the shapes of operands, both from the operands' shapes and the attributes."""

    def __init__(self, op, choose, formula, extra=lambda shapes, attrs: [], buffers=lambda shapes: [], name=None):
        self.op, self.choose, self.formula, self.extra, self.buffers = op, choose, formula, extra, buffers
        self.name = name or op


def unary(op, function, name=None, **attrs):
    def choose(c):
        return [c.operand()[0]], attrs, 1
    return Row(op, choose, f.elementwise(function), name=name)


def broadcasting(c, shape):
    """A shape that broadcasts with `shape`."""
    own = [extent if c.random.random() < 0.7 else 1 for extent in shape]
    return own[c.random.randint(0, len(own)):] if c.random.random() < 0.3 else own


def binary(op, function):
    def choose(c):
        left, shape = c.operand()
        if c.random.random() < 0.1:
            return [left, left], {}, 1
        operands = [left, c.like(broadcasting(c, shape))]
        c.random.shuffle(operands)
        return operands, {}, 1
    return Row(op, choose, f.elementwise(function))


def of_two(op, function):
    """Now and then of a parameter of positive numbers on either side, which some functions need."""
    def choose(c):
        left, shape = c.operand()
        right = c.parameter(broadcasting(c, shape), 0.5) if c.some(False, True) else c.like(broadcasting(c, shape))
        return [c.parameter(shape, 0.5) if c.some(False, True) else left, right], {}, 1
    return Row(op, choose, f.elementwise(function))


def function(op, function, attrs):
    def choose(c):
        value, shape = c.operand()
        return [c.parameter(shape, 0.5) if c.random.random() < 0.3 else value], attrs, 1
    return Row(op, choose, f.elementwise(function))


def choose_compare(c):
    left, shape = c.operand()
    return [left, c.like(broadcasting(c, shape))], {"predicate": c.some(*g.PREDICATES)}, 1


def compare(t, operands, attrs):
    return f.elementwise(g.compare(attrs["predicate"]))(t, operands, attrs)


def choose_where(c):
    truths = [value for node in c.graph.nodes if node.op == "nn.compare" for value in node.outputs]
    if not truths:
        raise Unsuitable
    condition = c.random.choice(truths)
    shape = c.evaluation.shape(condition)
    return [condition, c.like(broadcasting(c, shape)), c.like(broadcasting(c, shape))], {}, 1


def choose_slice(c):
    value, shape = c.operand(range(1, 5))
    starts, sizes, steps = [], [], []
    for extent in shape:
        start, step = c.random.randrange(extent), c.some(1, 1, 2, -1, -2) if extent > 1 else c.some(1, -1)
        most = ((extent - 1 - start) // step if step > 0 else start // -step) + 1
        starts.append(start)
        steps.append(step)
        sizes.append(c.random.randint(1, most))
    return [value], {"starts": starts, "sizes": sizes, "steps": steps}, 1


def choose_place(c):
    value, shape = c.operand(range(1, 5))
    steps = [c.some(1, 1, 2) if extent > 1 else 1 for extent in shape]
    before, after = [c.random.randrange(3) for _ in shape], [c.random.randrange(2) for _ in shape]
    wide = [b + (extent - 1) * step + 1 + a for b, extent, step, a in zip(before, shape, steps, after)]
    return [value], {"shape": wide, "starts": before, "steps": steps, "value": 0.25}, 1


def choose_squared_error(c):
    value, shape = c.operand()
    return [value, c.like(shape)], {}, 1


def choose_matmul(c):
    left, shape = c.operand(range(2, 5))
    a, b = c.some(False, False, True), c.some(False, True)
    rows, depth = shape[-2:][::-1] if a else shape[-2:]
    columns = c.extent()
    right = [columns, depth] if b else [depth, columns]
    if len(shape) > 2 and (a or c.random.random() < 0.5):
        right = shape[:-2] + right
    operands = [left, c.like(right)]
    if c.random.random() < 0.4:
        operands.append(c.parameter([columns]))
    return operands, {"transpose_a": a, "transpose_b": b}, 1


def padding_within(c, kernel):
    """On each side at most half of the window, as pooling needs it."""
    return [c.random.randint(0, kernel[i % 2] // 2) for i in range(4)]


def choose_conv2d(c):
    value, shape = c.operand([4])
    kernel = [c.some(1, 2, 3), c.some(1, 2, 3)]
    groups = c.some(1, shape[1]) if c.random.random() < 0.5 else 1
    out = groups * c.some(1, 2)
    operands = [value, c.like([out, shape[1] // groups, *kernel])]
    if c.some(False, True):
        operands.append(c.parameter([out]))
    return operands, {"stride": [c.some(1, 1, 2), c.some(1, 1, 2)], "padding": padding_within(c, kernel),
                      "dilation": [c.some(1, 1, 2), c.some(1, 1, 2)], "groups": groups}, 1


def choose_conv_transpose2d(c):
    value, shape = c.operand([4])
    kernel, stride = [c.some(1, 2, 3), c.some(1, 2, 3)], [c.some(1, 2), c.some(1, 2)]
    groups = c.some(1, shape[1]) if c.random.random() < 0.5 else 1
    operands = [value, c.like([shape[1], c.some(1, 2), *kernel])]
    out = c.graph.leaves.get(operands[1], (c.evaluation.shape(operands[1]),))[0][1] * groups
    if c.some(False, True):
        operands.append(c.parameter([out]))
    return operands, {"stride": stride, "padding": padding_within(c, kernel), "dilation": [1, 1],
                      "output_padding": [c.random.randrange(s) for s in stride], "groups": groups}, 1


def pool_attrs(c):
    kernel = [c.some(1, 2, 3), c.some(1, 2, 3)]
    return {"kernel": kernel, "stride": [c.some(1, 2, 3), c.some(1, 2, 3)], "padding": padding_within(c, kernel)}


def choose_max_pool2d(c):
    return [c.operand([4])[0]], pool_attrs(c), 1


def choose_avg_pool2d(c):
    return [c.operand([4])[0]], {**pool_attrs(c), "exclude_pad": c.some(False, True)}, 1


def plane_of(shape, attrs):
    plane = [f.windows(shape[2 + i], attrs["kernel"][i], attrs["stride"][i], attrs["padding"][i],
                       attrs["padding"][2 + i]) for i in range(2)]
    return [*shape[:2], *plane]


def choose_resize2d(c):
    value, shape = c.operand([4])
    size = [c.random.randint(1, 5), c.random.randint(1, 5)]
    scales = [size[i] / shape[2 + i] for i in range(2)]
    half = c.some(False, True)
    linear = c.some(False, True)
    return [value], {"size": size, "factor": [1 / s for s in scales], "linear": linear,
                     "offset": [0.5 / s - 0.5 if half else 0.0 for s in scales]}, 1


def choose_batch_norm(c):
    value, shape = c.operand(range(2, 5))
    channels = [shape[1]]
    return [value, c.parameter(channels), c.parameter(channels)], {"eps": 1e-3, "momentum": 0.1}, 1


def choose_layer_norm(c):
    value, shape = c.operand(range(2, 5))
    axis = c.random.randint(1, len(shape) - 1)
    return [value, c.parameter(shape[axis:]), c.parameter(shape[axis:])], {"axis": axis, "eps": 1e-3}, 1


def choose_group_norm(c):
    value, shape = c.operand(range(3, 5))
    groups = c.random.choice([g for g in range(1, shape[1] + 1) if shape[1] % g == 0])
    return [value, c.parameter([shape[1]]), c.parameter([shape[1]])], {"groups": groups, "eps": 1e-3}, 1


def choose_softmax(c):
    return [c.operand(range(1, 5))[0]], {}, 1


def choose_axes(c):
    value, shape = c.operand(range(1, 5))
    axes = sorted(c.random.sample(range(len(shape)), c.random.randint(1, len(shape))))
    return [value], {"axes": axes, "keep_dims": c.some(False, True)}, 1


def choose_broadcast(c):
    value, shape = c.operand(range(0, 4))
    wide = [c.extent() if extent == 1 else extent for extent in shape]
    return [value], {"shape": ([c.extent()] if c.some(False, True) else []) + wide}, 1


def choose_reshape(c):
    value, shape = c.operand()
    count, result = math.prod(shape), []
    for _ in range(c.random.randint(0, 3)):
        extent = c.random.choice([d for d in range(1, count + 1) if count % d == 0])
        result.append(extent)
        count //= extent
    if count > 1:
        result.insert(c.random.randint(0, len(result)), count)
    return [value], {"shape": result}, 1


def choose_transpose(c):
    value, shape = c.operand(range(1, 5))
    perm = list(range(len(shape)))
    c.random.shuffle(perm)
    return [value], {"perm": perm}, 1


def choose_split(c):
    value, shape = c.operand(range(1, 5), lambda own: max(own) > 1)
    axis = c.random.choice([i for i, extent in enumerate(shape) if extent > 1])
    first = c.random.randint(1, shape[axis] - 1)
    sizes = [first, shape[axis] - first]
    if sizes[1] > 1 and c.some(False, True):
        sizes[1:] = [1, sizes[1] - 1]
    return [value], {"axis": axis, "sizes": sizes}, len(sizes)


def choose_concat(c):
    value, shape = c.operand(range(1, 5))
    axis = c.random.randrange(len(shape))
    other = [c.some(extent, 1, 2) if i == axis else extent for i, extent in enumerate(shape)]
    pieces = [value, c.like(other)] + ([value] if c.random.random() < 0.2 else [])
    c.random.shuffle(pieces)
    return pieces, {"axis": axis}, 1


def choose_embedding(c):
    value, shape = c.operand([2])
    return [value], {"ids": [c.random.randrange(shape[0]) for _ in range(c.random.randint(1, 6))]}, 1


def choose_attention(c):
    value, shape = c.operand([3])
    causal, batch, rows, width = c.some(False, True), *shape
    if width % 3 == 0 and c.some(False, True):
        operands, width = [value], width // 3
    else:
        keys = rows if causal else c.extent()
        operands = [value, c.like([batch, keys, width]), c.like([batch, keys, width])]
    heads = c.random.choice([h for h in range(1, width + 1) if width % h == 0])
    return operands, {"heads": heads, "causal": causal, "scale": c.some(0.5, 0.7, 1.0)}, 1


ROWS = [
    unary("nn.relu", f.relu), unary("nn.tanh", f.tanh), unary("nn.sigmoid", f.sigmoid), unary("nn.silu", f.silu),
    unary("nn.gelu", f.gelu), unary("nn.gelu", f.gelu_tanh, name="nn.gelu tanh", tanh=True),
    binary("nn.add", lambda t, x, y: t.add(x, y)), binary("nn.sub", lambda t, x, y: t.sub(x, y)),
    binary("nn.mul", lambda t, x, y: t.mul(x, y)),
    Row("nn.squared_error", choose_squared_error, f.elementwise(f.squared_error)),
    Row("nn.matmul", choose_matmul, f.matmul),
    Row("nn.conv2d", choose_conv2d, f.conv2d),
    Row("nn.conv_transpose2d", choose_conv_transpose2d, f.conv_transpose2d),
    Row("nn.attention", choose_attention, f.attention,
        lambda shapes, attrs: [([shapes[0][0], attrs["heads"], shapes[0][1]], None)]),
    Row("nn.batch_norm", choose_batch_norm, f.batch_norm,
        lambda shapes, attrs: [([shapes[0][1]], None)] * 4, lambda shapes: [[shapes[0][1]]] * 2),
    Row("nn.layer_norm", choose_layer_norm, f.layer_norm,
        lambda shapes, attrs: [(shapes[0][:attrs["axis"]], None)] * 2),
    Row("nn.group_norm", choose_group_norm, f.group_norm,
        lambda shapes, attrs: [(shapes[0][:2], None)] * 2),
    Row("nn.softmax", choose_softmax, f.softmax),
    Row("nn.reduce_sum", choose_axes, f.reduction(f.sum_of)),
    Row("nn.reduce_mean", choose_axes, f.reduction(f.mean_of)),
    Row("nn.max_pool2d", choose_max_pool2d, f.max_pool2d,
        lambda shapes, attrs: [(plane_of(shapes[0], attrs), "i32")]),
    Row("nn.avg_pool2d", choose_avg_pool2d, f.avg_pool2d),
    Row("nn.resize2d", choose_resize2d, f.resize2d),
    Row("nn.broadcast", choose_broadcast, f.broadcast),
    Row("nn.reshape", choose_reshape, f.reshape),
    Row("nn.transpose", choose_transpose, f.transpose),
    Row("nn.split", choose_split, f.split),
    Row("nn.concat", choose_concat, f.concat),
    Row("nn.embedding", choose_embedding, f.embedding),
]
ROWS += [function(op, *entry) for op, entry in g.FUNCTIONS.items()]
ROWS += [of_two(op, entry) for op, entry in g.OF_TWO.items()]
ROWS += [
    Row("nn.compare", choose_compare, compare),
    Row("nn.where", choose_where, f.elementwise(g.where)),
    Row("nn.reduce_max", choose_axes, f.reduction(g.chosen(max))),
    Row("nn.reduce_min", choose_axes, f.reduction(g.chosen(min))),
    Row("nn.reduce_prod", choose_axes, f.reduction(g.product)),
    Row("nn.log_softmax", choose_softmax, g.log_softmax),
    Row("nn.slice", choose_slice, g.part),
    Row("nn.place", choose_place, g.place),
]
TABLE = {row.name: row for row in ROWS}
