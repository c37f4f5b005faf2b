"""Gradient cases of functions, choices, reductions and parts of tensors."""

import math

from gradient_model import attributes
from gradient_shapes import PAIRS, SHAPES, broadcast_shape, reduction


def constant(model, values, shape=()):
    text = ", ".join("%r" % float(value) for value in values)
    kind = "x".join([*map(str, shape), "f64"])
    return model.op("nn.constant", [], [list(shape)],
                    " {value = dense<%s> : tensor<%s>}" % ("[%s]" % text if shape else text, kind))[0]


def positive(model, shape, least=0.5, scale=2.0):
    """Trained numbers from `least` on: away from poles."""
    size = model.op("nn.abs", [model.trained(shape, scale)], [shape])[0]
    return model.op("nn.add", [size, constant(model, [least])], [shape])[0]


def function(op, scale=2.5, **attrs):
    """A function of one number that is smooth, or has kinks where no value of the scale lies."""
    def build(model, shape):
        return model.op(op, [model.trained(shape, scale)], [shape], attributes(**attrs))
    return build, [(shape,) for shape in SHAPES]


def function_above(op):
    """A function of positive numbers."""
    def build(model, shape):
        return model.op(op, [positive(model, shape)], [shape])
    return build, [(shape,) for shape in SHAPES]


def step(op):
    """A function without a gradient, beside a path that has one."""
    def build(model, shape):
        x = model.trained(shape, 2.5)
        return model.op("nn.mul", [x, model.op(op, [x], [shape])[0]], [shape]) if op != "nn.detach" else \
            model.op("nn.mul", [model.op(op, [model.fixed(shape)], [shape])[0], x], [shape])
    return build, [(shape,) for shape in SHAPES]


def of_two(op, left_above=False, right_above=False):
    def build(model, left, right):
        operands = [(positive if above else type(model).trained)(model, shape)
                    for above, shape in ((left_above, left), (right_above, right))]
        return model.op(op, operands, [broadcast_shape(left, right)])
    return build, PAIRS


def chosen(op):
    """The larger or smaller: equal operands share the gradient."""
    def build(model, left, right):
        moved = model.op("nn.add", [model.trained(right), constant(model, [0.0171])], [right])[0]
        operands = [model.trained(left), moved]
        if left == right == [5]:
            operands[1] = operands[0]
        return model.op(op, operands, [broadcast_shape(left, right)])
    return build, PAIRS


def constant_power():
    def build(model, shape, exponent):
        base = model.trained(shape, 1.5) if exponent == int(exponent) > 0 else positive(model, shape)
        return model.op("nn.pow", [base, constant(model, [exponent])], [shape])
    exponents = [2, 3, 0.5, -1, 2.5, 1, -0.5, -2, 7, 0.3, 0]
    return build, [(shape, exponents[i % len(exponents)]) for i, shape in enumerate(SHAPES)]


def where():
    def build(model, left, right):
        shape = broadcast_shape(left, right)
        fixed = model.fixed(shape)
        condition = model.op("nn.compare", [model.trained(shape, 0.4), fixed], [shape],
                             ' {predicate = "%s"}' % ("less", "greater_equal")[len(model.cases) % 2])[0]
        return model.op("nn.where", [condition, model.trained(left), model.trained(right)], [shape])
    return build, PAIRS


def product_with_zeros():
    """One zero, two zeros, and none in what is multiplied."""
    def build(model, rows):
        shape = [rows, 3]
        factors = [[0, 1, 2], [0, 0, 1.5], [1, -1, 0.5]]
        mask = constant(model, factors[rows % 3], [3])
        x = model.op("nn.mul", [model.trained(shape), mask], [shape])[0]
        return model.op("nn.reduce_prod", [x], [[rows]], attributes(axes=[1]))
    return build, [(rows,) for rows in range(1, 21)]


