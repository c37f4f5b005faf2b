"""Gradient cases of losses."""

import math

from gradient_model import attributes
from gradient_shapes import SHAPES

# rows, classes
SIZES = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 5), (5, 3), (1, 10), (8, 10), (4, 7), (7, 4), (16, 3), (3, 16), (1, 64),
         (33, 2), (2, 33), (17, 5), (9, 9), (6, 6), (12, 4), (5, 13)]


def class_weights(model, classes):
    values = ", ".join("%r" % (0.25 + 0.5 * (i * 7 % 5)) for i in range(classes))
    return model.op("nn.constant", [], [[classes]], " {value = dense<[%s]> : tensor<%dxf64>}" % (values, classes))[0]


def ignored(model, classes):
    """An id of some rows, but not of the first: what is left over nothing has no mean."""
    first = model.targets[-1][1][0]
    return (first + 1) % classes if classes > 1 else None


def on_ids(op, results, **attrs):
    """A loss of ids: plain, with a class that is ignored, with weights, and with both."""
    def build(model, rows, classes, skip, weighted):
        scores, ids = model.trained([rows, classes], 2.0), model.ids(rows, classes)
        operands = [scores, ids] + ([class_weights(model, classes)] if weighted else [])
        # A sum of numbers of size t is rounded as one of t^2 numbers of size 1.
        model.cases[-1].terms *= (2 * 2.0 + math.log(classes + 1)) ** 2
        return model.op(op, operands, [[rows]] * results,
                        attributes(ignore_index=ignored(model, classes) if skip else None, **attrs))[:1]
    return build, [(*size, i % 2 == 1, i % 4 > 1) for i, size in enumerate(SIZES)]


def soft(smoothing):
    def build(model, rows, classes, weighted):
        operands = [model.trained([rows, classes], 2.0), model.fixed([rows, classes], 0.0, 1.0)]
        operands += [class_weights(model, classes)] if weighted else []
        model.cases[-1].terms *= (2 * 2.0 + math.log(classes + 1)) ** 2
        return model.op("nn.soft_cross_entropy", operands, [[rows], [rows]],
                        attributes(label_smoothing=smoothing))[:1]
    return build, [(*size, i % 2 == 1) for i, size in enumerate(SIZES)]


def class_mean():
    def build(model, rows, classes, skip, weighted):
        values, ids = model.trained([rows], 2.0), model.ids(rows, classes)
        operands = [values, ids] + ([class_weights(model, classes)] if weighted else [])
        return model.op("nn.class_mean", operands, [[], [], []],
                        attributes(ignore_index=ignored(model, classes) if skip else None))[:1]
    return build, [(*size, i % 2 == 1, i % 4 > 1) for i, size in enumerate(SIZES)]


def of_difference(op, **attrs):
    def build(model, shape):
        return model.op(op, [model.trained(shape, 2.5), model.trained(shape, 0.31)], [shape], attributes(**attrs))
    return build, [(shape,) for shape in SHAPES]


def bce():
    def build(model, shape):
        p = model.op("nn.sigmoid", [model.trained(shape, 2.0)], [shape])[0]
        return model.op("nn.bce", [p, model.fixed(shape, 0.0, 1.0)], [shape])
    return build, [(shape,) for shape in SHAPES]


def bce_with_logits(weighted):
    def build(model, shape):
        operands = [model.trained(shape, 4.0), model.fixed(shape, 0.0, 1.0)]
        if weighted:
            operands.append(class_weights(model, shape[-1]) if shape else model.fixed([], 0.5, 1.5))
        model.cases[-1].terms = max(1, math.prod(shape)) * 25
        return model.op("nn.bce_with_logits", operands, [shape])
    return build, [(shape,) for shape in SHAPES]


LOSS_GROUPS = {
    "losses-of-classes": [on_ids("nn.cross_entropy", 2, label_smoothing=0.0),
                          on_ids("nn.cross_entropy", 2, label_smoothing=0.3), soft(0.0), soft(0.2),
                          on_ids("nn.nll", 1), class_mean()],
    "losses-of-numbers": [of_difference("nn.absolute_error"), of_difference("nn.huber_error", delta=0.7371),
                          of_difference("nn.smooth_l1_error", beta=0.7371), bce(), bce_with_logits(False),
                          bce_with_logits(True)],
}
