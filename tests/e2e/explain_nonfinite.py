#!/usr/bin/env python3
"""Which op `train --explain-nonfinite` blames for a step that is not finite.

usage: explain_nonfinite.py HALFSTEP [unittest's arguments]
"""

import array
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from tool import Tool, read_log, write_safetensors  # noqa: E402

OK, NUMERICS = 0, 5
SAMPLES, BATCH = 32, 16
# big has one weight that takes what it reads, 1 or 2, to 60000 or beyond what f16 holds.
MODEL = """{"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 4]}},
 "layers": [{"op": "linear", "name": "fc", "out": 4},
            {"op": "linear", "name": "big", "out": 3},
            {"op": "linear", "name": "head", "out": 2}]}
"""
STATEFUL = {
    "halfstep": 1,
    "inputs": {"x": {"dtype": "f32", "shape": ["N", 4]}},
    "layers": [{"op": "linear", "name": "fc1", "out": 8}, {"op": "batch_norm", "name": "bn"}, {"op": "relu"},
               {"op": "dropout", "name": "drop", "p": 0.5}, {"op": "linear", "name": "fc2", "out": 2}]}
TOOL = None


def floats(shape, values):
    return shape, array.array("f", values)


def weights(large=60000.0, small=1e-4):
    identity = [float(i == j) for i in range(4) for j in range(4)]
    return {"fc.weight": floats([4, 4], identity), "fc.bias": floats([4], [0] * 4),
            "big.weight": floats([3, 4], [0] * 4 + [large, 0, 0, 0] + [1, 0, 0, 0]), "big.bias": floats([3], [0] * 3),
            "head.weight": floats([2, 3], [small] * 6), "head.bias": floats([2], [0] * 2)}


