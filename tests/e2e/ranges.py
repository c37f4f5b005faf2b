#!/usr/bin/env python3
"""What `inspect --ranges` says of values that are known exactly, and whether its suggestion helps.

usage: ranges.py HALFSTEP [unittest's arguments]
"""

import array
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from tool import REFERENCES, Tool, write_safetensors  # noqa: E402

SAMPLES, BATCH = 32, 8
MODEL = {"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 4]}},
         "layers": [{"op": "linear", "name": "fc", "out": 2, "bias": False}]}
DEEP = {"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 4]}},
        "layers": [{"op": "linear", "name": "fc", "out": 4}, {"op": "relu", "name": "act"},
                   {"op": "linear", "name": "big", "out": 4}, {"op": "relu", "name": "act2"},
                   {"op": "linear", "name": "head", "out": 2}]}
TOOL = None


def floats(shape, values):
    return shape, array.array("f", values)


class Ranges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)
        (cls.work / "model.json").write_text(json.dumps(MODEL))
        (cls.work / "deep.json").write_text(json.dumps(DEEP))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return self.work / (self.id().split(".")[-1] + name)

    def write(self, name, tensors):
        write_safetensors(self.path(name), tensors)
        return self.path(name)

    def ranges(self, model, data, *flags):
        printed = TOOL("inspect", model, "--ranges", "--json", "--data", data, "--batch", BATCH, *flags)
        return json.loads(printed)

    def find(self, report, **wanted):
        found, = [tensor for tensor in report["tensors"] if all(tensor[key] == wanted[key] for key in wanted)]
        return found

    def test_fractions_are_exact(self):
        # Each at the edge of a type: 65520 and 2^-25 are the ends of fp16, 464 is the last that e4m3 rounds down.
        rows = [[1.0, 2.0**-26, 464.0, 65520.0], [0.0, 2.0**-25, 465.0, 65519.0]] * (SAMPLES // 2)
        data = self.write("data", {"x": floats([SAMPLES, 4], [value for row in rows for value in row]),
                                   "y": floats([SAMPLES, 2], [0] * 2 * SAMPLES)})
        weights = self.write("weights", {"fc.weight": floats([2, 4], [0] * 7 + [3e5])})
        report = self.ranges(self.work / "model.json", data, "--loss", "mse", "--weights", weights, "--steps", "1")
        x = self.find(report, role="input", name="x")
        self.assertEqual((x["count"], x["min"], x["max"], x["amax"]), (4 * BATCH, 0, 65520, 65520))
        self.assertEqual(x["overflow"], {"fp16": 1 / 8, "bf16": 0, "fp8_e4m3": 3 / 8, "fp8_e5m2": 1 / 4})
        self.assertEqual(x["flush_to_zero"], {"fp16": 1 / 4, "bf16": 0, "fp8_e4m3": 1 / 4, "fp8_e5m2": 1 / 4})
        weight = self.find(report, role="parameter", name="fc.weight")
        self.assertEqual((weight["overflow"]["fp16"], weight["shape"]), (1 / 8, [2, 4]))
        self.assertEqual(report["limits"]["fp16"], {"max": 65504, "overflow_from": 65520, "zero_up_to": 2.0**-25})
        self.assertEqual(report["suggestion"]["layers"], {"fc": "fp32"})

    def test_gradients_are_those_of_the_loss_scale(self):
        # pred = 0, y = 0.25: of the 16 outputs of a batch each has the gradient 2 * -0.25 / 16, and the weight -0.25.
        data = self.write("data", {"x": floats([SAMPLES, 4], [1, 0, 0, 0] * SAMPLES),
                                   "y": floats([SAMPLES, 2], [0.25] * 2 * SAMPLES)})
        weights = self.write("weights", {"fc.weight": floats([2, 4], [0] * 8)})
        flags = ["--loss", "mse", "--weights", weights, "--steps", "1", "--precision", "16-mixed", "--loss-scale"]
        report = self.ranges(self.work / "model.json", data, *flags, str(2**18))
        gradient = self.find(report, role="gradient", name="fc.weight")
        self.assertEqual((gradient["scale"], gradient["min"], gradient["max"]), (2**18, -(2**16), 0))
        self.assertEqual(gradient["overflow"]["fp16"], 2 / 8)
        # 0.25 times 2^17 is in range, and so is -0.03125 of what the layer gets.
        self.assertEqual(report["suggestion"], {"precision": "16-mixed", "loss_scale": 2**17})
        report = self.ranges(self.work / "model.json", data, *flags, str(2**17))
        self.assertIsNone(report["suggestion"])

    def deep_case(self):
        """A model whose second layer makes 120000 of every input."""
        data = self.write("data", {"x": floats([SAMPLES, 4], [2, 0, 0, 0] * SAMPLES),
                                   "y": ([SAMPLES], array.array("q", [i % 2 for i in range(SAMPLES)]))})
        identity = [float(i == j) for i in range(4) for j in range(4)]
        tensors = {"fc.weight": floats([4, 4], identity), "big.weight": floats([4, 4], [60000 * one for one in identity]),
                   "head.weight": floats([2, 4], [1e-5] * 8), "head.bias": floats([2], [0] * 2)}
        for name in ("fc.bias", "big.bias"):
            tensors[name] = floats([4], [0] * 4)
        return data, self.write("weights", tensors)

    def test_the_suggestion_avoids_the_overflow(self):
        data, weights = self.deep_case()
        run = ["--loss", "cross_entropy", "--weights", weights, "--lr", "1e-12", "--batch", BATCH]
        flags = [*run, "--steps", "2"]
        for given in ("16-mixed", '{"precision": "16-mixed", "lists": "cuda"}', "O1"):
            with self.subTest(given):
                report = self.ranges(self.work / "deep.json", data, *flags, "--precision", given)
                suggestion = report["suggestion"]
                # big makes what fp16 cannot hold, head reads it; the two in between follow what they read.
                self.assertEqual(suggestion["layers"]["big"], "fp32", report["reasons"])
                self.assertEqual(suggestion["layers"]["head"], "fp32")
                self.assertNotIn("fc", suggestion["layers"])
                for spec, skips in ((given, True), (json.dumps(suggestion), False)):
                    log = TOOL.train(self.work / "deep.json", "--data", data, *run, "--steps", "8", "--precision", spec,
                                     log=self.path(".log"))
                    self.assertEqual([line["skipped"] for line in log], [skips] * 8, spec)

    def test_text(self):
        data, weights = self.deep_case()
        text = TOOL("inspect", self.work / "deep.json", "--ranges", "--data", data, "--weights", weights, "--batch",
                    BATCH, "--loss", "cross_entropy", "--lr", "1e-12", "--steps", "3")
        self.assertTrue(text.startswith("deep.json: ranges in f32 over 3 steps of 8 samples; gradients at a loss scale "
                                        "of 65536\n"), text)
        line, = [line for line in text.splitlines() if line.startswith("big nn.matmul  ") and " forward " in line]
        self.assertEqual(line.split(), "big nn.matmul forward 8x4 0 1.2e+05 25%/- -/- 25%/- 25%/-".split())
        self.assertIn("suggestion: --precision '{", text)
        self.assertIn("big: the result of nn.matmul reaches 120000, fp16 ends at 65504", text)

    def test_what_fits_needs_nothing(self):
        text = TOOL("inspect", REFERENCES / "mlp" / "model.json", "--ranges", "--data",
                    REFERENCES / "mlp" / "data.safetensors", "--loss", "cross_entropy", "--precision", "bf16-mixed",
                    "--steps", "2")
        self.assertIn("bf16-mixed needs no override", text)


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
