"""What each op computes, element by element: written from its definition, not after its kernel.

A formula takes the tape, the operands as pairs of a shape and its elements, row-major, and the attributes, and returns
its results in the same form. An operand's elements have been rounded as the op reads them.
"""

import itertools
import math

from tape import Unsuitable


def positions(shape):
    return itertools.product(*map(range, shape))


def strides(shape):
    found, step = [], 1
    for extent in reversed(shape):
        found.append(step)
        step *= extent
    return found[::-1]


class View:
    """Elements by position."""

    def __init__(self, tensor):
        self.shape, self.elements = tensor
        self.strides = strides(self.shape)

    def __getitem__(self, position):
        return self.elements[sum(place * step for place, step in zip(position, self.strides))]


def broadcast_shape(*shapes):
    rank = max(map(len, shapes))
    padded = [[1] * (rank - len(shape)) + list(shape) for shape in shapes]
    result = [max(extents) for extents in zip(*padded)]
    if any(extent not in (1, wanted) for shape in padded for extent, wanted in zip(shape, result)):
        raise Unsuitable
    return result


def spread(tensor, shape):
    """The element of a broadcast operand for each position of `shape`."""
    own, elements = tensor
    steps = [0] * (len(shape) - len(own)) + [0 if extent == 1 else step for extent, step in zip(own, strides(own))]
    return [elements[sum(place * step for place, step in zip(position, steps))] for position in positions(shape)]


def elementwise(function):
    """Of a function of the tape and one element of each operand."""
    def compute(t, operands, attrs):
        shape = broadcast_shape(*(own for own, _ in operands))
        columns = [spread(operand, shape) for operand in operands]
        return [(shape, [function(t, *elements) for elements in zip(*columns)])]
    return compute


# --- functions of one element ----------------------------------------------------------------------------------------

def relu(t, x):
    positive = t.apart(x) > 0
    return t.apply(x, t.value[x] if positive else 0.0, float(positive), 0.0)


def tanh(t, x):
    y = math.tanh(t.value[x])
    return t.apply(x, y, 1 - y * y, 2 * y * (1 - y * y), 2 * y * y)


def sigmoid(t, x):
    y = 1 / (1 + math.exp(-t.value[x]))
    return t.apply(x, y, y * (1 - y), y * (1 - y) * (1 - 2 * y), y)


def silu(t, x):
    v, s = t.value[x], 1 / (1 + math.exp(-t.value[x]))
    d = s * (1 - s)
    return t.apply(x, v * s, s + v * d, d * (2 + v * (1 - 2 * s)), terms=s + abs(v) * d)


def gelu(t, x):
    v = t.value[x]
    density, below = math.exp(-v * v / 2) / math.sqrt(2 * math.pi), 0.5 * (1 + math.erf(v / math.sqrt(2)))
    return t.apply(x, v * below, below + v * density, density * (2 - v * v), terms=1 + abs(v))


def gelu_tanh(t, x):
    v, c, a = t.value[x], math.sqrt(2 / math.pi), 0.044715
    y = math.tanh(c * (v + a * v**3))
    inner, bend = c * (1 + 3 * a * v * v), 6 * c * a * v
    d = 1 - y * y
    return t.apply(x, v / 2 * (1 + y), (1 + y) / 2 + v / 2 * d * inner,
                   d * inner + v / 2 * (d * bend - 2 * y * d * inner**2), terms=1 + abs(v))


def squared_error(t, x, y):
    difference = t.sub(x, y)
    return t.mul(difference, difference)


# --- contractions ----------------------------------------------------------------------------------------------------

def dot(t, pairs, *more):
    terms = [t.mul(a, b) for a, b in pairs]
    return t.sum([*terms, *more]) if len(terms) + len(more) > 1 else [*terms, *more][0]


