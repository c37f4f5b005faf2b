#!/usr/bin/env python3
"""The samples, as their scripts run them: digits, a training loop of one's own in C, a table, and a GPT that writes.

usage: samples.py HALFSTEP [unittest's arguments]
"""

import os
import re
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from tool import DIGITS, ROOT, Tool, run  # noqa: E402

ENOUGH = 0.97  # of the 360 held-out digits
MODES = ("32-true", "bf16-mixed", "16-mixed")
TOOL = None


def accuracy_of(text):
    last = text.splitlines()[-1]
    prefix = "held-out accuracy: "
    assert last.startswith(prefix), last
    return float(last[len(prefix):])


class Samples(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = Path(folder.name)

    def script(self, path, precision):
        environment = {"HALFSTEP": TOOL.path, "PRECISION": precision, "OUT": str(self.work / precision)}
        return accuracy_of(run([ROOT / path], environment=environment))

    def test_digits_cnn(self):
        for precision in ("32-true", "O2"):  # the others are the demo's
            self.assertGreaterEqual(self.script("samples/digits/demo.sh", precision), ENOUGH, precision)

    def test_demo_shows_skipped_steps_and_ends_with_the_accuracy(self):
        text = run([DIGITS / "demo.sh"], environment={"HALFSTEP": TOOL.path, "OUT": str(self.work)})
        steps = re.findall(r"^step (\d+)  updates (\d+)  loss [\d.]+  scale ([\d.]+)  skipped (\w+)$", text, re.M)
        skips = [step for step in steps if step[3] == "true"]
        self.assertGreaterEqual(len(skips), 1)
        self.assertEqual(skips, steps[:len(skips)])  # then the scale fits
        self.assertEqual([float(step[2]) for step in steps[:len(skips) + 1]],
                         [2.0**(24 - i) for i in range(len(skips) + 1)])
        self.assertEqual([int(step[1]) for step in steps], [max(0, i + 1 - len(skips)) for i in range(len(steps))])
        self.assertEqual(text.count("held-out accuracy: "), 3)
        self.assertGreaterEqual(accuracy_of(text), ENOUGH)

    def test_digits_mlp(self):
        for precision in MODES:
            said = TOOL("train", DIGITS / "mlp.json", "--recipe", DIGITS / "mlp.recipe.json", "--data",
                        DIGITS / "data" / "digits.safetensors", "--val-split", "0.2", "--precision", precision)
            self.assertGreaterEqual(accuracy_of(said), ENOUGH, precision)

    def test_own_loop_in_c(self):
        for precision in MODES:
            self.assertGreaterEqual(self.script("samples/own-loop-c/run.sh", precision), ENOUGH, precision)

    def test_tabular(self):
        text = run([ROOT / "samples/tabular/run.sh"], environment={"HALFSTEP": TOOL.path, "OUT": str(self.work)})
        loss = re.fullmatch(r"held-out loss: ([\d.]+)", text.splitlines()[-1])
        self.assertLess(float(loss.group(1)), 1.5)  # the noise alone is 1

    def test_character_gpt_writes_text(self):
        environment = {"HALFSTEP": TOOL.path, "OUT": str(self.work), "EPOCHS": "6", "LENGTH": "100"}
        text = run([ROOT / "samples/character-gpt/run.sh"], environment=environment)
        said, written = text.split("\n---\n")
        loss = float(re.search(r"^held-out loss: ([\d.]+)$", said, re.M).group(1))
        self.assertLess(loss, 3)  # 5.5 at the start; the characters' frequencies alone give 3.1
        self.assertTrue(written.startswith("The "))
        self.assertEqual(len(written), len("The ") + 100 + len("\n"))
        corpus = Path("/usr/share/common-licenses/GPL-3").read_text()
        self.assertTrue(set(written) <= set(corpus))

    def test_digits_library_is_small(self):
        folder = TOOL.compile(DIGITS / "cnn.json", self.work / "digits", "--recipe", DIGITS / "recipe.json",
                              "--precision", "bf16-mixed", "--cpu-gemm", "generated", name="digits")
        self.assertLess(os.path.getsize(folder / "libdigits.so"), 1 << 20)


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
