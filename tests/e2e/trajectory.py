#!/usr/bin/env python3
"""Twenty training steps against PyTorch's float64 trajectory, in each precision mode.

usage: trajectory.py HALFSTEP CASE
(CASE: a NAME.reference.json below tests/references)

Each implementation of the contractions is trained with one and with two threads, which must agree bit by bit. Losses
and final tensors must lie within the stored tolerances, which tolerances.md derives.
"""

import array
import json
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import ISA_X86_64_V3, Instance  # noqa: E402
from tool import REFERENCES, Failure, Tool, logged_loss, read_safetensors, split_arguments, take_samples  # noqa: E402

# oneDNN has no f64, and f16 is left to generated kernels.
CONTRACTIONS = {"64-true": ["generated"], "32-true": ["generated", "onednn"], "bf16-mixed": ["generated", "onednn"],
                "16-mixed": ["generated"]}
# No gradient of the cases overflows at this scale, so that every step of the reference is applied.
LOSS_SCALE = 1024.0


class Case:
    """One reference, and what is found wrong with runs of it."""

    def __init__(self, tool, name, work):
        self.tool, self.name, self.work = tool, name, work
        path = next(REFERENCES.glob("*/%s.reference.json" % name))
        self.folder = path.parent
        self.reference = json.loads(path.read_text())
        self.losses = [float.fromhex(loss) for loss in self.reference["losses_hex"]]
        self.final = read_safetensors(self.folder / (name + ".final.safetensors"))
        self.problems = []

    def report(self, where, message):
        self.problems.append("%s %s: %s" % (self.name, where, message))

    def check_losses(self, where, mode, losses):
        """Returns the largest share of the tolerance that was used up."""
        tolerances = self.reference["tolerance"][mode]
        if len(losses) != len(self.losses):
            self.report(where, "%d steps, expected %d" % (len(losses), len(self.losses)))
            return 0.0
        worst = 0.0
        for step, (loss, exact, allowed) in enumerate(zip(losses, self.losses, tolerances), 1):
            share = abs(loss - exact) / allowed
            if not share <= 1:
                self.report(where, "step %d: loss %.9g, expected %.9g +- %.3g" % (step, loss, exact, allowed))
                return share
            worst = max(worst, share)
        return worst

    def check_final(self, where, mode, weights):
        worst = 0.0
        for name, allowed in self.reference["final_tolerance"].get(mode, {}).items():
            if name in self.reference["noise"]:
                continue
            shape, exact = self.final[name]
            if name not in weights or weights[name][0] != shape:
                self.report(where, "%s is absent or of another shape" % name)
                continue
            error = max(abs(a - b) for a, b in zip(weights[name][1], exact))
            if not error <= allowed:
                self.report(where, "%s: an element is off by %.3g, allowed %.3g" % (name, error, allowed))
            worst = max(worst, error / allowed)
        return worst

    def run_library(self, library, arguments, mode, threads):
        """Trains with the tool; returns the digits of the losses and the final weights."""
        where = "%s threads=%d" % (library.name, threads)
        run = self.work / ("%s.%d" % (library.name, threads))
        log = self.tool.train(library, *arguments, "--threads", threads, "--checkpoint", run,
                              log=str(run) + ".jsonl", folder=self.folder)
        scale = LOSS_SCALE if mode == "16-mixed" else 1.0
        if any(line["scale"] != scale or line["skipped"] for line in log):
            self.report(where, "a loss scale other than %g, or a skipped step" % scale)
        weights = str(run) + ".safetensors"
        self.tool("export", run, "-o", weights)
        final = read_safetensors(weights)
        shares = (self.check_losses(where, mode, [logged_loss(line) for line in log]),
                  self.check_final(where, mode, final))
        print("%-14s %-28s losses %.2f, final %.2f of what is allowed" % (self.name, where, *shares))
        return [line["loss_hex"] for line in log], final

    def run_lower_isa(self, library, mode):
        """The same steps in this process, with the code for CPUs without AVX-512."""
        where = library.name + " x86-64-v3"
        batch, code = self.reference["batch"], "d" if mode == "64-true" else "f"
        data = read_safetensors(self.folder / "data.safetensors")
        codes = {name: "q" if data[name][1].typecode == "q" else code for name in "xy"}
        samples = data["x"][0][0]
        losses = []
        with Instance(library / "libmodel.so", "model", isa=ISA_X86_64_V3) as model:
            for name, (_, values) in read_safetensors(self.folder / "weights.safetensors").items():
                model.set(name, array.array(model.parameters[name][1], values))
            for step in range(self.reference["steps"]):
                first = step * batch % samples
                part = take_samples(data, first, first + batch)
                x, y = (array.array(codes[name], part[name][1]) for name in "xy")
                result = model.train_step([x], [y])
                losses.append(result.loss)
            final = {name: (self.final[name][0], model.get(name)) for name in self.final}
        self.check_losses(where, mode, losses)
        self.check_final(where, mode, final)

    def check_dependencies(self, library, contractions):
        """A library must hold the kernels that were asked for, so that both kinds are really tested."""
        depends = json.loads((library / "model.manifest.json").read_text())["depends"]
        if ("libdnnl.so.3" in depends) != (contractions == "onednn"):
            self.report(library.name, "depends on %s" % depends)

    def run_mode(self, mode):
        compiled, runs = split_arguments(self.reference["arguments"])
        scale = ["--loss-scale", LOSS_SCALE] if mode == "16-mixed" else []
        for contractions in CONTRACTIONS[mode]:
            name = "%s-%s" % (mode, contractions)
            try:
                library = self.tool.compile(self.folder / "model.json", self.work / name, *compiled,
                                            "--precision", mode, *scale, "--cpu-gemm", contractions)
                self.check_dependencies(library, contractions)
                one, two = (self.run_library(library, runs, mode, threads) for threads in (1, 2))
            except Failure as failure:
                self.report(name, str(failure))
                continue
            if one != two:
                self.report(name, "one and two threads differ")
            if contractions == "generated":
                self.run_lower_isa(library, mode)

    def run_model(self):
        """`train MODEL`, which compiles on the way, with the arguments as they are stored."""
        log = self.tool.train("model.json", *self.reference["arguments"], log=str(self.work / "model.jsonl"),
                              folder=self.folder)
        self.check_losses("train MODEL", "32-true", [logged_loss(line) for line in log])


def main():
    tool, name = Tool(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as work:
        case = Case(tool, name, Path(work))
        for mode in CONTRACTIONS:
            case.run_mode(mode)
        case.run_model()
    for problem in case.problems:
        print("FAIL " + problem)
    return 1 if case.problems else 0


if __name__ == "__main__":
    sys.exit(main())
