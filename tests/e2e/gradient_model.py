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


SCORES = "scores"


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
        elif isinstance(value, str):
            words.append('%s = "%s"' % (key, value))
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
    """`element` is the type of all floating values. Evaluation returns the scores, or, where it is not asked for, the
    training step leaves them in the buffer SCORES, which halves what is compiled."""

    def __init__(self, seed=1, element="f64", evaluated=True):
        self.random = random.Random(seed)
        self.element, self.evaluated = element, evaluated
        self.parameters = {}  # name: (shape, initial values, is it a buffer)
        self.targets = []     # (Value of class ids, values, classes)
        self.lines = []
        self.cases, self.scores = [], []

    def begin(self, label):
        self.cases.append(Case(label))

    def read(self, shape, values, buffer=False):
        """A parameter, or a buffer, with these values."""
        name = "p%d" % len(self.parameters)
        self.parameters[name] = (list(shape), array.array("d", values), buffer)
        value = Value("%" + name, shape, self.element)
        self.lines.append("%s = train.read @%s : %s" % (value.name, name, value.type))
        return value

    def trained(self, shape, scale=1.0):
        """A parameter of the case. Its elements are apart from each other and from 0 by far more than a step of the
        differences, so that no kink lies between, and spread over [-scale, scale]."""
        count = math.prod(shape)
        values = [scale * ((2 * i + 1.3) / count - 1) for i in range(count)] if count > 1 else [0.7 * scale]
        self.random.shuffle(values)
        value = self.read(shape, values)
        case = self.cases[-1]
        case.trained.append(value.name[1:])
        case.terms = max(case.terms, count)
        return value

    def fixed(self, shape, low=0.5, high=1.5):
        """A buffer with random elements of either sign, apart from 0."""
        count = math.prod(shape)
        signs = [self.random.choice((-1, 1)) for _ in range(count)]
        return self.read(shape, [sign * self.random.uniform(low, high) for sign in signs], buffer=True)

    def given(self, shape, values):
        """A buffer with these elements."""
        return self.read(shape, values, buffer=True)

    def ids(self, count, classes, values=None):
        """Class ids, as a target of the step: [1, count], reshaped to [count]. Random unless they are given."""
        target = Value("%%ids%d" % len(self.targets), [1, count], "i64")
        values = array.array("q", values or [self.random.randrange(classes) for _ in range(count)])
        self.targets.append((target, values, classes))
        return self.op("nn.reshape", [target], [[count]], attributes(shape=[count]), element="i64")[0]

    def op(self, name, operands, shapes, attrs="", element=None):
        """Appends an op; `shapes` are its results', or pairs of a shape and an element type (that of the model)."""
        pairs = [shape if isinstance(shape, tuple) else (shape, element or self.element) for shape in shapes]
        base = "%%v%d" % len(self.lines)
        results = [Value(base + ("#%d" % i if len(pairs) > 1 else ""), *pair) for i, pair in enumerate(pairs)]
        self.lines.append("%s = %s %s%s : (%s) -> (%s)" % (
            base + (":%d" % len(pairs) if len(pairs) > 1 else ""), name, ", ".join(v.name for v in operands), attrs,
            ", ".join(v.type for v in operands), ", ".join(v.type for v in results)))
        return results

    def score(self, results, weights=None):
        """Ends the case: its score is the weighted sum of `results`; the weights are random unless they are given."""
        total = None
        for i, result in enumerate(results):
            self.cases[-1].terms = max(self.cases[-1].terms, result.count)
            factors = self.read(result.shape, weights[i], buffer=True) if weights else self.fixed(result.shape)
            part = self.op("nn.mul", [result, factors], [result.shape])[0]
            if result.shape:
                part = self.op("nn.reduce_sum", [part], [[]], attributes(axes=list(range(len(result.shape)))))[0]
            total = self.op("nn.add", [total, part], [[]])[0] if total else part
        self.scores.append(total)

    def text(self):
        count = len(self.scores)
        scores = tensor([1, count], self.element)
        lines = [self._declaration(name, *parameter) for name, parameter in self.parameters.items()]
        body = SCALARS + "".join("    %s\n" % line for line in self.lines)
        loss = self._sum_of_scores()
        arguments = ["%%x: %s {train.name = \"x\"}" % scores]
        arguments += ['%s: %s {train.name = "%s", train.classes = %d : i64}'
                      % (value.name, value.type, value.name[1:], classes) for value, _, classes in self.targets]
        if not self.targets:
            arguments.append('%%y: %s {train.name = "y"}' % tensor([1, 1], self.element))
        head = "(%s) -> " % ", ".join(arguments)
        scalar = tensor([], self.element)
        lossType, outType = scalar + ' {train.name = "loss"}', scores + ' {train.name = "scores"}'
        joined = self._joined_scores()
        train, evaluation = body + loss, body + loss + joined
        if not self.evaluated:
            lines.append(self._declaration(SCORES, [1, count], None, True))
            train += joined + "    train.assign @%s, %%scores : %s\n" % (SCORES, scores)
            evaluation = "    %%scores = nn.relu %%x : (%s) -> %s\n" % (scores, scores)
            evaluation += "    %%loss = nn.reduce_sum %%x {axes = array<i64: 0, 1>} : (%s) -> %s\n" % (scores, scalar)
        lines.append("func.func @train_step%s(%s) {\n%s    return %%loss : %s\n  }" % (head, lossType, train, scalar))
        lines.append("func.func @eval_step%s(%s, %s) {\n%s    return %%loss, %%scores : %s, %s\n  }"
                     % (head, lossType, outType, evaluation, scalar, scores))
        lines.append("func.func @forward(%s) -> (%s) {\n    %%r = nn.relu %%x : (%s) -> %s\n    return %%r : %s\n  }"
                     % (arguments[0], outType, scores, scores, scores))
        return "module {\n  %s\n}\n" % "\n  ".join(lines)

    def _declaration(self, name, shape, _, buffer):
        init = '#train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>'
        return "train.param @%s : %s {%sinit = %s}" % (name, tensor(shape, self.element),
                                                       "buffer, " if buffer else "", init)

    def _sum_of_scores(self):
        scalar, last = tensor([], self.element), self.scores[0].name
        if len(self.scores) == 1:
            return "    %%loss = nn.reshape %s {shape = array<i64>} : (%s) -> %s\n" % (last, scalar, scalar)
        text = ""
        for i, score in enumerate(self.scores[1:], 1):
            name = "%loss" if i == len(self.scores) - 1 else "%%sum%d" % i
            text += "    %s = nn.add %s, %s : (%s, %s) -> %s\n" % (name, last, score.name, scalar, scalar, scalar)
            last = name
        return text

    def _joined_scores(self):
        text, names, one = "", [], tensor([1, 1], self.element)
        for i, score in enumerate(self.scores):
            names.append("%%score%d" % i)
            text += "    %s = nn.reshape %s {shape = array<i64: 1, 1>} : (%s) -> %s\n" % (
                names[-1], score.name, score.type, one)
        return text + "    %%scores = nn.concat %s {axis = 1 : i64} : (%s) -> %s\n" % (
            ", ".join(names), ", ".join([one] * len(names)), tensor([1, len(names)], self.element))
