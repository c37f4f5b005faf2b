#!/usr/bin/env python3
"""Twelve training steps of an architecture as PyTorch exports it, in four modes, held to float64 as PyTorch is.

usage: architectures.py HALFSTEP NAME    (of tests/references/architectures/architecture_cases.py)

The rule is that of modes.py: the median of our distances from float64's losses over the seeds may be 1.5 times the
largest of PyTorch's in the same mode, and a floor. The file of the first exporter is trained in every mode, those of
the others in 32-true.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import ISA_X86_64_V3, Instance, round_to  # noqa: E402
from modes import MORE_THAN_TORCH  # noqa: E402
from tool import REFERENCES, Failure, Tool  # noqa: E402

FOLDER = REFERENCES / "architectures"
sys.path.insert(0, str(FOLDER))
from architecture_cases import CASES, MODES, PLAIN_SCALE, SCALED, SEEDS, STEPS, arguments, batches, initial  # noqa: E402
from architecture_cases import permuted, weights_file  # noqa: E402


class Architecture:
    def __init__(self, tool, name, work):
        self.tool, self.work = tool, work
        self.case = next(case for case in CASES if case.name == name)
        self.reference = json.loads((FOLDER / (name + ".json")).read_text())
        self.exact = [list(map(float.fromhex, losses)) for losses in self.reference["losses"]]
        self.batches = [batches(self.case, seed) for seed in range(SEEDS)]
        self.problems = []

    def initial(self, file, seed):
        """The weights by the file's names of them."""
        values = {name: permuted(initial(parameter, shape, seed), shape, order)
                  for name, parameter, shape, order in self.reference["files"][file]}
        return {**values, **{name: initial(name, shape, seed) for name, shape in self.reference["buffers"].items()}}

    def compile(self, file, mode):
        folder = self.work / file / mode
        folder.mkdir(parents=True)
        (folder / file).write_bytes((FOLDER / file).read_bytes())
        (folder / "weights").write_bytes(weights_file(self.reference["files"][file], 0))
        return self.tool.compile(folder / file, folder / "library", *arguments(self.case), "--precision", mode,
                                 "--cpu-gemm", "generated")

    def losses(self, library, file, mode, seed, **config):
        losses = []
        with Instance(library / "libmodel.so", "model", **config) as model:
            # The file holds the weights of seed 0: they must have been read.
            for name, values in self.initial(file, seed).items():
                if seed == 0 and model.get(name) != round_to(model.types[name], values):
                    self.problems.append("%s %s: %s differs from the file's" % (file, mode, name))
                model.set_rounded(name, values)
            for step in range(STEPS):
                if mode in SCALED:
                    model.set_scaler(PLAIN_SCALE)
                x, y = self.batches[seed][step % len(self.batches[seed])]
                result = model.train_step(x, [y])
                losses.append(result.loss)
                if result.skipped:
                    self.problems.append("%s %s seed %d: step %d is skipped" % (file, mode, seed, step))
        return losses

    def check(self, file, mode):
        library = self.compile(file, mode)
        allowed = MORE_THAN_TORCH * max(self.reference["distance"][mode]) + self.reference["floor"]
        for isa, config in (("best", {}), ("x86-64-v3", {"isa": ISA_X86_64_V3, "threads": 2})):
            found = [max(abs(a - b) / max(abs(b), 1e-3) for a, b in
                         zip(self.losses(library, file, mode, seed, **config), self.exact[seed]))
                     for seed in range(SEEDS)]
            ours = statistics.median(found)
            print("%-24s %-10s %-9s ours %.2e  allowed %.2e" % (file, mode, isa, ours, allowed))
            if not ours <= allowed:
                self.problems.append("%s %s %s: distance %.3g, allowed %.3g" % (file, mode, isa, ours, allowed))

    def run(self):
        for file in self.reference["files"]:
            first = file == next(iter(self.reference["files"]))
            for mode in MODES if first else MODES[:1]:
                try:
                    self.check(file, mode)
                except Failure as failure:
                    self.problems.append("%s %s: %s" % (file, mode, failure))


def main():
    with tempfile.TemporaryDirectory() as work:
        architecture = Architecture(Tool(sys.argv[1]), sys.argv[2], Path(work))
        architecture.run()
    for problem in architecture.problems:
        print("FAIL " + problem)
    return 1 if architecture.problems else 0


if __name__ == "__main__":
    sys.exit(main())