# shape, starts, sizes, steps
PARTS = [([1], [0], [1], [1]), ([5], [0], [5], [1]), ([5], [1], [3], [1]), ([5], [4], [5], [-1]),
         ([7], [1], [3], [2]), ([7], [6], [3], [-3]), ([64], [3], [20], [3]), ([3, 4], [0, 0], [3, 4], [1, 1]),
         ([3, 4], [1, 0], [2, 4], [1, 1]), ([3, 4], [0, 1], [3, 2], [1, 2]), ([3, 4], [2, 3], [3, 4], [-1, -1]),
         ([3, 4], [2, 1], [1, 2], [1, 1]), ([1, 5], [0, 4], [1, 2], [1, -4]), ([5, 1], [0, 0], [3, 1], [2, 1]),
         ([2, 3, 4], [0, 0, 1], [2, 3, 2], [1, 1, 1]), ([2, 3, 4], [0, 1, 0], [2, 2, 4], [1, 1, 1]),
         ([2, 3, 4], [1, 0, 0], [1, 3, 4], [1, 1, 1]), ([2, 3, 4], [1, 2, 3], [2, 2, 2], [-1, -2, -3]),
         ([2, 3, 2, 5], [0, 0, 0, 1], [2, 3, 2, 3], [1, 1, 1, 1]),
         ([2, 3, 2, 5], [0, 0, 1, 4], [2, 3, 1, 5], [1, 1, 1, -1]), ([8, 17], [7, 2], [4, 5], [-2, 3])]


def part():
    def build(model, shape, starts, sizes, steps):
        return model.op("nn.slice", [model.trained(shape)], [sizes],
                        attributes(starts=starts, sizes=sizes, steps=steps))
    return build, PARTS


def place():
    def build(model, shape, starts, sizes, steps):
        return model.op("nn.place", [model.trained(sizes)], [shape],
                        attributes(shape=shape, starts=starts, steps=steps, value=0.25))
    return build, PARTS


def fixed_lookup():
    """Rows of a table by numbers that the model fixes, some of them twice."""
    def build(model, count, rows, columns):
        ids = [model.random.randrange(rows) for _ in range(count)]
        operand = model.op("nn.constant", [], [[count]], " {value = dense<[%s]> : tensor<%dxi64>}"
                           % (", ".join(map(str, ids)), count), element="i64")[0]
        return model.op("nn.embedding", [model.trained([rows, columns]), operand], [[count, columns]])
    return build, [(1 + i, 1 + i * 5 % 7, 1 + i * 3 % 5) for i in range(20)]


def log_softmax():
    def build(model, shape):
        result = model.op("nn.log_softmax", [model.trained(shape, 2.0)], [shape])
        # A sum of n numbers of size t is rounded as one of n t^2 numbers of size 1.
        size = 2 * 2.0 + math.log(shape[-1])
        model.cases[-1].terms = math.prod(shape) * size**2
        return result
    return build, [(shape,) for shape in SHAPES if shape] + [([4, 33],)]


GENERAL_GROUPS = {
    "functions": [function_above("nn.log"), function_above("nn.sqrt"), function_above("nn.norm_root"),
                  function_above("nn.reciprocal"), function("nn.exp"), function("nn.abs"), function("nn.erf"),
                  function("nn.sin", 9.0), function("nn.cos", 9.0)],
    "activations": [function("nn.clip", alpha=-1.0371, beta=0.9371), function("nn.leaky_relu", alpha=0.1),
                    function("nn.elu", alpha=1.5),
                    function("nn.selu", alpha=1.6732632423543772, beta=1.0507009873554805),
                    function("nn.celu", alpha=0.7), function("nn.softplus", 6.0), function("nn.log_sigmoid", 6.0),
                    function("nn.softsign"), function("nn.mish", 6.0), function("nn.hardswish", 5.0),
                    function("nn.hardsigmoid", 5.0, alpha=0.2, beta=0.5),
                    function("nn.thresholded_relu", alpha=0.7371)],
    "steps": [step("nn.sign"), step("nn.floor"), step("nn.ceil"), step("nn.round"), step("nn.detach")],
    "functions-of-two": [of_two("nn.div", right_above=True), of_two("nn.pow", left_above=True), constant_power(),
                         chosen("nn.maximum"), chosen("nn.minimum"), of_two("nn.prelu"), where()],
    "reductions-general": [reduction("nn.reduce_max"), reduction("nn.reduce_min"), reduction("nn.reduce_prod"),
                           product_with_zeros(), log_softmax()],
    "parts": [part(), place(), fixed_lookup()],
}
