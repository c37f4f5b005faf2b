#!/usr/bin/env python3
"""The precision report of `inspect` as JSON and as text, against numbers counted by hand on a small model.

usage: inspect_report.py HALFSTEP [unittest's arguments]
"""

import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from tool import DIGITS, REFERENCES, Tool  # noqa: E402

USAGE, BAD_INPUT, UNSUPPORTED, IO = 2, 3, 4, 6
# Two samples of four numbers, eight hidden ones, three outputs: 32 + 8 + 24 + 3 = 67 parameters.
TINY = {"halfstep": 1, "name": "tiny", "inputs": {"x": {"dtype": "f32", "shape": ["N", 4]}},
        "layers": [{"op": "linear", "name": "fc1", "out": 8}, {"op": "relu", "name": "act"},
                   {"op": "linear", "name": "fc2", "out": 3}]}
FLAGS = ["--loss", "mse", "--batch", "2", "--momentum", "0.9"]
PARAMETERS = {"fc1.weight": [8, 4], "fc1.bias": [8], "fc2.weight": [3, 8], "fc2.bias": [3]}
MODES = ["64-true", "32-true", "bf16-true", "16-true", "bf16-mixed", "16-mixed", "O0", "O1", "O2", "O3"]
KINDS = ["params", "masters", "moments", "activations", "workspace"]
CLASSES = {"lower", "fp32", "fp32_out", "promote", "banned", "untouched"}
TOOL = None


def decisions(report):
    return [(op["name"], op["op"], op["class"], op["type"], op["reason"]) for op in report["ops"]]


def casts(report):
    return [(cast["op"], cast["pass"], cast["from"], cast["to"], cast["bytes"], cast["place"], cast["cost_bytes"])
            for cast in report["casts"]["list"]]


def memory(report, kinds=KINDS):
    return [report["memory"][kind] for kind in kinds]


class ReportCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.model = Path(self.folder.name) / "tiny.json"
        self.model.write_text(json.dumps(TINY))

    def report(self, precision, *flags):
        return json.loads(TOOL("inspect", self.model, *FLAGS, "--precision", precision, "--json", *flags))

    def text(self, precision, *flags):
        return TOOL("inspect", self.model, *FLAGS, "--precision", precision, *flags)

    def fails(self, code, *arguments):
        result = subprocess.run([TOOL.path, *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, "")
        errors = [line for line in result.stderr.splitlines() if not line.startswith("halfstep: note:")]
        self.assertEqual(len(errors), 1, result.stderr)
        return errors[0]


class Json(ReportCase):
    def test_each_op_has_its_class_type_and_reason(self):
        self.assertEqual(decisions(self.report("bf16-mixed")),
                         [("fc1", "nn.matmul", "lower", "bf16", "list cpu"),
                          ("act", "nn.relu", "untouched", "bf16", "list cpu"),
                          ("fc2", "nn.matmul", "lower", "bf16", "list cpu"),
                          ("loss", "nn.squared_error", "fp32", "f32", "list cpu"),
                          ("loss", "nn.reduce_mean", "untouched", "f32", "list cpu")])

    def test_overrides_are_the_reasons_of_what_they_decide(self):
        spec = {"precision": "bf16-mixed", "ops": {"relu": "fp32"}, "layers": {"fc1*": "fp32"}}
        report = self.report(json.dumps(spec))
        found = {name: (chosen, kind, reason) for name, _, chosen, kind, reason in decisions(report)}
        self.assertEqual(found["fc1"], ("fp32", "f32", "layers 'fc1*'"))
        self.assertEqual(found["act"], ("fp32", "f32", "ops 'relu'"))
        self.assertEqual(found["fc2"], ("lower", "bf16", "list cpu"))

    def test_casts_are_counted_before_and_after(self):
        report = self.report("bf16-mixed")
        # Placed: four parameters, x, the prediction for the loss; back: its gradient and four weight gradients.
        self.assertEqual((report["casts"]["before"], report["casts"]["after"]), (11, 7))
        self.assertEqual(casts(report),
                         [("fc1.weight", "forward", "f32", "bf16", 32 * 6, "copy", 64),
                          ("fc1.bias", "forward", "f32", "bf16", 8 * 6, "copy", 16),
                          ("fc1", "forward", "f32", "bf16", 8 * 6, "kernel", 8 * 6),
                          ("fc2.weight", "forward", "f32", "bf16", 24 * 6, "copy", 48),
                          ("fc2.bias", "forward", "f32", "bf16", 3 * 6, "copy", 6),
                          ("loss", "forward", "bf16", "f32", 6 * 6, "folded", 0),
                          ("loss", "backward", "f32", "bf16", 6 * 6, "folded", 0)])
        self.assertEqual(report["casts"]["kernels"], 1)

    def test_estimates_follow_from_the_stated_bandwidth(self):
        report = self.report("bf16-mixed")["casts"]
        for cast in report["list"]:
            self.assertAlmostEqual(cast["estimated_us"], cast["cost_bytes"] / report["estimate_bytes_per_s"] * 1e6)

    def test_memory_of_masters_with_copies(self):
        report = self.report("bf16-mixed")
        # x, relu's result and the prediction in bf16 are what the backward pass reads.
        self.assertEqual(memory(report, KINDS[:4]), [67 * 2, 67 * 4, 67 * 4, (8 + 16 + 6) * 2])
        self.assertEqual(report["memory"]["gradients"], 67 * 2)
        self.assertEqual([(value["name"], value["bytes"]) for value in report["activations"]],
                         [("act", 32), ("fc1", 16), ("fc2", 12)])

    def test_memory_of_32_true_stands_beside_it(self):
        # The caller's x is not in the arena, so that only relu's result and the prediction are.
        wide = self.report("32-true")
        self.assertEqual(memory(wide, KINDS[:4]), [67 * 4, 0, 67 * 4, (16 + 6) * 4])
        self.assertEqual(self.report("bf16-mixed")["memory_32_true"], wide["memory"])
        self.assertEqual(wide["memory_32_true"], wide["memory"])

    def test_weights_list_how_they_are_stored(self):
        def stored(spec):
            report = self.report(spec)
            self.assertEqual({weight["name"]: weight["shape"] for weight in report["weights"]}, PARAMETERS)
            found = {(tuple(weight["types"]), tuple(weight["roles"])) for weight in report["weights"]}
            self.assertEqual(len(found), 1)
            return found.pop(), memory(report, KINDS[:3])

        self.assertEqual(stored("bf16-mixed"), ((("f32", "bf16"), ("master", "copy")), [134, 268, 268]))
        self.assertEqual(stored('{"precision": "bf16-mixed", "masters": "split"}'),
                         ((("i16", "bf16"), ("low half", "high half")), [134, 134, 268]))
        self.assertEqual(stored("16-true"), ((("f16",), ("weight",)), [134, 0, 134]))
        self.assertEqual(stored("O2"), ((("f32", "f16"), ("master", "copy")), [134, 268, 268]))
        self.assertEqual(stored("64-true"), ((("f64",), ("weight",)), [536, 0, 536]))

    def test_the_arena_is_the_compiled_librarys(self):
        library = TOOL.compile(self.model, Path(self.folder.name) / "library", *FLAGS, "--precision", "16-mixed")
        manifest = json.loads((library / "model.manifest.json").read_text())
        self.assertEqual(self.report("16-mixed")["memory"]["arena"], manifest["arena_bytes"])

    def test_every_mode_reports_on_every_kind_of_model(self):
        for name in ("mlp", "cnn", "transformer"):
            for mode in MODES:
                with self.subTest(model=name, precision=mode):
                    report = json.loads(TOOL("inspect", REFERENCES / name / "model.json", "--loss", "cross_entropy",
                                             "--precision", mode, "--json"))
                    self.assertEqual(sum(memory(report)), report["memory"]["arena"])
                    self.assertGreater(min(report["memory"]["params"], report["memory"]["activations"],
                                           report["memory"]["workspace"]), 0)
                    self.assertEqual(report["memory"]["activations"],
                                     sum(value["bytes"] for value in report["activations"]))
                    self.assertLessEqual(report["casts"]["after"], report["casts"]["before"])
                    self.assertEqual(len(report["casts"]["list"]), report["casts"]["after"])
                    for op in report["ops"]:
                        self.assertIn(op["class"], CLASSES)
                        self.assertTrue(op["name"] and op["type"] and op["reason"], op)

    def test_running_statistics_are_buffers(self):
        report = json.loads(TOOL("inspect", DIGITS / "cnn.json", "--recipe", DIGITS / "recipe.json", "--json",
                                 "--precision", "O2"))
        buffers = {weight["name"] for weight in report["weights"] if weight["buffer"]}
        self.assertEqual(buffers, {"bn%d.running_%s" % (i, kind) for i in (1, 2) for kind in ("mean", "var")})
        kept = [op for op in report["ops"] if op["op"] == "nn.batch_norm"]
        self.assertEqual({op["reason"] for op in kept}, {"keep_batchnorm_fp32"})


class Text(ReportCase):
    def test_the_first_line_is_a_summary(self):
        self.assertRegex(self.text("bf16-mixed").splitlines()[0],
                         r"^tiny.json: bf16-mixed on cpu, batch 2: 5 ops \(1 fp32, 2 lower, 2 untouched\), "
                         r"casts 11 -> 7 \(as kernels: 1\), arena [\d.]+ KiB \(32-true: [\d.]+ KiB\)$")

    def test_columns_stand_below_their_headings(self):
        lines = self.text("bf16-mixed").splitlines()
        head = next(i for i, line in enumerate(lines) if line.startswith("layer"))
        for heading, value in (("op", "nn.matmul"), ("class", "lower"), ("type", "bf16"), ("reason", "list cpu")):
            self.assertEqual(re.search(r"\b%s\b" % heading, lines[head]).start(), lines[head + 1].index(value))
        self.assertIn("weight      shape  stored as              bytes", lines)
        self.assertIn("fc1.weight  8x4    f32 master, bf16 copy  192 B", lines)

    def test_estimates_are_called_so(self):
        self.assertIn("est. us: an estimate, 'moves' at 10 GB/s, not a measurement", self.text("bf16-mixed"))

    def test_control_bytes_of_names_are_escaped(self):
        # JSON models cannot hold such names, those in MLIR can.
        model = self.model.with_suffix(".mlir")
        model.write_text(self.text("32-true", "--after", "import").replace("@fc1.weight", '@"a\\0A\\1B[31mb"'))
        text = TOOL("inspect", model, "--batch", "2")
        self.assertIn("a\\n\\x1b[31mb", text)
        self.assertNotIn("\x1b", text)


class Diff(ReportCase):
    OTHER = json.dumps({"precision": "bf16-mixed", "layers": {"fc1": "fp32"}})

    def test_what_differs_is_listed(self):
        found = self.report("bf16-mixed", "--diff", self.OTHER)
        self.assertEqual([(op["name"], op["a"]["type"], op["b"]["type"], op["b"]["reason"]) for op in found["ops"]],
                         [("fc1", "bf16", "f32", "layers 'fc1'"), ("act", "bf16", "f32", "list cpu")])
        self.assertEqual(found["reports"][0], dict(self.report("bf16-mixed"), label="bf16-mixed (first)"))
        self.assertEqual(found["reports"][1], dict(self.report(self.OTHER), label="bf16-mixed (second)"))
        self.assertEqual(found["casts"]["before"], [report["casts"]["before"] for report in found["reports"]])
        self.assertEqual(found["memory"]["params"], [134, 35 * 2 + 32 * 4 - 8 * 2 + 8 * 4])

    def test_text_shows_both_sides(self):
        text = self.text("32-true", "--diff", "O1")
        self.assertIn("4 of 5 ops differ\n", text)
        self.assertRegex(text, r"\nfc1 +nn.matmul +untouched f32 +lower f16 +precision 32-true +list apex\n")
        self.assertRegex(text, r"\nplaced +0 +11\n")
        self.assertRegex(text, r"\nparams +268 B +134 B +2.00\n")

    def test_a_spec_does_not_differ_from_itself(self):
        self.assertEqual(self.report("O2", "--diff", "O2")["ops"], [])

    def test_other_flags_hold_for_both(self):
        found = self.report("bf16-mixed", "--diff", "32-true", "--set", "optimizer.momentum=null", "--optimizer",
                            "adamw")
        self.assertEqual(found["memory"]["moments"], [2 * 67 * 4, 2 * 67 * 4])


class Tpu(ReportCase):
    def test_16_becomes_bf16_with_a_note(self):
        report = self.report("16", "--target", "tpu")
        self.assertEqual((report["precision"], report["target"]), ("bf16-mixed", "tpu"))
        self.assertEqual(report["notes"],
                         ["'16' means 'bf16-mixed' on target tpu, whose only 16-bit type is bf16"])
        self.assertIn("note: '16' means 'bf16-mixed' on target tpu", self.text("16", "--target", "tpu"))

    def test_there_is_no_code_for_it(self):
        target = [self.model, *FLAGS, "--precision", "16", "--target", "tpu"]
        self.assertIn("halfstep inspect", self.fails(UNSUPPORTED, "compile", *target))
        self.fails(UNSUPPORTED, "compile", *target, "--emit", "asm")
        self.fails(UNSUPPORTED, "inspect", *target, "--emit", "asm")
        self.fails(UNSUPPORTED, "inspect", *target, "--after", "kernels")
        self.assertIn("train.kernel", TOOL("inspect", *target, "--after", "plan-memory"))

    def test_it_has_no_f64(self):
        self.fails(USAGE, "inspect", self.model, *FLAGS, "--precision", "64-true", "--target", "tpu")


class Errors(ReportCase):
    def test_reports_and_ir_are_not_printed_together(self):
        base = ["inspect", self.model, *FLAGS]
        for flags in (["--json", "--after", "fuse"], ["--diff", "O1", "--after", "fuse"], ["--emit", "asm", "--json"],
                      ["--emit", "asm", "--html", "page.html"], ["--emit", "asm", "--after", "fuse"],
                      ["--html", "page.html", "--after", "asm"], ["--html", ""], ["--diff", ""]):
            with self.subTest(flags=flags):
                self.fails(USAGE, *base, *flags)

    def test_a_bad_second_spec(self):
        base = ["inspect", self.model, *FLAGS, "--diff"]
        self.assertIn("--diff: /precision/precision: unknown precision 'O9'", self.fails(USAGE, *base, "O9"))
        self.fails(IO, *base, "missing.json")
        self.fails(BAD_INPUT, *base, '{"precision": "bf16-mixed", "scaler": {}}')

    def test_a_bad_model(self):
        self.fails(IO, "inspect", "missing.json", *FLAGS)
        self.fails(USAGE, "inspect", self.model)
        self.model.write_text("{")
        self.fails(BAD_INPUT, "inspect", self.model, *FLAGS)

    def test_ir_of_later_stages_is_no_model(self):
        later = self.model.with_suffix(".mlir")
        for stage, op in (("differentiate", "train.gradient"), ("optimizer", "amp.check_finite"),
                          ("fuse", "train.kernel")):
            later.write_text(self.text("bf16-mixed", "--after", stage))
            error = self.fails(BAD_INPUT, "inspect", later, "--batch", "2")
            self.assertRegex(error, r"tiny.mlir:\d+:\d+: '%s' is what the compiler adds" % op)


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
