#!/usr/bin/env python3
"""One gradient element that is not finite, anywhere, skips the whole step and changes no bit of the state.

usage: injected_overflow.py HALFSTEP [unittest's arguments]

The model is made so that each target reaches one element of one parameter's gradient. Its parts are a linear layer of
one input, an element-wise product with a parameter, another such layer, and batch norm, added after a relu each; in
each sample an input opens the relu of one part and shuts the others. A target of infinity or NaN makes the gradient of
that element infinite or NaN and leaves all others finite.
"""

import array
import itertools
import json
import math
import struct
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import ON_NONFINITE_IGNORE, ON_NONFINITE_SKIP, Instance  # noqa: E402
from tool import ROOT, Tool, read_state  # noqa: E402

# Two parameters are more than a chunk of 4096 elements of the check, and one is no multiple of the 32 to which a
# gradient is padded.
WIDTH = 2075
PARTS = ("first", "scaled", "last", "norm")  # in the sample of its number a part's relu is open
SAMPLES = len(PARTS)
PARAMETERS = {"first.weight": 0, "scale.weight": 1, "last.weight": 2}
OPEN, SHUT = 16.0, -1024.0
BAD = (math.inf, -math.inf, math.nan)
UPDATES = 2  # applied before the first overflow, so that the moments are not 0
SCALED = ("16-mixed", "O1", "O2")  # modes with a loss scale of their own; in the others the guard is asked for
INIT = 1024.0


def model():
    def node(op, name, *inputs, **attrs):
        return {"op": op, "name": name, "inputs": list(inputs), "outputs": [name], "attrs": attrs}

    nodes = [node("linear", "first", "a", out=WIDTH, bias=False),
             node("parameter", "scale", shape=[WIDTH], init={"weight": {"kind": "normal", "std": 1.0}}),
             node("mul", "scaled", "b", "scale"), node("batch_norm", "norm", "b"),
             node("linear", "last", "a", out=WIDTH, bias=False)]
    total = None
    for part in PARTS:
        nodes.append(node("add", part + "_gated", part, "gate_" + part))
        nodes.append(node("relu", part + "_open", part + "_gated"))
        if total:
            nodes.append(node("add", part + "_sum", total, part + "_open"))
        total = nodes[-1]["name"]
    sizes = {"a": 1, "b": WIDTH, **{"gate_" + part: WIDTH for part in PARTS}}
    return {"halfstep": 1, "inputs": {name: {"dtype": "f32", "shape": ["N", size]} for name, size in sizes.items()},
            "nodes": nodes, "outputs": [total]}


def floats(count, first):
    """Numbers in [0.5, 1.5), none of them 0: a product with infinity is infinite."""
    return array.array("f", [0.5 + (first + 5 * i) % 16 / 16 for i in range(count)])


def gate(part):
    rows = [[OPEN if other == part else SHUT] * WIDTH for other in PARTS]
    return array.array("f", sum(rows, []))