def matmul(t, operands, attrs):
    (left, _), (right, _) = operands[:2]
    a, b = attrs.get("transpose_a"), attrs.get("transpose_b")
    rows, depth = left[-2:][::-1] if a else left[-2:]
    other, columns = right[-2:][::-1] if b else right[-2:]
    if depth != other:
        raise Unsuitable
    batch = broadcast_shape(left[:-2], right[:-2])
    if len(right) != 2 and left[:-2] != right[:-2]:
        raise Unsuitable
    A, B, result = View(operands[0]), View(operands[1]), []
    for *outer, i, j in positions([*batch, rows, columns]):
        inner = outer if len(right) > 2 else []
        pairs = [(A[[*outer, k, i] if a else [*outer, i, k]], B[[*inner, j, k] if b else [*inner, k, j]])
                 for k in range(depth)]
        result.append(dot(t, pairs, *([operands[2][1][j]] if len(operands) > 2 else [])))
    return [([*batch, rows, columns], result)]


def windows(extent, kernel, stride, before, after, dilation=1):
    return (extent + before + after - dilation * (kernel - 1) - 1) // stride + 1


def window_places(shape, kernel, attrs):
    """The extents of the result's planes, and a function from a position in them to the places in the image (None
    outside) by kernel position."""
    stride, padding = attrs["stride"], attrs["padding"]
    dilation = attrs.get("dilation") or [1, 1]
    plane = [windows(shape[2 + i], kernel[i], stride[i], padding[i], padding[2 + i], dilation[i]) for i in range(2)]
    if min(plane) < 1:
        raise Unsuitable

    def places(y, x):
        for ky, kx in positions(kernel):
            h = y * stride[0] - padding[0] + ky * dilation[0]
            w = x * stride[1] - padding[1] + kx * dilation[1]
            yield (ky, kx), (h, w) if 0 <= h < shape[2] and 0 <= w < shape[3] else None
    return plane, places


def conv2d(t, operands, attrs):
    shape, filters = operands[0][0], operands[1][0]
    groups = attrs["groups"]
    if shape[1] != filters[1] * groups or filters[0] % groups:
        raise Unsuitable
    plane, places = window_places(shape, filters[2:], attrs)
    X, W, result = View(operands[0]), View(operands[1]), []
    out = [shape[0], filters[0], *plane]
    for n, o, y, x in positions(out):
        first = o // (filters[0] // groups) * filters[1]
        pairs = [(X[n, first + c, *at], W[o, c, *k]) for k, at in places(y, x) if at for c in range(filters[1])]
        result.append(dot(t, pairs, *([operands[2][1][o]] if len(operands) > 2 else [t.constant(0)])))
    return [(out, result)]


def conv_transpose2d(t, operands, attrs):
    shape, filters = operands[0][0], operands[1][0]
    stride, padding, dilation, more = (attrs[k] for k in ("stride", "padding", "dilation", "output_padding"))
    groups = attrs["groups"]
    if shape[1] != filters[0] or shape[1] % groups:
        raise Unsuitable
    plane = [(shape[2 + i] - 1) * stride[i] + dilation[i] * (filters[2 + i] - 1) + 1 + more[i]
             - padding[i] - padding[2 + i] for i in range(2)]
    if min(plane) < 1:
        raise Unsuitable
    out = [shape[0], filters[1] * groups, *plane]
    X, W = View(operands[0]), View(operands[1])
    flows = {position: [] for position in positions(out)}
    for n, c, h, w in positions(shape):
        for o, ky, kx in positions(filters[1:]):
            y, x = h * stride[0] - padding[0] + ky * dilation[0], w * stride[1] - padding[1] + kx * dilation[1]
            if 0 <= y < plane[0] and 0 <= x < plane[1]:
                to = c // (shape[1] // groups) * filters[1] + o
                flows[n, to, y, x].append((X[n, c, h, w], W[c, o, ky, kx]))
    return [(out, [dot(t, flows[at], *([operands[2][1][at[1]]] if len(operands) > 2 else [t.constant(0)]))
                   for at in positions(out)])]


