#!/usr/bin/env python3
"""Random graphs of 2 to 30 ops: a training step's scores and gradients against a float64 interpretation.

usage: random_graphs.py HOST-COMPILE [--first SEED] [--count N] [--precision NAME]... [--failures FOLDER]

Each seed is a graph, compiled in each precision and judged by the bounds of tape.py. A graph that fails is reduced and
written to the folder of failures, with the command that runs it again.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from graphs import generate  # noqa: E402
from programs import PRECISIONS, Failure, Program, first_problem  # noqa: E402
from reduction import reduce  # noqa: E402
from table import TABLE  # noqa: E402

GRAPHS_OF_A_PROGRAM = 25
MOST_REPORTED = 10


def failing(graphs, precision, compiler, folder):
    """{number: problem} of a list of graphs. Graphs that do not compile together are tried one by one."""
    try:
        return Program(graphs, TABLE, precision).problems(compiler, folder)
    except (Failure, subprocess.TimeoutExpired):
        alone = {i: first_problem(graph, TABLE, precision, compiler, folder) for i, graph in enumerate(graphs)}
        return {i: problem for i, problem in alone.items() if problem} or {0: "they do not compile together"}


def report(graph, seed, precision, compiler, options, folder):
    """Reduces the graph and writes what is left of it."""
    found = reduce(graph, TABLE, lambda smaller: first_problem(smaller, TABLE, precision, compiler, folder))
    if found is None:
        print("  it does not fail by itself")
        return
    smallest, problem = found
    print("  reduced: %s\n    %s" % (problem, str(smallest).replace("\n", "\n    ")))
    if options.failures:
        kept = Path(options.failures) / ("seed-%d-%s" % (seed, precision))
        kept.mkdir(parents=True, exist_ok=True)
        first_problem(smallest, TABLE, precision, compiler, folder)
        model = kept / "model.mlir"
        shutil.copy(Path(folder) / ("graphs-%s.mlir" % precision), model)
        (kept / "graph.txt").write_text("%s\n%s\n%s\n" % (smallest, smallest.leaves, problem))
        print("  written: %s\n  compile it: %s '%s' %s %s" % (kept, compiler, PRECISIONS[precision][0], kept, model))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--precision", action="append", choices=list(PRECISIONS))
    parser.add_argument("--failures")
    options = parser.parse_args()
    seeds, problems = range(options.first, options.first + options.count), 0
    print("seeds %d to %d" % (seeds[0], seeds[-1]), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, len(seeds), GRAPHS_OF_A_PROGRAM):
            some = seeds[start:start + GRAPHS_OF_A_PROGRAM]
            graphs = [generate(seed, TABLE) for seed in some]
            for precision in options.precision or PRECISIONS:
                for number, problem in failing(graphs, precision, options.compiler, folder).items():
                    problems += 1
                    print("FAIL seed %d in %s: %s" % (some[number], precision, problem))
                    print("  again: %s %s --first %d --count 1 --precision %s"
                          % (sys.argv[0], options.compiler, some[number], precision), flush=True)
                    if problems <= MOST_REPORTED:
                        report(graphs[number], some[number], precision, options.compiler, options, folder)
    print("%d graphs, %d problems" % (len(seeds), problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
