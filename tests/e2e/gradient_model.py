"""Writes MLIR models in which many small cases of one op are differentiated at once.

A case applies an op to parameters of its own and is scored by one number: the sum of its results, each element times a
fixed weight. The loss is the sum of all scores, so the gradient of a case's parameters is that of its score alone, and
the evaluation step returns all scores side by side: one evaluation serves all cases.
"""

import array
import math
import random

# Of nn.dropout's mask: evaluation has it too, so that it sees the masks that the next training step will use.
SCALARS = '    %seed = train.scalar "seed" : tensor<i64>\n    %step = train.scalar "step" : tensor<i64>\n'


def tensor(shape, element="f64"):
    return "tensor<%s>" % "x".join([*map(str, shape), element])


def integers(values):
    """An attribute of MLIR's dense integer arrays."""
    return "array<i64%s>" % (": " + ", ".join(map(str, values)) if values else "")


def floats(values):
    return "array<f64: %s>" % ", ".join("%.17e" % value for value in values)


def attributes(**values):
    """{key = value}: lists become arrays, True a unit attribute; False and None are left out."""
    words = []
    for key, value in values.items():
        if value is True:
            words.append(key)
        elif isinstance(value, (list, tuple)):
            words.append("%s = %s" % (key, floats(value) if value and isinstance(value[0], float) else integers(value)))
        elif isinstance(value, float):
            words.append("%s = %r : f64" % (key, value))
        elif value is not None and value is not False:
            words.append("%s = %d : i64" % (key, value))
    return " {%s}" % ", ".join(words) if words else ""


class Value:
    def __init__(self, name, shape, element="f64"):
        self.name, self.shape, self.element = name, list(shape), element
        self.count = math.prod(shape)

    @property
    def type(self):
        return tensor(self.shape, self.element)


class Case:
    """One score: the trained parameters it depends on, and the length of its longest sum."""

    def __init__(self, label):
        self.label, self.trained, self.terms = label, [], 1