def attention(t, operands, attrs):
    if len(operands) == 1:
        (batch, rows, wide), elements = operands[0]
        width = wide // 3
        if width * 3 != wide:
            raise Unsuitable
        packed = View(operands[0])
        parts = [((batch, rows, width), [packed[b, i, part * width + j] for b, i, j in positions((batch, rows, width))])
                 for part in range(3)]
    else:
        parts = operands
    Q, K, V = map(View, parts)
    (batch, queries, width), keys, heads = parts[0][0], parts[1][0][1], attrs["heads"]
    if width % heads or list(parts[1][0]) != [batch, keys, width] or list(parts[2][0]) != [batch, keys, width]:
        raise Unsuitable
    depth, result = width // heads, {}
    for b, h, i in positions((batch, heads, queries)):
        columns = range(h * depth, (h + 1) * depth)
        seen = min(keys, i + 1) if attrs.get("causal") else keys
        scores = [t.scale(dot(t, [(Q[b, i, c], K[b, j, c]) for c in columns]), attrs["scale"]) for j in range(seen)]
        shares = softmax_of(t, scores)
        for c in columns:
            result[b, i, c] = dot(t, [(shares[j], V[b, j, c]) for j in range(seen)])
    out = [batch, queries, width]
    return [(out, [result[at] for at in positions(out)])]


# --- normalisation and reduction -------------------------------------------------------------------------------------

def softmax_of(t, scores):
    """The largest is subtracted before, which changes nothing but the range."""
    largest = max(scores, key=lambda x: t.value[x])
    powers = [t.stored(t.exp(t.sub(x, largest))) for x in scores]
    whole = t.reciprocal(t.sum(powers))
    return [t.mul(power, whole) for power in powers]


def softmax(t, operands, attrs):
    shape, elements = operands[0]
    result = []
    for row in range(0, len(elements), shape[-1]):
        result += softmax_of(t, elements[row:row + shape[-1]])
    return [(shape, result)]


def mean_of(t, terms):
    return t.scale(t.sum(terms), 1 / len(terms))


def normalize(t, elements, eps):
    """(x - mean) / sqrt(variance + eps)."""
    mean = mean_of(t, elements)
    centred = [t.sub(x, mean) for x in elements]
    # Where all elements are equal, nearly, rounding errors are all that is left to be normalised.
    if len(elements) > 1 and sum(t.value[x] ** 2 for x in centred) < 0.05 * len(elements):
        raise Unsuitable
    variance = mean_of(t, [t.mul(x, x) for x in centred])
    factor = t.reciprocal(t.sqrt(t.add(variance, t.constant(eps))))
    return [t.mul(x, factor) for x in centred]


def normalization(groups_of, affine_of):
    """groups_of(shape, attrs): position -> key of its group; affine_of(position, attrs): index of scale and shift."""
    def compute(t, operands, attrs):
        shape, elements = operands[0]
        key, groups = groups_of(shape, attrs), {}
        for number, position in enumerate(positions(shape)):
            groups.setdefault(key(position), []).append(number)
        result = [None] * len(elements)
        for members in groups.values():
            for number, x in zip(members, normalize(t, [elements[m] for m in members], attrs["eps"])):
                result[number] = x
        for number, position in enumerate(positions(shape)):
            i = affine_of(shape, position, attrs)
            result[number] = t.add(t.mul(result[number], operands[1][1][i]), operands[2][1][i])
        return [(shape, result)]
    return compute


def tail_index(shape, position, attrs):
    tail = shape[attrs["axis"]:]
    return sum(place * step for place, step in zip(position[attrs["axis"]:], strides(tail)))


def channel(shape, position, attrs):
    return position[1]


