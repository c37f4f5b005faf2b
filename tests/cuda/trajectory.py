#!/usr/bin/env python3
"""Training on the emulated CUDA device against PyTorch's float64 trajectory and against the CPU.

usage: trajectory.py HALFSTEP DRIVER CASE STEPS [MODE...]
(DRIVER: the emulated libcuda.so.1; CASE: a NAME.reference.json below tests/references; MODE: all by default)

The losses lie within the tolerances that ../e2e/tolerances.md derives, of the reference and of a run on the CPU under
the same op lists; and no check of the emulator finds anything. A run whose loss scale is too high at first skips the
same steps as on the CPU.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from emulator import Emulator  # noqa: E402
from tool import REFERENCES, Failure, Tool, logged_loss, split_arguments  # noqa: E402

LOSS_SCALE = 1024.0  # no gradient of the cases overflows at it
# Two skips lead from a scale that is too high to one that fits; see ../references/mode_cases.py.
OVERFLOW = {"init": 2.0**32, "growth": 2.0**16, "backoff": 2.0**-8, "interval": 3, "max": 2.0**32}


class Case:
    def __init__(self, tool, driver, name, steps, work):
        self.tool, self.name, self.steps, self.work = tool, name, steps, work
        self.emulator = Emulator(driver, work)
        path = next(REFERENCES.glob("*/%s.reference.json" % name))
        self.folder = path.parent
        self.reference = json.loads(path.read_text())
        self.problems = []

    def train(self, target, precision, *flags):
        """The log of a run on `target`."""
        compiled, runs = split_arguments(self.reference["arguments"])
        at = runs.index("--steps")
        runs[at + 1] = str(self.steps)
        lists = ["--lists", "cuda"] if "-mixed" in precision else []
        kind = ["--target", "cuda"] if target == "cuda" else ["--cpu-gemm", "generated", *lists]
        name = "%s-%s" % (target, precision[:12].replace("/", "").replace('"', "").replace("{", ""))
        library = self.tool.compile(self.folder / "model.json", self.work / name, *compiled, *kind, *flags,
                                    "--precision", precision)
        log = str(self.work / name) + ".jsonl"
        if target != "cuda":
            return self.tool.train(library, *runs, log=log, folder=self.folder)
        lines = self.tool.train(library, *runs, log=log, folder=self.folder, environment=self.emulator.environment())
        self.emulator.require_clean()
        return lines

    def check(self, mode):
        scale = ["--loss-scale", LOSS_SCALE] if mode == "16-mixed" else []
        ours, cpu = (self.train(target, mode, *scale) for target in ("cuda", "cpu"))
        exact = [float.fromhex(loss) for loss in self.reference["losses_hex"]]
        share = [0.0, 0.0]
        for step, (line, other, allowed) in enumerate(zip(ours, cpu, self.reference["tolerance"][mode])):
            loss = logged_loss(line)
            for i, (what, expected) in enumerate((("PyTorch", exact[step]), ("the CPU", logged_loss(other)))):
                error = abs(loss - expected)
                share[i] = max(share[i], error / allowed)
                if not error <= allowed:
                    self.problems.append("%s %s step %d: loss %.9g, %s has %.9g, allowed +- %.3g"
                                         % (self.name, mode, step + 1, loss, what, expected, allowed))
        if len(ours) != self.steps:
            self.problems.append("%s %s: %d steps, expected %d" % (self.name, mode, len(ours), self.steps))
        print("%-12s %-11s %.3f of what is allowed from PyTorch, %.3f from the CPU; %s"
              % (self.name, mode, *share, self.emulator.summary()), flush=True)

    def check_skips(self):
        precision = json.dumps({"precision": "16-mixed", "scaler": OVERFLOW})
        runs = [[(line["skipped"], line["scale"]) for line in self.train(target, precision)]
                for target in ("cuda", "cpu")]
        if runs[0] != runs[1] or not any(skipped for skipped, _ in runs[0]):
            self.problems.append("%s: steps (skipped, scale) %s, the CPU's %s" % (self.name, *runs))


def main():
    tool, driver, name, steps, modes = Tool(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:]
    with tempfile.TemporaryDirectory() as work:
        case = Case(tool, os.path.abspath(driver), name, steps, Path(work))
        for check in [*(modes or case.reference["tolerance"]), "skips"]:
            try:
                case.check_skips() if check == "skips" else case.check(check)
            except Failure as failure:
                case.problems.append("%s %s: %s" % (name, check, failure))
    for problem in case.problems:
        print("FAIL " + problem)
    return 1 if case.problems else 0


if __name__ == "__main__":
    sys.exit(main())
