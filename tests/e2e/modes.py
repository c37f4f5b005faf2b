#!/usr/bin/env python3
"""Fifty training steps in every precision mode, held to float64 as closely as PyTorch is in the same mode.

usage: modes.py HALFSTEP CASE [MODE...]
(CASE, MODE: of tests/references/mode_cases.py; without a mode, all of the case)

A run's distance is its largest |loss - float64's| / max(|float64's|, 1e-3). The median of ours over the seeds may be
1.5 times the largest of PyTorch's over the same seeds, and the floor that tolerances.md derives. Modes with a dynamic
loss scale run once more from one that is too high: they must skip the same steps as PyTorch, and float64 replays that.
All of it holds for the code for CPUs without AVX-512 too, which runs on two threads. Threads change no bit.
"""

import array
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import ISA_X86_64_V3, Instance  # noqa: E402
from tool import REFERENCES, Failure, Tool  # noqa: E402

sys.path.insert(0, str(REFERENCES))
from mode_cases import BATCHES, CASES, PEERS, PLAIN_SCALE, SCALED, SEEDS, STEPS, data, initial, spec  # noqa: E402

MORE_THAN_TORCH = 1.5


class Case:
    def __init__(self, tool, name, work):
        self.tool, self.work = tool, work
        self.case = next(case for case in CASES if case.name == name)
        self.folder = REFERENCES / self.case.model
        self.model = json.loads((self.folder / "model.json").read_text())
        self.reference = json.loads((self.folder / (name + ".modes.json")).read_text())
        self.problems = []
        self.inputs = [self.batches(seed) for seed in range(SEEDS)]
        tensors = self.reference["tensors"].items()
        self.initial = [{name: initial(name, shape, seed) for name, shape in tensors} for seed in range(SEEDS)]

    def batches(self, seed):
        """[(x, y)] of the distinct batches."""
        batch = self.case.batch
        positions = self.model["inputs"]["x"]["shape"][1] if "nodes" in self.model else 1
        x, y = data(self.model, positions, batch, seed)
        parts = [(values, len(values) // BATCHES) for values in (x, y)]
        return [tuple(values[i * size:(i + 1) * size] for values, size in parts) for i in range(BATCHES)]

    def run_seed(self, library, mode, seed, overflow, **config):
        """(losses, skipped steps); `config` is the instance's."""
        batches = self.inputs[seed]
        if mode == "64-true":
            batches = [(array.array("d", x), y) for x, y in batches]
        losses, skipped = [], []
        with Instance(library / "libmodel.so", "model", **config) as model:
            for name, values in self.initial[seed].items():
                model.set_rounded(name, values)
            for step in range(STEPS):
                if mode in SCALED and not overflow:
                    model.set_scaler(PLAIN_SCALE)
                x, y = batches[step % BATCHES]
                result = model.train_step([x], [y])
                losses.append(result.loss)
                skipped += [step] if result.skipped else []
        return losses, skipped

    def distance(self, library, mode, runs, seed, **config):
        """`runs`: plain or overflow, a part of the reference."""
        expected = self.reference[runs].get("skipped", [])
        losses, skipped = self.run_seed(library, mode, seed, runs == "overflow", **config)
        if skipped != expected:
            self.problems.append("%s %s seed %d: skipped %s, PyTorch %s" % (mode, runs, seed, skipped, expected))
        exact = map(float.fromhex, self.reference[runs]["losses"][seed])
        return max(abs(a - b) / max(abs(b), 1e-3) for a, b in zip(losses, exact))

    def check_runs(self, library, mode, runs):
        torch = max(self.reference[runs]["distance"][PEERS.get(mode, mode)])
        allowed = MORE_THAN_TORCH * torch + self.reference["floor"]["f64" if mode == "64-true" else "f32"]
        for isa, config in (("best", {}), ("x86-64-v3", {"isa": ISA_X86_64_V3, "threads": 2})):
            ours = statistics.median(self.distance(library, mode, runs, seed, **config) for seed in range(SEEDS))
            print("%-16s %-16s %-8s %-9s ours %.2e  torch %.2e  allowed %.2e"
                  % (self.case.name, mode, runs, isa, ours, torch, allowed))
            if not ours <= allowed:
                self.problems.append("%s %s %s: distance %.3g, allowed %.3g" % (mode, runs, isa, ours, allowed))

    def run_mode(self, mode):
        try:
            library = self.tool.compile(self.folder / "model.json", self.work / mode, *self.reference["arguments"],
                                        "--precision", spec(mode, self.case), "--cpu-gemm", "generated")
            self.check_runs(library, mode, "plain")
            if self.run_seed(library, mode, 0, False) != self.run_seed(library, mode, 0, False, threads=2):
                self.problems.append("%s: one and two threads differ" % mode)
            if mode in SCALED:
                self.check_runs(library, mode, "overflow")
        except Failure as failure:
            self.problems.append("%s: %s" % (mode, failure))


def main():
    tool, name, modes = Tool(sys.argv[1]), sys.argv[2], sys.argv[3:]
    with tempfile.TemporaryDirectory() as work:
        case = Case(tool, name, Path(work))
        for mode in modes or case.case.modes:
            case.run_mode(mode)
    for problem in case.problems:
        print("FAIL " + problem)
    return 1 if case.problems else 0


if __name__ == "__main__":
    sys.exit(main())
