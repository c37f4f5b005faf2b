#!/usr/bin/env python3
"""How parameters are kept: as masters beside a copy, split, or in 16 bits - what they start from, what a skipped step
and a checkpoint leave of them, and that split masters train as separate ones do.

usage: storage.py HALFSTEP [unittest's arguments]
"""

import array
import json
import math
import struct
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import BF16, F16, Instance, ON_NONFINITE_SKIP, round_to  # noqa: E402
from tool import REFERENCES, Tool, read_safetensors, read_state  # noqa: E402

MLP = REFERENCES / "mlp"
DATA = MLP / "data.safetensors"  # 128 samples of 64 numbers, ten classes: four batches of 32
BATCH, BATCHES = 32, 4
ADAMW = ("--optimizer", "adamw", "--lr", "0.003")
SGD = ("--optimizer", "sgd", "--lr", "0.1", "--momentum", "0.9")
# All that a step may change: weights, moments, running statistics, and a mask that the step count decides.
MODEL = {
    "halfstep": 1,
    "inputs": {"x": {"dtype": "f32", "shape": ["N", 64]}},
    "layers": [{"op": "linear", "name": "fc1", "out": 24}, {"op": "batch_norm", "name": "bn"}, {"op": "relu"},
               {"op": "dropout", "name": "drop", "p": 0.3}, {"op": "linear", "name": "fc2", "out": 10}]}
MODES = {
    "separate": {"precision": "O2", "half": "bf16"},
    "separate-f16": {"precision": "O2"},
    "split": {"precision": "O2", "half": "bf16", "masters": "split"},
    "mixed-split": {"precision": "bf16-mixed", "masters": "split"},
    "bf16": {"precision": "bf16-true"},
    "f16": {"precision": "O3"},
    "stochastic": {"precision": "bf16-true", "update": "stochastic"},
    "stochastic-f16": {"precision": "16-true", "update": "stochastic"},
}
TOOL = None


def batch(index):
    data = read_safetensors(DATA)
    begin = index % BATCHES * BATCH
    return data["x"][1][64 * begin:64 * (begin + BATCH)], data["y"][1][begin:begin + BATCH]


def step(model, index):
    x, y = batch(index)
    return model.train_step([x], [y])


def bits(values):
    return array.array("I", values.tobytes())


def half_up(word):
    """The high half of a split master."""
    return (word + 0x8000) >> 16 & 0xFFFF


def is_tie_to_even(word):
    """Half way between two bf16, where nearest-even goes down and half-up does not."""
    return word & 0x1FFFF == 0x8000


UNIFORM = 'kind = "uniform", a = -0.125 : f64, b = 0.125 : f64'


def tied_model(init=UNIFORM):
    """Two matrix products with one weight, in MLIR: its layers are called first and second."""
    type_of = "(tensor<32x64xf32>, tensor<64x64xf32>) -> tensor<32x64xf32>"
    body = """
  %%w = train.read @w : tensor<64x64xf32>
  %%a = nn.matmul %%x, %%w {transpose_b} : %s loc("first")
  %%r = nn.relu %%a : (tensor<32x64xf32>) -> tensor<32x64xf32>
  %%b = nn.matmul %%r, %%w {transpose_b} : %s loc("second")
""" % (type_of, type_of)
    loss = """  %s = nn.squared_error %b, %x : (tensor<32x64xf32>, tensor<32x64xf32>) -> tensor<32x64xf32>
  %l = nn.reduce_mean %s {axes = array<i64: 0, 1>} : (tensor<32x64xf32>) -> tensor<f32>
"""
    x, y, out = "%x: tensor<32x64xf32>", "%y: tensor<32xi64>", "tensor<32x64xf32>"
    return """
train.param @w : tensor<64x64xf32> {init = #train.init<%s>}
""" % init + "".join([
        "func.func @train_step(%s, %s) -> tensor<f32> {%s%s  return %%l : tensor<f32>\n}\n" % (x, y, body, loss),
        "func.func @eval_step(%s, %s) -> (tensor<f32>, %s) {%s%s  return %%l, %%b : tensor<f32>, %s\n}\n"
        % (x, y, out, body, loss, out),
        "func.func @forward(%s) -> %s {%s  return %%b : %s\n}\n" % (x, out, body, out)])