class InjectedOverflow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)
        cls.model = cls.work / "model.json"
        cls.model.write_text(json.dumps(model()))
        cls.inputs = [floats(SAMPLES, 0), floats(SAMPLES * WIDTH, 1), *map(gate, PARTS)]
        cls.targets = floats(SAMPLES * WIDTH, 7)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name=""):
        return self.work / (self.id().split(".")[-1] + name)

    def compile(self, mode, *flags):
        spec = json.dumps({"precision": mode, **({"scaler": {"init": INIT}} if mode in SCALED else {})})
        return TOOL.compile(self.model, self.path(".library"), "--loss", "mse", "--batch", SAMPLES, "--precision", spec,
                            "--cpu-gemm", "generated", *(flags or ("--optimizer", "adamw", "--lr", "0.003")))

    def load(self, library, code, **config):
        """A started instance, and its inputs and targets in the library's type."""
        instance = Instance(library / "libmodel.so", "model", **config)
        return instance, [array.array(code, x) for x in self.inputs], array.array(code, self.targets)

    def inject(self, model, inputs, targets, at, bad):
        """One step in which the target at (sample, column) is bad."""
        place = at[0] * WIDTH + at[1]
        good, targets[place] = targets[place], bad
        result = model.train_step(inputs, [targets])
        targets[place] = good
        return result

    def outputs(self, model, inputs):
        """What the model computes, from the copies of the weights too."""
        values = array.array(inputs[0].typecode, [0]) * (SAMPLES * WIDTH)
        model.forward(inputs, [values])
        return values.tobytes()

    def state(self, model, inputs):
        model.save(self.path(".state"))
        return read_state(self.path(".state")), self.outputs(model, inputs)

    def check_skip(self, model, inputs, targets, at, bad, scaled):
        """An overflow is seen, the step counts as skipped, and the scale alone falls."""
        if scaled:
            model.set_scaler(INIT)
        result = self.inject(model, inputs, targets, at, bad)
        self.assertEqual((result.skipped, result.updates), (1, UPDATES), (at, bad))
        self.assertTrue(math.isnan(result.grad_norm), (at, bad))
        if scaled:
            self.assertEqual(model.scaler(), (INIT / 2, 0), (at, bad))

    def check_mode(self, mode, code="f"):
        library, scaled = self.compile(mode), mode in SCALED
        config = {} if scaled else {"on_nonfinite": ON_NONFINITE_SKIP}
        instance, inputs, targets = self.load(library, code, **config)
        with instance as model:
            for _ in range(UPDATES):
                self.assertEqual(model.train_step(inputs, [targets]).skipped, 0)
            before = self.state(model, inputs)
            self.assertGreater(len(before[0]), 10)
            # The ends and middles one by one, so that a change is found where it is made.
            for at in itertools.product(PARAMETERS.values(), (0, WIDTH // 2, WIDTH - 1)):
                for bad in BAD:
                    self.check_skip(model, inputs, targets, at, bad, scaled)
                    self.assertEqual(self.state(model, inputs), before, (at, bad))
            # Then every element: what one of these steps changed would still be changed at the end.
            for at in itertools.product(PARAMETERS.values(), range(WIDTH)):
                self.check_skip(model, inputs, targets, at, BAD[at[1] % len(BAD)], scaled)
            self.assertEqual(self.state(model, inputs), before)
            if scaled:
                model.set_scaler(INIT)
            self.assertEqual(model.train_step(inputs, [targets]).updates, UPDATES + 1)
            self.assertNotEqual(self.state(model, inputs), before)

    def test_16_mixed(self):
        self.check_mode("16-mixed")

    def test_o1(self):
        self.check_mode("O1")

    def test_o2_checks_f16_gradients_of_f32_masters(self):
        self.check_mode("O2")

    def test_16_true(self):
        self.check_mode("16-true")

    def test_bf16_mixed(self):
        self.check_mode("bf16-mixed")

    def test_32_true(self):
        self.check_mode("32-true")

    def test_64_true(self):
        self.check_mode("64-true", code="d")

    def test_a_target_reaches_one_element(self):
        # The premise of this file: without the guard, the parameters show which elements were not finite.
        library = self.compile("32-true", "--lr", "0.01")
        for name, sample in PARAMETERS.items():
            for column, bad in itertools.product((0, WIDTH // 2, WIDTH - 1), BAD):
                instance, inputs, targets = self.load(library, "f", on_nonfinite=ON_NONFINITE_IGNORE)
                with instance as model:
                    self.inject(model, inputs, targets, (sample, column), bad)
                    for other in model.parameters:
                        wrong = [i for i, value in enumerate(model.get(other)) if not math.isfinite(value)]
                        self.assertEqual(wrong, [column] if other == name else [], (name, column, bad, other))


class ScalerSteps(unittest.TestCase):
    def test_ten_thousand_steps_are_torchs(self):
        # The weight's gradient is 0 times the loss's: 0 at any scale, and NaN when the target is infinite.
        trace = json.loads((ROOT / "tests" / "runtime" / "data" / "scaler_trace.json").read_text())
        changes, resets, bits, tracker = dict(trace["scale_bits"]), set(trace["tracker_resets"]), 0, 0
        layers = [{"op": "linear", "name": "fc", "out": 1, "bias": False}]
        with tempfile.TemporaryDirectory() as work:
            path = Path(work) / "model.json"
            path.write_text(json.dumps({"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 1]}},
                                        "layers": layers}))
            spec = json.dumps({"precision": "16-mixed",
                               "scaler": {key: trace[key] for key in ("init", "growth", "backoff", "interval")}})
            library = TOOL.compile(path, Path(work) / "library", "--loss", "mse", "--batch", 1, "--precision", spec)
            x, targets = array.array("f", [0.0]), [array.array("f", [bad]) for bad in (0.0, math.inf)]
            with Instance(library / "libmodel.so", "model") as model:
                for step, found in enumerate(map(int, trace["found"])):
                    self.assertEqual(model.train_step([x], [targets[found]]).skipped, found, step)
                    bits = changes.get(step, bits)
                    tracker = 0 if step in resets else tracker + 1
                    scale, clean = model.scaler()
                    self.assertEqual((struct.unpack("<i", struct.pack("<f", scale))[0], clean), (bits, tracker), step)
        self.assertEqual(step, 9999)


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
