"""Random graphs over the table of ops, and what they compute."""

import math
import random

from tape import Tape, Unsuitable

MOST_ELEMENTS = 48   # of a tensor
MOST_VALUE = 64.0    # of a number or a gradient: no sum of such leaves the range of f16
MOST_NUMBERS = 12000  # on the tape of one graph


class Node:
    def __init__(self, op, operands, attrs, outputs):
        self.op, self.operands, self.attrs, self.outputs = op, operands, attrs, outputs

    def __repr__(self):
        shown = "".join(", %s=%s" % item for item in self.attrs.items() if item[1] is not None)
        return "%s = %s(%s%s)" % (self.outputs, self.op, ", ".join(map(str, self.operands)), shown)


class Graph:
    """Leaves are trained parameters. Each sink is scored: the sum of its elements, each times its weight."""

    def __init__(self, label):
        self.label = label
        self.leaves = {}   # value: (shape, elements)
        self.nodes = []
        self.weights = {}  # sink: weights of its elements
        self.count = 0     # of values

    def new_value(self):
        self.count += 1
        return self.count - 1

    def unused(self):
        used = {value for node in self.nodes for value in node.operands}
        return [value for node in self.nodes for value in node.outputs if value not in used]

    def __str__(self):
        lines = ["%d: parameter %s" % (value, shape) for value, (shape, _) in self.leaves.items()]
        return "\n".join([*lines, *map(str, self.nodes), "scored: %s" % list(self.weights)])


class Evaluation:
    """A graph's values on a tape, computed as they are added."""

    def __init__(self, table):
        self.table, self.tape, self.tensors = table, Tape(), {}

    def add_leaf(self, value, shape, elements):
        self.tensors[value] = (list(shape), [self.tape.constant(element) for element in elements])

    def add_node(self, node):
        """Throws Unsuitable, and leaves all as it was, where the node cannot be judged."""
        before = len(self.tape)
        try:
            self._add(node)
        except (Unsuitable, OverflowError, ZeroDivisionError, ValueError) as error:
            self.tape.truncate(before)
            raise Unsuitable from error

    def _add(self, node):
        tape, before = self.tape, len(self.tape)
        operands = [(shape, [tape.stored(x) for x in elements])
                    for shape, elements in (self.tensors[value] for value in node.operands)]
        results = self.table[node.op].formula(tape, operands, node.attrs)
        for shape, elements in results:
            if len(elements) > MOST_ELEMENTS or len(elements) == 0:
                raise Unsuitable
        if len(tape) > MOST_NUMBERS or not all(abs(v) <= MOST_VALUE for v in tape.value[before:]):
            raise Unsuitable
        # A bound beyond the numbers themselves judges nothing.
        for _, elements in results:
            if any(tape.storage[x] > 64 * (1 + abs(tape.value[x])) for x in elements):
                raise Unsuitable
        self.tensors.update(zip(node.outputs, results))

    def shape(self, value):
        return list(self.tensors[value][0])

    def score(self, weights):
        tape, parts = self.tape, []
        for value, factors in weights.items():
            elements = self.tensors[value][1]
            if len(elements) != len(factors):
                raise Unsuitable
            terms = [tape.mul(tape.stored(x), tape.constant(w)) for x, w in zip(elements, factors)]
            parts.append(tape.sum(terms))
        return tape.sum(parts)


def evaluate(graph, table):
    """(Evaluation, score, {leaf: [(gradient, errors), ...]}). Throws Unsuitable."""
    evaluation = Evaluation(table)
    for value, (shape, elements) in graph.leaves.items():
        evaluation.add_leaf(value, shape, elements)
    for node in graph.nodes:
        evaluation.add_node(node)
    score = evaluation.score(graph.weights)
    numbers = {value: evaluation.tensors[value][1] for value in graph.leaves}
    found, largest = evaluation.tape.gradients(score, [x for elements in numbers.values() for x in elements])
    if largest > MOST_VALUE:
        raise Unsuitable
    return evaluation, score, {value: [found[x] for x in elements] for value, elements in numbers.items()}


