#!/usr/bin/env python3
"""With --rounding eager, an element-wise op of a 16-bit model is the op of 32-true rounded once, bit for bit.

usage: eager_rounding.py HALFSTEP

Every 16-bit number goes through a chain of element-wise ops, which is one kernel in every mode. In f32 a library of the
same ops, each with an input and an output of its own, is asked op by op, and its answers are rounded in between.
"""

import array
import json
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import BF16, F16, Instance, round_to, widen  # noqa: E402
from tool import Tool  # noqa: E402

WIDTH = 64
BATCH = 65536 // WIDTH
# (op, attributes, does it take x too); the products keep the values from settling at the ends of tanh and sigmoid.
CHAIN = [("silu", {}, False), ("mul", {}, True), ("tanh", {}, False), ("add", {}, True), ("gelu", {}, False),
         ("mul", {"value": 0.7}, False), ("gelu", {"approximate": "tanh"}, False), ("add", {"value": 0.3}, False),
         ("sigmoid", {}, False), ("mul", {}, True), ("relu", {}, False)]


def node(index, first):
    op, attrs, with_x = CHAIN[index]
    return {"op": op, "name": "op%d" % index, "inputs": [first, "x"] if with_x else [first],
            "outputs": ["op%d" % index], "attrs": attrs}


def model(chained):
    """The chain with its end as the output, or each op with an input and an output of its own."""
    names = ["x"] + ([] if chained else ["in%d" % i for i in range(len(CHAIN))])
    before = ["x"] + ["op%d" % i for i in range(len(CHAIN))]
    nodes = [node(i, before[i] if chained else "in%d" % i) for i in range(len(CHAIN))]
    # There must be something to train; a product with 1 changes no bit.
    one = {"op": "parameter", "name": "one", "inputs": [], "outputs": ["one"],
           "attrs": {"shape": [WIDTH], "init": {"weight": {"kind": "constant", "value": 1.0}}}}
    same = {"op": "mul", "name": "same", "inputs": [nodes[0]["inputs"][0], "one"], "outputs": ["same"], "attrs": {}}
    nodes[0]["inputs"][0] = "same"
    nodes = [one, same, *nodes]
    return {"halfstep": 1, "inputs": {name: {"dtype": "f32", "shape": ["N", WIDTH]} for name in names}, "nodes": nodes,
            "outputs": before[-1:] if chained else before[1:]}


def compile_model(tool, work, name, *flags):
    path = work / (name + ".json")
    path.write_text(json.dumps(model(name != "32-true")))
    return tool.compile(path, work / name, "--loss", "mse", "--batch", BATCH, "--cpu-gemm", "generated", *flags)


def run_chain(library, x):
    """The bits of the chain's end."""
    result = array.array("H", [0]) * len(x)
    with Instance(library / "libmodel.so", "model") as instance:
        instance.forward([x], [result])
    return result


def run_ops(library, x, dtype):
    """The chain op by op in f32, each result rounded to the type."""
    value = x
    with Instance(library / "libmodel.so", "model") as instance:
        for index in range(len(CHAIN)):
            outputs = [array.array("f", [0.0]) * len(x) for _ in CHAIN]
            instance.forward([x] + [value] * len(CHAIN), outputs)
            value = widen(dtype, round_to(dtype, outputs[index]))
    return round_to(dtype, value)


def differences(dtype, found, expected):
    """How many numbers differ; all NaN are one."""
    pairs = zip(found, expected, widen(dtype, found), widen(dtype, expected))
    return sum(a != b and (x == x or y == y) for a, b, x, y in pairs)


def main():
    tool, problems = Tool(sys.argv[1]), []
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        single = compile_model(tool, work, "32-true")
        for dtype, mode in ((F16, "16-true"), (BF16, "bf16-true")):
            x = widen(dtype, array.array("H", range(65536)))
            expected = run_ops(single, x, dtype)
            wrong = {rounding: differences(dtype, run_chain(compile_model(
                tool, work, mode + rounding, "--precision", mode, "--rounding", rounding), x), expected)
                for rounding in ("eager", "fused")}
            print("%s: %s of 65536 numbers differ from the ops rounded one by one" % (mode, wrong))
            if wrong["eager"]:
                problems.append("%s: %d numbers differ in eager rounding" % (mode, wrong["eager"]))
            # Were nothing fused, eager and fused would be the same, and this test would show nothing.
            if not wrong["fused"]:
                problems.append("%s: fused rounding rounds each op too" % mode)
    for problem in problems:
        print("FAIL " + problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
