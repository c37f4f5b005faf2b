"""Functions of one number and of two, comparisons and choices, for the table of ops."""

import math

from formulas import positions, strides
from tape import Unsuitable


def smooth(value, slope, curvature, terms=0.0):
    """Of v: the function, its derivative and a bound of its second derivative."""
    return lambda t, x: t.apply(x, value(t.value[x]), slope(t.value[x]), curvature(t.value[x]), terms=terms)


def pieces(limits, *functions):
    """Pieces between the limits, ascending: of each (value, slope, curvature) as functions of v."""
    def function(t, x):
        for limit in limits:
            t.apart(x, t.constant(limit))
        v = t.value[x]
        value, slope, curvature = functions[sum(v > limit for limit in limits)]
        return t.apply(x, value(v), slope(v), curvature(v), terms=1.0)
    return function


def line(slope, offset=0.0):
    return (lambda v: slope * v + offset), (lambda v: slope), (lambda v: 0.0)


def bent(scale, rate=1.0):
    """scale (e^(v / rate) - 1) below 0."""
    return ((lambda v: scale * (math.exp(v / rate) - 1)), (lambda v: scale / rate * math.exp(v / rate)),
            (lambda v: scale / rate**2 * math.exp(v / rate)))


def sigmoid_of(v):
    return 1 / (1 + math.exp(-v))


def softplus_of(v):
    return math.log1p(math.exp(v))


def mish_slope(v):
    s = math.tanh(softplus_of(v))
    return s + v * (1 - s * s) * sigmoid_of(v)


def stepped(function, nearest):
    """A function that jumps where `nearest` says and is constant elsewhere."""
    def apply(t, x):
        t.apart(x, t.constant(nearest(t.value[x])))
        return t.constant(function(t.value[x]))
    return apply


def detach(t, x):
    return t.detached(x)


def absolute(t, x):
    v = t.apart(x)
    return t.apply(x, abs(v), math.copysign(1.0, v), 0.0)


def power(t, x, y):
    t.apart(x, positive=True)
    return t.exp(t.mul(y, t.log(x)))


def passed(t, x):
    return t.apply(x, t.value[x], 1.0, 0.0)


def larger(t, x, y):
    t.apart(x, y)
    return passed(t, max((x, y), key=lambda number: t.value[number]))


def smaller(t, x, y):
    t.apart(x, y)
    return passed(t, min((x, y), key=lambda number: t.value[number]))


def prelu(t, x, slope):
    return passed(t, x) if t.apart(x) > 0 else t.mul(x, slope)


PREDICATES = {"less": lambda a, b: a < b, "less_equal": lambda a, b: a <= b, "greater": lambda a, b: a > b,
              "greater_equal": lambda a, b: a >= b}


def compare(predicate):
    def function(t, x, y):
        t.apart(x, y)
        return t.constant(float(PREDICATES[predicate](t.value[x], t.value[y])))
    return function


def where(t, condition, x, y):
    if t.value[condition] not in (0.0, 1.0):
        raise Unsuitable
    return passed(t, x if t.value[condition] else y)


# alpha and beta of the functions that have them, apart from what elements are rounded to.
CLIP, LEAK, ELU, CELU, THRESHOLD = (-1.0371, 0.9371), 0.1, 1.5, 0.7, 0.7371
SELU = (1.6732632423543772, 1.0507009873554805)
HARDSIGMOID = (0.2, 0.5)
ZERO = line(0.0)

