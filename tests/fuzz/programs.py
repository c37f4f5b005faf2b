"""Graphs as one training model: its text, its library, and the judgement of what a step of the library does."""

import _ctypes
import array
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from generated import Instance  # noqa: E402
from gradient_model import SCORES, Model, attributes  # noqa: E402
from graphs import evaluate  # noqa: E402
from tool import Failure, run  # noqa: E402

LOSS_SCALE = 256  # at most 256 * MOST_VALUE flows back in f16
# Precision: its spec, element type of the model, unit roundoffs of arithmetic and storage.
PRECISIONS = {
    "64-true": ("64-true", "f64", 2.0**-53, 2.0**-53),
    "32-true": ("32-true", "f32", 2.0**-24, 2.0**-24),
    "bf16-mixed": ("bf16-mixed", "f32", 2.0**-24, 2.0**-8),
    "16-mixed": ('{"precision": "16-mixed", "loss_scale": %d}' % LOSS_SCALE, "f32", 2.0**-24, 2.0**-11),
}
# The bounds are to first order in the roundoffs; what is left out is smaller by a factor of the roundoff.
HIGHER_ORDERS = 2


def add_graph(model, graph, table):
    """Appends the graph as a case of the model."""
    model.begin(graph.label)
    values = {value: model.read(shape, elements) for value, (shape, elements) in graph.leaves.items()}
    names = {value: read.name[1:] for value, read in values.items()}
    for node in graph.nodes:
        row = table[node.op]
        operands = [values[value] for value in node.operands]
        shapes = [operand.shape for operand in operands]
        results = [list(shape) for shape in graph.shapes[node.outputs[0]:node.outputs[-1] + 1]]
        attrs = {key: value for key, value in node.attrs.items() if key != "ids"}
        if "ids" in node.attrs:
            ids = node.attrs["ids"]
            operands.append(model.ids(len(ids), shapes[0][0], ids))
        operands += [model.read(shape, [1.0] * _count(shape), buffer=True) for shape in row.buffers(shapes)]
        extra = [(shape, element) if element else shape for shape, element in row.extra(shapes, node.attrs)]
        made = model.op(row.op, operands, [*results, *extra], attributes(**attrs))
        values.update(zip(node.outputs, made))
    model.score([values[value] for value in graph.weights], list(graph.weights.values()))
    return names


def _count(shape):
    count = 1
    for extent in shape:
        count *= extent
    return count


class Program:
    """Several graphs, compiled together in one precision."""

    def __init__(self, graphs, table, precision):
        self.graphs, self.precision = graphs, precision
        self.spec, self.element, self.arithmetic, self.storage = PRECISIONS[precision]
        self.model, self.names, self.expected = Model(element=self.element, evaluated=False), [], []
        for graph in graphs:
            evaluation, score, gradients = evaluate(graph, table)
            graph.shapes = [evaluation.tensors.get(value, ([], []))[0] for value in range(graph.count)]
            self.names.append(add_graph(self.model, graph, table))
            tape = evaluation.tape
            self.expected.append((tape.value[score], tape.error(score, self.arithmetic, self.storage), gradients))

    def problems(self, compiler, folder):
        """{number of the graph: what is wrong with it}. Throws Failure when it does not compile."""
        folder, found = Path(folder), {}
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / ("graphs-%s.mlir" % self.precision)
        source.write_text(self.model.text())
        run([compiler, self.spec, folder, source])
        with Instance(folder / source.stem / "libmodel.so", "model", seed=3) as instance:
            for number, problem in self._judge(instance):
                found.setdefault(number, problem)
        _ctypes.dlclose(instance.library._handle)  # the next program has the same path
        return found

    def _judge(self, instance):
        code = "d" if self.element == "f64" else "f"
        for name, (_, values, _) in self.model.parameters.items():
            instance.set_rounded(name, values)
        x = [array.array(code, [0.0] * len(self.graphs))]
        targets = [values for _, values, _ in self.model.targets] or [array.array(code, [0.0])]
        result = instance.train_step(x, targets)
        if result.skipped:
            yield 0, "the step was skipped: a gradient is not finite"
            return
        scores = instance.get(SCORES)
        for number, (exact, allowed, _) in enumerate(self.expected):
            if not abs(scores[number] - exact) <= HIGHER_ORDERS * allowed:
                yield number, "score %.9g, exact %.9g (+- %.2g)" % (scores[number], exact, HIGHER_ORDERS * allowed)
        for number, (_, _, gradients) in enumerate(self.expected):
            problem = self._wrong_gradient(instance, number, gradients)
            if problem:
                yield number, problem

    def _wrong_gradient(self, instance, number, gradients):
        for value, elements in gradients.items():
            name = self.names[number][value]
            before, after = self.model.parameters[name][1], instance.get(name)
            for i, (exact, arithmetic, storage) in enumerate(elements):
                got = before[i] - after[i]
                # The update itself is two operations on weight and gradient.
                update = 2 * self.arithmetic * (abs(before[i]) + abs(exact))
                allowed = HIGHER_ORDERS * (arithmetic * self.arithmetic + storage * self.storage) + update
                if not abs(got - exact) <= allowed:
                    return "gradient of parameter %d, element %d: %.9g, exact %.9g (+- %.2g)" % (
                        value, i, got, exact, allowed)
        return None


def first_problem(graph, table, precision, compiler, folder):
    """What is wrong with the graph by itself, or None; a failure to compile is a problem too."""
    try:
        return Program([graph], table, precision).problems(compiler, folder).get(0)
    except (Failure, subprocess.TimeoutExpired) as failure:
        return str(failure)