class Model:
    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.parameters = {}  # name: (shape, initial values, is it a buffer)
        self.targets = []     # (Value of class ids, values, classes)
        self.lines = []
        self.cases, self.scores = [], []

    def begin(self, label):
        self.cases.append(Case(label))

    def _read(self, shape, values, buffer):
        name = "p%d" % len(self.parameters)
        self.parameters[name] = (list(shape), array.array("d", values), buffer)
        value = Value("%" + name, shape)
        self.lines.append("%s = train.read @%s : %s" % (value.name, name, value.type))
        return value

    def trained(self, shape, scale=1.0):
        """A parameter of the case. Its elements are apart from each other and from 0 by far more than a step of the
        differences, so that no kink lies between, and spread over [-scale, scale]."""
        count = math.prod(shape)
        values = [scale * ((2 * i + 1.3) / count - 1) for i in range(count)] if count > 1 else [0.7 * scale]
        self.random.shuffle(values)
        value = self._read(shape, values, False)
        case = self.cases[-1]
        case.trained.append(value.name[1:])
        case.terms = max(case.terms, count)
        return value

    def fixed(self, shape, low=0.5, high=1.5):
        """A buffer with random elements of either sign, apart from 0."""
        count = math.prod(shape)
        signs = [self.random.choice((-1, 1)) for _ in range(count)]
        return self._read(shape, [sign * self.random.uniform(low, high) for sign in signs], True)

    def given(self, shape, values):
        """A buffer with these elements."""
        return self._read(shape, values, True)

    def ids(self, count, classes, values=None):
        """Class ids, as a target of the step: [1, count], reshaped to [count]."""
        target = Value("%%ids%d" % len(self.targets), [1, count], "i64")
        values = array.array("q", values or [self.random.randrange(classes) for _ in range(count)])
        self.targets.append((target, values, classes))
        return self.op("nn.reshape", [target], [[count]], attributes(shape=[count]), element="i64")[0]

    def op(self, name, operands, shapes, attrs="", element="f64"):
        """Appends an op; `shapes` are its results', or pairs of a shape and an element type."""
        pairs = [shape if isinstance(shape, tuple) else (shape, element) for shape in shapes]
        base = "%%v%d" % len(self.lines)
        results = [Value(base + ("#%d" % i if len(pairs) > 1 else ""), *pair) for i, pair in enumerate(pairs)]
        self.lines.append("%s = %s %s%s : (%s) -> (%s)" % (
            base + (":%d" % len(pairs) if len(pairs) > 1 else ""), name, ", ".join(v.name for v in operands), attrs,
            ", ".join(v.type for v in operands), ", ".join(v.type for v in results)))
        return results

    def score(self, results):
        """Ends the case: its score is the weighted sum of `results`."""
        total = None
        for result in results:
            self.cases[-1].terms = max(self.cases[-1].terms, result.count)
            part = self.op("nn.mul", [result, self.fixed(result.shape)], [result.shape])[0]
            if result.shape:
                part = self.op("nn.reduce_sum", [part], [[]], attributes(axes=list(range(len(result.shape)))))[0]
            total = self.op("nn.add", [total, part], [[]])[0] if total else part
        self.scores.append(total)

    def text(self):
        count = len(self.scores)
        scores = tensor([1, count])
        lines = [self._declaration(name, *parameter) for name, parameter in self.parameters.items()]
        body = SCALARS + "".join("    %s\n" % line for line in self.lines)
        loss = self._sum_of_scores()
        arguments = ["%%x: %s {train.name = \"x\"}" % scores]
        arguments += ['%s: %s {train.name = "%s", train.classes = %d : i64}'
                      % (value.name, value.type, value.name[1:], classes) for value, _, classes in self.targets]
        if not self.targets:
            arguments.append('%%y: %s {train.name = "y"}' % tensor([1, 1]))
        head = "(%s) -> " % ", ".join(arguments)
        lossType, outType = 'tensor<f64> {train.name = "loss"}', '%s {train.name = "scores"}' % scores
        lines.append("func.func @train_step%s(%s) {\n%s%s    return %%loss : tensor<f64>\n  }"
                     % (head, lossType, body, loss))
        lines.append("func.func @eval_step%s(%s, %s) {\n%s%s%s    return %%loss, %%scores : tensor<f64>, %s\n  }"
                     % (head, lossType, outType, body, loss, self._joined_scores(), scores))
        lines.append("func.func @forward(%s) -> (%s) {\n    %%r = nn.relu %%x : (%s) -> %s\n    return %%r : %s\n  }"
                     % (arguments[0], outType, scores, scores, scores))
        return "module {\n  %s\n}\n" % "\n  ".join(lines)

    @staticmethod
    def _declaration(name, shape, _, buffer):
        init = '#train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>'
        return "train.param @%s : %s {%sinit = %s}" % (name, tensor(shape), "buffer, " if buffer else "", init)

    def _sum_of_scores(self):
        text, last = "", self.scores[0].name
        for i, score in enumerate(self.scores[1:], 1):
            name = "%loss" if i == len(self.scores) - 1 else "%%sum%d" % i
            text += "    %s = nn.add %s, %s : (tensor<f64>, tensor<f64>) -> tensor<f64>\n" % (name, last, score.name)
            last = name
        return text

    def _joined_scores(self):
        text, names = "", []
        for i, score in enumerate(self.scores):
            names.append("%%score%d" % i)
            text += "    %s = nn.reshape %s {shape = array<i64: 1, 1>} : (tensor<f64>) -> tensor<1x1xf64>\n" % (
                names[-1], score.name)
        types = ", ".join([tensor([1, 1])] * len(names))
        return text + "    %%scores = nn.concat %s {axis = 1 : i64} : (%s) -> %s\n" % (
            ", ".join(names), types, tensor([1, len(names)]))