# Op: (function of the tape and a number, attributes).
FUNCTIONS = {
    "nn.exp": (lambda t, x: t.exp(x), {}),
    "nn.log": (lambda t, x: t.log(x), {}),
    "nn.sqrt": (lambda t, x: t.sqrt(x), {}),
    "nn.norm_root": (lambda t, x: t.sqrt(x), {}),
    "nn.reciprocal": (lambda t, x: t.reciprocal(x), {}),
    "nn.abs": (absolute, {}),
    "nn.erf": (smooth(math.erf, lambda v: 2 / math.sqrt(math.pi) * math.exp(-v * v),
                      lambda v: 4 / math.sqrt(math.pi) * v * math.exp(-v * v), 1.0), {}),
    "nn.sin": (smooth(math.sin, math.cos, math.sin, 1.0), {}),
    "nn.cos": (smooth(math.cos, lambda v: -math.sin(v), math.cos, 1.0), {}),
    "nn.clip": (pieces(CLIP, line(0.0, CLIP[0]), line(1.0), line(0.0, CLIP[1])), {"alpha": CLIP[0], "beta": CLIP[1]}),
    "nn.leaky_relu": (pieces([0.0], line(LEAK), line(1.0)), {"alpha": LEAK}),
    "nn.elu": (pieces([0.0], bent(ELU), line(1.0)), {"alpha": ELU}),
    "nn.selu": (pieces([0.0], bent(SELU[0] * SELU[1]), line(SELU[1])), {"alpha": SELU[0], "beta": SELU[1]}),
    "nn.celu": (pieces([0.0], bent(CELU, CELU), line(1.0)), {"alpha": CELU}),
    "nn.softplus": (smooth(softplus_of, sigmoid_of, lambda v: 0.25, 1.0), {}),
    "nn.log_sigmoid": (smooth(lambda v: -softplus_of(-v), lambda v: sigmoid_of(-v), lambda v: 0.25, 1.0), {}),
    "nn.softsign": (smooth(lambda v: v / (1 + abs(v)), lambda v: (1 + abs(v)) ** -2, lambda v: 2.0, 1.0), {}),
    "nn.mish": (smooth(lambda v: v * math.tanh(softplus_of(v)), mish_slope, lambda v: 1.0, 2.0), {}),
    "nn.hardswish": (pieces([-3.0, 3.0], ZERO, (lambda v: v * (v / 6 + 0.5), lambda v: v / 3 + 0.5, lambda v: 1 / 3),
                            line(1.0)), {}),
    "nn.hardsigmoid": (pieces([-HARDSIGMOID[1] / HARDSIGMOID[0], (1 - HARDSIGMOID[1]) / HARDSIGMOID[0]], ZERO,
                              line(*HARDSIGMOID), line(0.0, 1.0)),
                       {"alpha": HARDSIGMOID[0], "beta": HARDSIGMOID[1]}),
    "nn.thresholded_relu": (pieces([THRESHOLD], ZERO, line(1.0)), {"alpha": THRESHOLD}),
    "nn.sign": (stepped(lambda v: math.copysign(1.0, v), lambda v: 0.0), {}),
    "nn.floor": (stepped(math.floor, round), {}),
    "nn.ceil": (stepped(math.ceil, round), {}),
    "nn.round": (stepped(round, lambda v: math.floor(v) + 0.5), {}),
    "nn.detach": (detach, {}),
}

OF_TWO = {
    "nn.div": lambda t, x, y: t.mul(x, t.reciprocal(y)),
    "nn.pow": power,
    "nn.maximum": larger,
    "nn.minimum": smaller,
    "nn.prelu": prelu,
}


def product(t, members):
    result = members[0]
    for member in members[1:]:
        result = t.mul(result, member)
    return passed(t, result)


def chosen(pick):
    """The largest or smallest of several."""
    def join(t, members):
        best = pick(members, key=lambda number: t.value[number])
        for member in members:
            if member != best:
                t.apart(best, member)
        return passed(t, best)
    return join


def log_softmax(t, operands, attrs):
    shape, elements = operands[0]
    result = []
    for row in range(0, len(elements), shape[-1]):
        scores = elements[row:row + shape[-1]]
        largest = max(scores, key=lambda x: t.value[x])
        moved = [t.sub(x, largest) for x in scores]
        # The gradient is computed from the stored result.
        total = t.log(t.sum([t.stored(t.exp(x)) for x in moved]))
        result += [t.sub(x, total) for x in moved]
    return [(shape, result)]


def slice_places(starts, sizes, steps):
    for position in positions(sizes):
        yield [start + place * step for start, place, step in zip(starts, position, steps)]


def part(t, operands, attrs):
    (shape, elements), steps = operands[0], strides(operands[0][0])
    numbers = []
    for place in slice_places(attrs["starts"], attrs["sizes"], attrs["steps"]):
        if any(not 0 <= p < extent for p, extent in zip(place, shape)):
            raise Unsuitable
        numbers.append(elements[sum(p * step for p, step in zip(place, steps))])
    return [(attrs["sizes"], numbers)]


def place(t, operands, attrs):
    shape, steps = attrs["shape"], strides(attrs["shape"])
    result = [t.constant(attrs["value"]) for _ in range(math.prod(shape))]
    for at, element in zip(slice_places(attrs["starts"], operands[0][0], attrs["steps"]), operands[0][1]):
        if any(not 0 <= p < extent for p, extent in zip(at, shape)):
            raise Unsuitable
        result[sum(p * step for p, step in zip(at, steps))] = element
    return [(shape, result)]