class Chooser:
    """What the rows of the table draw from."""

    def __init__(self, seed_random, graph, evaluation):
        self.random, self.graph, self.evaluation = seed_random, graph, evaluation

    def extent(self):
        return self.random.choice((1, 1, 2, 2, 3, 3, 4, 5, 7))

    def shape(self, rank):
        while True:
            shape = [self.extent() for _ in range(rank)]
            if math.prod(shape) <= MOST_ELEMENTS:
                return shape

    def some(self, *choices):
        return self.random.choice(choices)

    def parameter(self, shape, low=-1.5, high=1.5):
        """A new leaf. Its elements are multiples of 1/64, which every type holds, and not 0."""
        if math.prod(shape) > MOST_ELEMENTS:
            raise Unsuitable
        elements = []
        for _ in range(math.prod(shape)):
            element = 0
            while element == 0:
                element = round(self.random.uniform(low, high) * 64) / 64
            elements.append(element)
        value = self.graph.new_value()
        self.graph.leaves[value] = (list(shape), elements)
        self.evaluation.add_leaf(value, shape, elements)
        return value

    def existing(self, fits):
        """A value whose shape fits, most likely a late one; None where there is none."""
        values = [value for value in self.evaluation.tensors if fits(self.evaluation.shape(value))]
        if not values:
            return None
        return values[min(int(len(values) * self.random.random() ** 0.5), len(values) - 1)]

    def operand(self, ranks=range(0, 5), fits=lambda shape: True):
        """(value, shape): an existing value, or now and then a new parameter."""
        value = None
        if self.random.random() < 0.9:
            value = self.existing(lambda shape: len(shape) in ranks and fits(shape))
        while value is None:
            shape = self.shape(self.random.choice(list(ranks)))
            if fits(shape):
                value = self.parameter(shape)
        return value, self.evaluation.shape(value)

    def like(self, shape, fresh=0.5):
        """A value of this shape."""
        value = None if self.random.random() < fresh else self.existing(lambda own: own == list(shape))
        return self.parameter(shape) if value is None else value


def generate(seed, table):
    """The graph of a seed: 2 to 30 ops. Ops that have no derivative where they stand are drawn again."""
    for attempt in range(20):
        source = random.Random(seed * 1000 + attempt)
        graph = Graph("seed %d" % seed)
        evaluation = Evaluation(table)
        chooser = Chooser(source, graph, evaluation)
        wanted, rows = round(2 * 15 ** source.random()), sorted(table)  # as many of 2 to 4 as of 15 to 30
        for _ in range(4 * wanted):
            if len(graph.nodes) < wanted:
                add_random_node(chooser, table[source.choice(rows)])
        prune(graph)
        if len(graph.nodes) < 2:
            continue
        for value in graph.unused():
            count = len(evaluation.tensors[value][1])
            graph.weights[value] = [source.choice((-1, 1)) * source.randint(32, 96) / 64 for _ in range(count)]
        try:
            evaluate(graph, table)
            return graph
        except Unsuitable:
            continue
    raise AssertionError("no graph of seed %d" % seed)


def add_random_node(chooser, row):
    graph, evaluation = chooser.graph, chooser.evaluation
    leaves, count = dict(graph.leaves), graph.count
    try:
        operands, attrs, results = row.choose(chooser)
        node = Node(row.name, operands, attrs, [graph.new_value() for _ in range(results)])
        evaluation.add_node(node)
        graph.nodes.append(node)
    except Unsuitable:
        for value in set(graph.leaves) - set(leaves):
            evaluation.tensors.pop(value)
        graph.leaves, graph.count = leaves, count


def prune(graph, keep=None):
    """Drops what no sink needs; `keep`: the sinks, else all that is unused."""
    wanted = set(graph.unused() if keep is None else keep)
    nodes = []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs):
            nodes.append(node)
            wanted |= set(node.operands)
    graph.nodes = nodes[::-1]
    graph.leaves = {value: leaf for value, leaf in graph.leaves.items() if value in wanted}
    return graph