class ExplainNonfinite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)
        (cls.work / "model.json").write_text(MODEL)
        (cls.work / "stateful.json").write_text(json.dumps(STATEFUL))
        write_safetensors(cls.work / "weights", weights())
        classes = ([SAMPLES], array.array("q", [0] * SAMPLES))
        for name, first in (("ones", [1] * SAMPLES), ("twos", [1 + i % 2 for i in range(SAMPLES)])):
            rows = [value for each in first for value in (each, 0.5, -0.25, 0)]
            write_safetensors(cls.work / name, {"x": floats([SAMPLES, 4], rows), "y": classes})

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def train(self, *flags, model="model.json", data="twos", start="weights", loss="cross_entropy", expect=OK):
        """What the tool says on stderr, and the log."""
        log = self.work / (self.id().split(".")[-1] + ".log")
        words = [TOOL.path, "train", model, "--data", data, "--loss", loss, "--batch", BATCH, "--no-shuffle", "--log",
                 log, *(["--weights", start] if start else []), *flags]
        result = subprocess.run([str(word) for word in words], cwd=self.work, capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual(result.returncode, expect, result.stderr)
        return result.stderr, read_log(log)

    def notes(self, said):
        return said.split("halfstep: note: ")[1:]

    def test_a_forward_overflow_in_f16(self):
        said, log = self.train("--precision", "16-mixed", "--steps", "3", "--explain-nonfinite")
        note, = self.notes(said)
        self.assertTrue(note.startswith("step 1 was skipped, at a loss scale of 65536: "), note)
        self.assertIn("made by 'big' (nn.matmul), model.json:3:13, in the forward pass", note)
        self.assertIn("8 of 48 elements of its result f16[16, 3] are not finite (8 inf)", note)
        self.assertIn("\n  reads 'fc' (nn.matmul) f16[16, 4]: from -0.25 to 2\n", note)
        self.assertIn("\n  reads parameter 'big.weight' f16[3, 4]: from 0 to 60000\n", note)
        self.assertIn('"layers": {"big": "fp32"}', note)
        self.assertEqual([line["skipped"] for line in log], [True] * 3)

    def test_the_advice_helps(self):
        spec = '{"precision": "16-mixed", "layers": {"big": "fp32", "head": "fp32"}, "loss_scale": 1}'
        said, log = self.train("--precision", spec, "--steps", "3", "--lr", "1e-12", "--explain-nonfinite")
        self.assertEqual(self.notes(said), [])
        self.assertEqual([line["skipped"] for line in log], [False] * 3)

    def test_a_backward_overflow_is_said_once(self):
        said, log = self.train("--precision", "16-mixed", "--steps", "20", "--lr", "1e-12", "--explain-nonfinite",
                               data="ones")
        note, = self.notes(said)
        self.assertIn("'head' (nn.matmul), model.json:4:13, in the backward pass", note)
        self.assertIn("reads 'big' (nn.matmul) f16[16, 3]: from 0 to 60000", note)
        self.assertIn("gradients are multiplied by the loss scale, 65536", note)
        skipped = [line["skipped"] for line in log]
        self.assertTrue(5 < sum(skipped) < 20 and not skipped[-1], skipped)

    def test_another_op_is_another_explanation(self):
        # 1e30 is infinite as the f16 of fc; once the batches of the first epoch are over, big takes its turn.
        rows = [value for i in range(SAMPLES) for value in (2, 1e30 if i < BATCH else 0, 0, 0)]
        write_safetensors(self.work / "turns",
                          {"x": floats([SAMPLES, 4], rows), "y": ([SAMPLES], array.array("q", [0] * SAMPLES))})
        said, _ = self.train("--precision", "16-mixed", "--steps", "4", "--explain-nonfinite", data="turns")
        notes = self.notes(said)
        self.assertEqual([note.split()[1] for note in notes], ["1", "2", "3", "4"])
        for note, op in zip(notes, ("'fc' (amp.cast)", "'big' (nn.matmul)") * 2):
            self.assertIn("made by " + op, note)
        self.assertIn("reads input 'x' f32[16, 4]: from 0 to 1e+30", notes[0])

    def test_modes_without_a_scaler_stop(self):
        write_safetensors(self.work / "huge", weights(large=3e38))
        for mode in ("32-true", "bf16-mixed"):
            said, log = self.train("--precision", mode, "--steps", "3", "--explain-nonfinite", start="huge",
                                   expect=NUMERICS)
            note, = self.notes(said)
            self.assertIn("step 1 was not finite and ends the run, at a loss scale of 1", note)
            self.assertIn("'big' (nn.matmul), model.json:3:13, in the forward pass", note)
            self.assertIn("halfstep: error: step 1: a gradient is not finite", said)
            self.assertEqual(log, [])

    def test_it_goes_on_as_on_nonfinite_says(self):
        write_safetensors(self.work / "huge", weights(large=3e38))
        for policy, fate in (("skip", "was skipped"), ("ignore", "was not finite and was applied all the same")):
            said, log = self.train("--steps", "3", "--explain-nonfinite", "--on-nonfinite", policy, start="huge")
            self.assertIn("step 1 " + fate, said)
            self.assertIn("'big' (nn.matmul)", said)
            self.assertEqual(len(log), 3)

    def test_a_loss_may_overflow_where_gradients_do_not(self):
        rows = [1e20] * (SAMPLES * 2)
        write_safetensors(self.work / "far", {"x": floats([SAMPLES, 4], [1] * (SAMPLES * 4)),
                                              "y": floats([SAMPLES, 2], rows)})
        said, log = self.train("--steps", "1", "--lr", "1e-30", "--explain-nonfinite", data="far", loss="mse",
                               start="weights")
        self.assertIn("made by 'loss' (nn.squared_error)", said)
        self.assertEqual((log[0]["loss"], log[0]["skipped"]), (None, False))

    def test_an_infinity_that_goes_nowhere_is_not_blamed(self):
        """A mask adds -inf before a softmax; what overflows is behind it."""
        layers = [{"op": "linear", "name": "fc", "out": 4}, {"op": "softmax", "name": "soft"},
                  {"op": "linear", "name": "head", "out": 2}]
        (self.work / "soft.json").write_text(json.dumps(
            {"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 4]}}, "layers": layers}))
        text = TOOL("inspect", self.work / "soft.json", "--loss", "cross_entropy", "--batch", BATCH, "--after", "import")
        masked, count = re.subn(
            r"nn.softmax (%\w+)(.*)",
            r"nn.add \1, %mask : (tensor<16x4xf32>, tensor<4xf32>) -> tensor<16x4xf32>\n    %soft = nn.softmax %masked\2",
            text)
        self.assertEqual(count, 3)
        masked = re.sub(r"(%\w+) = nn.add (.*)\n(.*)%soft =(.*)", r"%masked = nn.add \2\n\3\1 =\4", masked)
        masked = masked.replace("%masked =", "%mask = nn.constant {value = dense<[0.0, 0xFF800000, 0.0, 0.0]> : "
                                "tensor<4xf32>} : () -> tensor<4xf32>\n    %masked =")
        (self.work / "masked.mlir").write_text(masked)
        large = {name: tensor for name, tensor in weights().items() if name.startswith("fc")}
        write_safetensors(self.work / "heavy", {**large, "head.weight": floats([2, 4], [65504] * 8),
                                                "head.bias": floats([2], [65504] * 2)})
        said, _ = self.train("--precision", "16-mixed", "--steps", "1", "--explain-nonfinite", model="masked.mlir",
                             start="heavy")
        note, = self.notes(said)
        self.assertIn("made by nn.matmul, masked.mlir:", note)
        self.assertIn("reads parameter 'head.weight' f16[2, 4]: from 65504 to 65504", note)

    def test_the_step_is_the_very_same(self):
        """The weights that overflow are those of the third step, behind dropout and batch statistics."""
        flags = ["--precision", '{"precision": "16-mixed", "scaler": {"init": 4, "growth": 1e9, "interval": 2}}',
                 "--steps", "6", "--seed", "3", "--optimizer", "adamw"]
        said, explained = self.train(*flags, "--explain-nonfinite", model="stateful.json", start=None)
        _, plain = self.train(*flags, model="stateful.json", start=None)
        for key in ("loss_hex", "scale", "skipped", "updates"):
            self.assertEqual([line[key] for line in explained], [line[key] for line in plain], key)
        self.assertEqual([line["skipped"] for line in plain[:3]], [False, False, True])
        self.assertIn("step 3 was skipped, at a loss scale of 4e+09", said)
        self.assertIn("in the backward pass", said)

    def test_finite_steps_compile_nothing_more(self):
        said, _ = self.train("--precision", "16-mixed", "--steps", "2", "--explain-nonfinite", model="stateful.json",
                             start=None)
        self.assertEqual(said.count("compiling"), 1, said)


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
