"""Makes a failing graph small: fewer ops, fewer scored values, smaller extents, as long as it fails."""

import copy

from graphs import evaluate, prune
from tape import Unsuitable

SHAPE_ATTRS = ("shape", "size", "sizes")


def with_sinks(graph, sinks):
    """The graph with only these values scored, each element by 1, and nothing else."""
    smaller = copy.deepcopy(graph)
    smaller.weights = {value: graph.weights.get(value) or [1.0] * _count(graph.shapes[value]) for value in sinks}
    return prune(smaller, keep=sinks)


def _count(shape):
    count = 1
    for extent in shape:
        count *= extent
    return count


def without_inputs(graph, node, evaluation):
    """The graph with the results of `node` as parameters in its place."""
    smaller = copy.deepcopy(graph)
    smaller.nodes = [other for other in smaller.nodes if other.outputs != node.outputs]
    tape = evaluation.tape
    for value in node.outputs:
        shape, elements = evaluation.tensors[value]
        # As exact as other parameters.
        smaller.leaves[value] = (list(shape), [round(tape.value[x] * 64) / 64 or 1 / 64 for x in elements])
    return prune(smaller, keep=list(smaller.weights))


def with_extent(graph, old, new):
    """The graph with all extents of `old` made `new`."""
    smaller = copy.deepcopy(graph)
    swap = lambda extents: [new if extent == old else extent for extent in extents]  # noqa: E731
    smaller.leaves = {value: (swap(shape), elements[:_count(swap(shape))])
                      for value, (shape, elements) in smaller.leaves.items()}
    for node in smaller.nodes:
        node.attrs.update({key: swap(node.attrs[key]) for key in SHAPE_ATTRS if key in node.attrs})
        if "ids" in node.attrs:
            node.attrs["ids"] = [row % new for row in node.attrs["ids"]]
    smaller.weights = {value: weights[:_count(swap(graph.shapes[value]))] for value, weights in smaller.weights.items()}
    return smaller


def candidates(graph, evaluation):
    """Smaller graphs, the boldest first."""
    for node in graph.nodes:  # an early node scored alone leaves the least
        for value in node.outputs:
            if [value] != list(graph.weights):
                yield with_sinks(graph, [value])
    for value in graph.weights if len(graph.weights) > 1 else ():
        yield with_sinks(graph, [other for other in graph.weights if other != value])
    for node in reversed(graph.nodes):
        yield without_inputs(graph, node, evaluation)
    extents = sorted({extent for shape, _ in graph.leaves.values() for extent in shape if extent > 1}, reverse=True)
    for old in extents:
        for new in sorted({1, 2, old // 2, old - 1}):
            if 0 < new < old:
                yield with_extent(graph, old, new)


def reduce(graph, table, problem_of, attempts=80):
    """(smallest graph found, its problem). `problem_of(graph)` compiles it and says what is wrong, or None."""
    problem = problem_of(graph)
    if problem is None:
        return None
    progress = True
    while progress and attempts > 0:
        progress = False
        evaluation = evaluate(graph, table)[0]
        for smaller in candidates(graph, evaluation):
            if attempts == 0 or not smaller.nodes:
                break
            try:
                evaluate(smaller, table)
            except (Unsuitable, IndexError, KeyError):
                continue
            attempts -= 1
            found = problem_of(smaller)
            if found is not None:
                graph, problem, progress = smaller, found, True
                break
    return graph, problem
