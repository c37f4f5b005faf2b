#!/usr/bin/env python3
"""Each op's gradient rule against central differences in float64, on at least twenty shapes an op.

usage: gradients.py HALFSTEP GROUP...    (names of gradient_cases.GROUPS)

A training step of SGD with learning rate 1 leaves the weights less their gradients; the differences come from the
evaluation step, which in these models runs the same ops. Tolerances: tolerances.md.
"""

import array
import math
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import ISA_X86_64_V3, Instance  # noqa: E402
from gradient_cases import GROUPS  # noqa: E402
from gradient_model import Model  # noqa: E402
from tool import Tool  # noqa: E402

ROUNDOFF = 2.0**-53
STEP = 2.0**-18  # the power of two next to the best step, u^(1/3): exact in sums with the weights
FLAGS = ["--precision", "64-true", "--batch", "1", "--optimizer", "sgd", "--lr", "1", "--cpu-gemm", "generated"]
LEAST_SHAPES = 20


def build_model(group):
    model = Model()
    for build, cases in GROUPS[group]:
        assert len(cases) >= LEAST_SHAPES, group
        for case in cases:
            model.begin(str(case))
            model.score(build(model, *case))
            model.cases[-1].label = "%s %s" % (build.__qualname__.split(".")[0], case)
    return model


class Check:
    """The model's instance and the tensors of its calls."""

    def __init__(self, model, instance):
        self.model, self.instance = model, instance
        self.x = [array.array("d", bytes(8 * len(model.cases)))]
        self.targets = [values for _, values, _ in model.targets] or [array.array("d", [0.0])]
        self.outputs = [array.array("d", bytes(8 * len(model.cases)))]

    def scores(self):
        self.instance.eval_step(self.x, self.targets, self.outputs)
        return self.outputs[0]

    def reset(self):
        for name, (_, values, _) in self.model.parameters.items():
            self.instance.set(name, values)

    def differences(self, operand):
        """Numeric gradients by parameter, of each case's parameter number `operand`: all cases at once."""
        names = {i: case.trained[operand] for i, case in enumerate(self.model.cases) if operand < len(case.trained)}
        values = {i: self.model.parameters[name][1] for i, name in names.items()}
        found = {i: [] for i in names}
        for element in range(max(map(len, values.values()))):
            active = [i for i in names if element < len(values[i])]
            sides = []
            for sign in (1, -1):
                for i in active:
                    moved = array.array("d", values[i])
                    moved[element] += sign * STEP
                    self.instance.set(names[i], moved)
                    sides.append(moved[element])
                sides.append(array.array("d", self.scores()))
            upper, lower = sides[len(active)], sides[-1]
            for place, i in enumerate(active):
                width = sides[place] - sides[len(active) + 1 + place]
                found[i].append((upper[i] - lower[i]) / width)
                self.instance.set(names[i], values[i])
        return {names[i]: found[i] for i in names}

    def gradients(self, start):
        """Analytic gradients by parameter. The step's loss must be the sum of the scores `start`."""
        self.reset()
        loss, total = self.instance.train_step(self.x, self.targets).loss, math.fsum(start)
        assert abs(loss - total) <= 1e-12 * math.fsum(map(abs, start)), (loss, total)
        return {name: [a - b for a, b in zip(values, self.instance.get(name))]
                for name, (_, values, buffer) in self.model.parameters.items() if not buffer}

    def problems(self):
        self.reset()
        start = array.array("d", self.scores())
        numeric = {}
        for operand in range(max(len(case.trained) for case in self.model.cases)):
            numeric.update(self.differences(operand))
        analytic = self.gradients(start)
        # A few cases are constant, such as a softmax of one element, but not many.
        changing = sum(any(any(numeric[name]) for name in case.trained) for case in self.model.cases)
        assert changing > len(self.model.cases) / 2, "scores do not depend on the parameters"
        worst = 0.0
        for i, case in enumerate(self.model.cases):
            allowed = 4 * ROUNDOFF ** (2 / 3) * (1 + math.sqrt(case.terms)) * max(1.0, abs(start[i]))
            for operand, name in enumerate(case.trained):
                for element, (a, n) in enumerate(zip(analytic[name], numeric[name])):
                    share = abs(a - n) / (allowed * max(1.0, abs(a)))
                    worst = max(worst, share)
                    if not share <= 1:
                        yield "%s: operand %d, element %d: gradient %.12g, differences give %.12g (+- %.2g)" % (
                            case.label, operand, element, a, n, allowed)
                        break
        print("    %d cases, %.2f of what is allowed" % (len(self.model.cases), worst))


def check_group(tool, group, work):
    model = build_model(group)
    source = Path(work) / (group + ".mlir")
    source.write_text(model.text())
    library = tool.compile(source, Path(work) / group, *FLAGS) / "libmodel.so"
    found = []
    for isa in (ISA_X86_64_V3, 0):
        with Instance(library, "model", isa=isa, seed=3) as instance:
            found += Check(model, instance).problems()
    return found


def main():
    tool, failed = Tool(sys.argv[1]), 0
    with tempfile.TemporaryDirectory() as work:
        for group in sys.argv[2:]:
            print(group, flush=True)
            for problem in check_group(tool, group, work):
                print("FAIL " + problem)
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