batch_norm = normalization(lambda shape, attrs: lambda position: position[1], channel)
layer_norm = normalization(lambda shape, attrs: lambda position: position[:attrs["axis"]], tail_index)
group_norm = normalization(
    lambda shape, attrs: lambda position: (position[0], position[1] // (shape[1] // attrs["groups"])), channel)


def reduction(join):
    def compute(t, operands, attrs):
        shape, elements = operands[0]
        axes, keep, groups = attrs["axes"], attrs.get("keep_dims"), {}
        for element, position in zip(elements, positions(shape)):
            groups.setdefault(tuple(0 if i in axes else p for i, p in enumerate(position)), []).append(element)
        result = [1 if i in axes else extent for i, extent in enumerate(shape) if keep or i not in axes]
        return [(result, [join(t, members) for members in groups.values()])]
    return compute


def sum_of(t, members):
    return t.sum(members)


def max_pool2d(t, operands, attrs):
    shape = operands[0][0]
    plane, places = window_places(shape, attrs["kernel"], attrs)
    X, result, out = View(operands[0]), [], [*shape[:2], *plane]
    for n, c, y, x in positions(out):
        inside = [X[n, c, *at] for _, at in places(y, x) if at]
        if not inside:
            raise Unsuitable
        largest = max(inside, key=lambda number: t.value[number])
        for number in inside:
            if number != largest:
                t.apart(largest, number)
        result.append(t.apply(largest, t.value[largest], 1.0, 0.0))
    return [(out, result)]


def avg_pool2d(t, operands, attrs):
    shape, kernel = operands[0][0], attrs["kernel"]
    plane, places = window_places(shape, kernel, attrs)
    X, result, out = View(operands[0]), [], [*shape[:2], *plane]
    for n, c, y, x in positions(out):
        inside = [X[n, c, *at] for _, at in places(y, x) if at]
        if not inside:
            raise Unsuitable
        count = len(inside) if attrs.get("exclude_pad") else kernel[0] * kernel[1]
        result.append(t.scale(t.sum(inside), 1 / count))
    return [(out, result)]


def resize2d(t, operands, attrs):
    shape, X, out = operands[0][0], View(operands[0]), [*operands[0][0][:2], *attrs["size"]]
    result = []

    def samples(axis, i):
        """(place, weight), clamped to the image."""
        p = attrs["factor"][axis] * i + attrs["offset"][axis]
        p = round(p) if abs(p - round(p)) < 1e-6 else p
        low, last = math.floor(p), shape[2 + axis] - 1
        clamped = lambda place: min(max(place, 0), last)  # noqa: E731
        if not attrs.get("linear"):
            return [(clamped(math.ceil(p) if attrs.get("ceil") else low), 1.0)]
        return [(clamped(low), 1 - (p - low)), (clamped(low + 1), p - low)]

    for n, c, y, x in positions(out):
        terms = [t.scale(X[n, c, h, w], a * b) for h, a in samples(0, y) for w, b in samples(1, x)]
        result.append(t.sum(terms))
    return [(out, result)]


# --- movement --------------------------------------------------------------------------------------------------------

def broadcast(t, operands, attrs):
    if broadcast_shape(operands[0][0], attrs["shape"]) != list(attrs["shape"]):
        raise Unsuitable
    return [(attrs["shape"], spread(operands[0], attrs["shape"]))]


def reshape(t, operands, attrs):
    if math.prod(attrs["shape"]) != len(operands[0][1]):
        raise Unsuitable
    return [(attrs["shape"], operands[0][1])]


def transpose(t, operands, attrs):
    X, perm = View(operands[0]), attrs["perm"]
    shape = [X.shape[i] for i in perm]
    if sorted(perm) != list(range(len(X.shape))):
        raise Unsuitable
    return [(shape, [X[[position[perm.index(i)] for i in range(len(perm))]] for position in positions(shape)])]


def split(t, operands, attrs):
    X, axis, results, start = View(operands[0]), attrs["axis"], [], 0
    if sum(attrs["sizes"]) != X.shape[axis]:
        raise Unsuitable
    for size in attrs["sizes"]:
        shape = [*X.shape[:axis], size, *X.shape[axis + 1:]]
        results.append((shape, [X[[p + start if i == axis else p for i, p in enumerate(position)]]
                                for position in positions(shape)]))
        start += size
    return results


def concat(t, operands, attrs):
    axis, views = attrs["axis"], [View(operand) for operand in operands]
    shape = [*views[0].shape]
    shape[axis] = sum(view.shape[axis] for view in views)
    result = []
    for position in positions(shape):
        place = list(position)
        for view in views:
            if [e for i, e in enumerate(view.shape) if i != axis] != [e for i, e in enumerate(shape) if i != axis]:
                raise Unsuitable
            if place[axis] < view.shape[axis]:
                result.append(view[place])
                break
            place[axis] -= view.shape[axis]
    return [(shape, result)]


def embedding(t, operands, attrs):
    table, ids = View(operands[0]), attrs["ids"]
    columns = table.shape[1]
    if max(ids) >= table.shape[0]:
        raise Unsuitable
    return [([len(ids), columns], [table[row, j] for row in ids for j in range(columns)])]