class Storage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)
        cls.libraries = {}
        (cls.work / "model.json").write_text(json.dumps(MODEL))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name=""):
        return self.work / (self.id().split(".")[-1] + name)

    def library(self, mode, flags=ADAMW):
        """The folder of the library of MODEL in a mode of the table, or in 32-true."""
        if (mode, flags) not in self.libraries:
            precision = json.dumps(MODES[mode]) if mode in MODES else mode
            self.libraries[mode, flags] = TOOL.compile(
                self.work / "model.json", self.work / ("library-%d" % len(self.libraries)), "--loss", "cross_entropy",
                "--batch", BATCH, "--precision", precision, *flags)
        return self.libraries[mode, flags]

    def instance(self, mode, flags=ADAMW, **config):
        return Instance(self.library(mode, flags) / "libmodel.so", "model", **config)

    def test_masters_start_from_the_original_weights(self):
        with self.instance("32-true", seed=7) as plain:
            for mode in MODES:
                with self.subTest(mode), self.instance(mode, seed=7) as model:
                    self.assertEqual(set(model.parameters), set(plain.parameters))
                    for name in model.parameters:
                        values, kept = plain.get(name), model.types[name]
                        if kept in (F16, BF16):
                            self.assertEqual(model.get(name), round_to(kept, values), name)
                        else:
                            self.assertEqual(bits(model.get(name)), bits(values), name)

    def test_initial_data_is_kept_or_rounded_once(self):
        words = array.array("I", ((i * 0x9E3779B9 & 0x807FFFFF) | 0x3D000000 + (i % 4 << 23) for i in range(64 * 64)))
        words[:4] = array.array("I", [0x3D808000, 0x3D818000, 0x3D807FFF, 0xBD808001])  # ties of bf16 and near them
        values = array.array("f", words.tobytes())
        (self.work / "data.mlir").write_text(tied_model(
            'kind = "data", a = 0.0 : f64, b = 0.0 : f64, data = dense<"0x%s"> : tensor<64x64xf32>'
            % words.tobytes().hex().upper()))
        for mode in ("separate", "split", "bf16", "f16"):
            library = TOOL.compile(self.work / "data.mlir", self.path(mode), "--batch", BATCH, "--precision",
                                   json.dumps(MODES[mode]))
            with self.subTest(mode), Instance(library / "libmodel.so", "model") as model:
                kept = model.types["w"]
                expected = round_to(kept, values) if kept in (F16, BF16) else values
                self.assertEqual(model.get("w").tobytes(), expected.tobytes())

    def test_parameters_show_the_type_that_is_updated(self):
        for mode, expected in (("separate", "f32"), ("split", "f32"), ("mixed-split", "f32"), ("bf16", "bf16"),
                               ("f16", "f16"), ("stochastic", "bf16")):
            manifest = json.loads((self.library(mode) / "model.manifest.json").read_text())
            types = {param["name"]: param["dtype"] for param in manifest["params"]}
            self.assertEqual(types["fc1.weight"], expected, mode)
            self.assertEqual(types["bn.running_mean"], "f32", mode)

    def test_a_skipped_step_changes_no_bit(self):
        for mode in MODES:
            with self.subTest(mode), self.instance(mode, threads=2, on_nonfinite=ON_NONFINITE_SKIP) as model:
                if mode == "separate-f16":
                    model.set_scaler(256)
                for index in range(2):
                    self.assertEqual(step(model, index).skipped, 0)
                good_x, good_y = batch(0)
                before = model.eval_step([good_x], [good_y])
                model.save(self.path(".before"))
                for bad in (math.inf, -math.inf, math.nan):
                    x, y = batch(2)
                    x[-1] = bad
                    result = model.train_step([x], [y])
                    self.assertEqual((result.skipped, result.updates), (1, 2))
                model.save(self.path(".after"))
                self.assertEqual(model.eval_step([good_x], [good_y]), before)
                old, new = read_state(self.path(".before")), read_state(self.path(".after"))
                self.assertEqual(old, new)
                self.assertIn("opt.exp_avg.fc1.weight", old)

    def test_resuming_is_bit_exact(self):
        for mode in MODES:
            with self.subTest(mode), self.instance(mode, seed=3) as first, self.instance(mode, seed=4) as second:
                for index in range(3):
                    step(first, index)
                first.save(self.path())
                second.load(self.path())
                for name in first.parameters:
                    self.assertEqual(first.get(name).tobytes(), second.get(name).tobytes())
                for index in range(3, 8):
                    self.assertEqual(step(first, index).loss, step(second, index).loss)
                first.save(self.path(".first"))
                second.save(self.path(".second"))
                self.assertEqual(read_state(self.path(".first")), read_state(self.path(".second")))

    def test_checkpoints_and_exports_hold_masters_bit_for_bit(self):
        for mode in ("separate", "split", "mixed-split"):
            with self.subTest(mode), self.instance(mode, seed=5) as model:
                for index in range(3):
                    step(model, index)
                model.save(self.path())
                saved = read_state(self.path())
                TOOL("export", self.path(), "-o", self.path(".weights"))
                exported = read_safetensors(self.path(".weights"))
                for name in model.parameters:
                    values = model.get(name)
                    self.assertEqual(exported[name][1].tobytes(), values.tobytes(), name)
                self.assertEqual(saved["master.fc1.weight"], model.get("fc1.weight").tobytes())
                if mode != "separate":
                    halves = array.array("H", map(half_up, bits(model.get("fc1.weight"))))
                    self.assertEqual(saved["model.fc1.weight"], halves.tobytes())

    def test_setting_a_split_parameter_keeps_every_bit(self):
        words = [0, 0x80000000, 1, 0x3F808000, 0x3F818000, 0x3F807FFF, 0xBF808001, 0x7F7FFFFF, 0x7F800000, 0xFF800000]
        with self.instance("split") as model:
            values = model.get("fc1.weight")
            some = array.array("f", struct.pack("<%dI" % len(words), *words)) + values[len(words):]
            model.set("fc1.weight", some)
            self.assertEqual(bits(model.get("fc1.weight")), bits(some))

    def assert_splits_as_separate(self, separate, split, flags):
        """Losses and masters are the same bits as long as no master is a tie that the two forms round differently."""
        with self.instance(separate, flags, seed=1) as one, self.instance(split, flags, seed=1) as two:
            self.assertLess(self.arena(split, flags), self.arena(separate, flags))
            for index in range(40):
                self.assertEqual(step(one, index).loss, step(two, index).loss, index)
                words = {name: bits(one.get(name)) for name in one.parameters}
                for name, expected in words.items():
                    self.assertEqual(bits(two.get(name)), expected, (index, name))
                if any(is_tie_to_even(word) for each in words.values() for word in each):
                    break
            self.assertGreaterEqual(index, 3)

    def arena(self, mode, flags):
        return json.loads((self.library(mode, flags) / "model.manifest.json").read_text())["arena_bytes"]

    def test_split_masters_train_as_separate_ones(self):
        for flags in (SGD, ADAMW):
            self.assert_splits_as_separate("separate", "split", flags)
            self.assert_splits_as_separate("bf16-mixed", "mixed-split", flags)

    def test_a_weight_that_is_read_in_two_types_trains(self):
        (self.work / "tied.mlir").write_text(tied_model())
        for mode in ("split", "bf16", "stochastic", "f16"):
            spec = json.dumps({**MODES[mode], "layers": {"second": "fp32"}})
            library = TOOL.compile(self.work / "tied.mlir", self.path(mode), "--batch", BATCH, "--precision", spec,
                                   "--lr", "3")
            with self.subTest(mode), Instance(library / "libmodel.so", "model") as model:
                self.assertEqual(model.parameters["w"][1], "f", "kept in the wider of its types")
                losses = [step(model, 0).loss for _ in range(20)]
                self.assertLess(losses[-1], 0.9 * losses[0])
                model.save(self.path(".saved"))
                self.assertEqual(read_state(self.path(".saved"))["master.w"], model.get("w").tobytes())

    def test_stochastic_rounding_is_reproducible(self):
        def run(mode, **config):
            with self.instance(mode, SGD, **config) as model:
                losses = [step(model, index).loss for index in range(12)]
                return losses, model.get("fc1.weight").tobytes()

        for mode in ("stochastic", "stochastic-f16"):
            once = run(mode, seed=9)
            self.assertEqual(run(mode, seed=9, threads=2), once)
            self.assertNotEqual(run(mode, seed=10)[1], once[1])
        with self.instance("bf16", SGD, seed=9) as nearest:
            for index in range(12):
                step(nearest, index)
            self.assertNotEqual(nearest.get("fc1.weight").tobytes(), run("stochastic", seed=9)[1])


def main():
    global TOOL
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()


if __name__ == "__main__":
    main()
