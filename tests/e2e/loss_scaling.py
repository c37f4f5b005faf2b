#!/usr/bin/env python3
"""Loss scales: what a step that overflows leaves alone, how the scale moves, and where the trainer gives up.

usage: loss_scaling.py HALFSTEP [unittest's arguments]
"""

import array
import json
import math
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import Instance, StatusError  # noqa: E402
from tool import REFERENCES, Tool, logged_loss, read_log, read_safetensors, read_state, write_safetensors  # noqa: E402

MLP = REFERENCES / "mlp"
DATA = MLP / "data.safetensors"  # 128 samples of 64 numbers, ten classes: four batches of 32
BATCH, BATCHES = 32, 4
NUMERICS = 5
# Whatever has state of its own: batch statistics, a mask counted by steps, two moments.
STATEFUL = {
    "halfstep": 1,
    "inputs": {"x": {"dtype": "f32", "shape": ["N", 64]}},
    "layers": [{"op": "linear", "name": "fc1", "out": 24}, {"op": "batch_norm", "name": "bn"}, {"op": "relu"},
               {"op": "dropout", "name": "drop", "p": 0.3}, {"op": "linear", "name": "fc2", "out": 10}]}
TOOL = None


def spec(mode="16-mixed", **scaler):
    return json.dumps({"precision": mode, "scaler": scaler})


def to_f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def expected_scales(log, init, growth, backoff, interval, most=math.inf):
    """The scale of each step by torch.amp.GradScaler's rule: f64 products, rounded to f32."""
    scale, clean, scales = to_f32(init), 0, []
    for line in log:
        scales.append(scale)
        clean = 0 if line["skipped"] else clean + 1
        if line["skipped"]:
            scale = to_f32(scale * backoff)
        elif clean == interval:
            scale, clean = min(to_f32(scale * growth), most), 0
    return scales


def expected_with_hysteresis(log, init, interval, hysteresis, refill, least):
    """The scale of each step by DeepSpeed's and Megatron's rule (`refill` growth), or that of Apex's hysteresis."""
    scale, clean, left, scales = init, 0, hysteresis, []
    for line in log:
        scales.append(scale)
        if line["skipped"]:
            clean, left = 0, left - 1
            scale = max(scale / 2, least) if left <= 0 else scale
        else:
            clean += 1
            left = hysteresis if refill == "clean" else left
        if clean == interval:
            scale, clean, left = 2 * scale, 0, hysteresis
    return scales


def first_batch():
    data = read_safetensors(DATA)
    return data["x"][1][:64 * BATCH], data["y"][1][:BATCH]


class LossScaling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)
        (cls.work / "stateful.json").write_text(json.dumps(STATEFUL))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name=""):
        return self.work / (self.id().split(".")[-1] + name)

    def compile(self, precision, name="", model=None, *flags):
        return TOOL.compile(model or self.work / "stateful.json", self.path(name), "--loss", "cross_entropy", "--batch",
                            BATCH, "--precision", precision, *(flags or ("--optimizer", "adamw", "--lr", "0.003")))

    def assert_skips(self, model, x, y):
        """A step on x and y is skipped, and leaves every bit of the state and of what the model computes."""
        good_x, good_y = first_batch()
        before = model.eval_step([good_x], [good_y])
        model.save(self.path(".before"))
        result = model.train_step([x], [y])
        model.save(self.path(".after"))
        self.assertEqual((result.skipped, result.updates), (1, 2))
        self.assertTrue(math.isnan(result.grad_norm))
        self.assertEqual(model.eval_step([good_x], [good_y]), before)
        old, new = read_state(self.path(".before")), read_state(self.path(".after"))
        self.assertGreater(len(old), 10)
        self.assertEqual(old, new)
        return result.scale

    def test_an_overflow_changes_no_bit(self):
        x, y = first_batch()
        for mode in ("16-mixed", "O1"):
            library = self.compile(spec(mode, init=1024), mode)
            with Instance(library / "libmodel.so", "model", threads=2) as model:
                for _ in range(2):
                    self.assertEqual(model.train_step([x], [y]).skipped, 0)
                scale = 1024.0
                for at in (0, len(x) // 2, len(x) - 1):
                    for bad in (math.inf, -math.inf, math.nan):
                        wrong = array.array("f", x)
                        wrong[at] = bad
                        self.assertEqual(self.assert_skips(model, wrong, y), scale)
                        scale /= 2
                self.assertEqual(model.train_step([x], [y]).updates, 3)

    def test_a_scale_that_is_too_high_changes_no_bit(self):
        x, y = first_batch()
        library = self.compile(spec(init=1024, growth=2.0**60, interval=2))
        with Instance(library / "libmodel.so", "model") as model:
            for _ in range(2):
                self.assertEqual(model.train_step([x], [y]).skipped, 0)
            # The inputs are good: it is the scale alone that overflows f16.
            for back in range(3):
                self.assertEqual(self.assert_skips(model, x, y), 2.0**(70 - back))

    def test_scales_follow_torchs_rule(self):
        settings = {"init": 1e9, "growth": 1.7, "backoff": 0.3, "interval": 3}
        library = self.compile(spec(**settings))
        log = TOOL.train(library, "--data", DATA, "--steps", "120", log=self.path(".log"))
        self.assertEqual([line["scale"] for line in log], expected_scales(log, **settings))
        skipped = [line["skipped"] for line in log]
        self.assertTrue(skipped[0] and 10 < sum(skipped) < 60, skipped)
        updates = 0
        for line in log:
            updates += not line["skipped"]
            self.assertEqual(line["updates"], updates)
            self.assertEqual(line["grad_norm"] is None, line["skipped"])

    def test_presets_with_hysteresis(self):
        cases = [({"preset": "deepspeed", "init": 2.0**30, "interval": 4}, 4, 2, "growth", 1),
                 ({"preset": "megatron", "interval": 3, "hysteresis": 3}, 3, 3, "growth", 1),
                 ({"preset": "apex", "init": 2.0**24, "max": 2.0**40, "interval": 2, "hysteresis": 2}, 2, 2, "clean", 0)]
        for settings, interval, hysteresis, refill, least in cases:
            with self.subTest(settings["preset"]):
                library = self.compile(spec(**settings), settings["preset"])
                log = TOOL.train(library, "--data", DATA, "--steps", "100", log=self.path(".log"))
                scales = [line["scale"] for line in log]
                init = settings.get("init", 2.0**32)
                self.assertEqual(scales, expected_with_hysteresis(log, init, interval, hysteresis, refill, least))
                held = [a["skipped"] and a["scale"] == b["scale"] for a, b in zip(log, log[1:])]
                self.assertTrue(any(held) and len(set(scales)) > 5, scales)

    def test_growth_ends_at_the_maximum(self):
        settings = {"init": 2, "growth": 2, "backoff": 0.5, "interval": 2}
        library = self.compile(spec("O1", max=24, **settings))
        log = TOOL.train(library, "--data", DATA, "--steps", "16", log=self.path(".log"))
        self.assertEqual([line["scale"] for line in log], expected_scales(log, most=24.0, **settings))
        self.assertEqual(log[-1]["scale"], 24)

    def test_apexs_preset_holds_the_minimum(self):
        x, y = first_batch()
        x[0] = math.inf
        library = self.compile(spec(init=8, min=3, preset="apex"))
        with Instance(library / "libmodel.so", "model") as model:
            self.assertEqual([model.train_step([x], [y]).scale for _ in range(5)], [8, 4, 3, 3, 3])

    def test_torchs_preset_has_no_floor(self):
        x, y = first_batch()
        x[0] = math.inf
        library = self.compile(spec(init=8, min=3, backoff=2.0**-60))
        with Instance(library / "libmodel.so", "model") as model:
            scales = [model.train_step([x], [y]).scale for _ in range(5)]
        self.assertEqual(scales, [8, 2.0**-57, 2.0**-117, 0, 0])

    def test_powers_of_two_cancel(self):
        logs = []
        for name, flags in (("32", ["--precision", "32-true"]), ("O0", ["--precision", "O0"]),
                            ("scaled", ["--amp-level", "O0", "--loss-scale", "128"])):
            library = TOOL.compile(self.work / "stateful.json", self.path(name), "--loss", "cross_entropy", "--batch",
                                   BATCH, "--momentum", "0.9", *flags)
            logs.append(TOOL.train(library, "--data", DATA, "--steps", "12", log=self.path(name + ".log")))
        self.assertEqual([line["scale"] for line in logs[2]], [128] * 12)
        for log in logs[1:]:
            for key in ("loss_hex", "grad_norm"):
                self.assertEqual([line[key] for line in log], [line[key] for line in logs[0]], key)

    def test_skips_leave_the_trajectory(self):
        reference = json.loads((MLP / "mlp.reference.json").read_text())
        flags = ["--lr", str(reference["optimizer"]["lr"]), "--momentum", str(reference["optimizer"]["momentum"])]
        # Four steps overflow, from 2^41 to 2^23; at 2^17 there is room.
        library = self.compile(spec(init=2.0**41, backoff=2.0**-6), "", MLP / "model.json", *flags)
        log = TOOL.train(library, "--data", DATA, "--weights", MLP / "weights.safetensors", "--no-shuffle", "--steps",
                         "40", log=self.path(".log"))
        applied = [line for line in log if not line["skipped"]]
        # One whole pass over the data is skipped, so that the applied steps see the batches of the reference's.
        self.assertEqual([line["skipped"] for line in log], [True] * BATCHES + [False] * 36)
        steps = zip(applied, reference["losses"], reference["tolerance"]["16-mixed"])
        for line, exact, allowed in steps:
            self.assertLessEqual(abs(logged_loss(line) - exact), allowed, line["step"])

    def test_resuming_keeps_the_scaler(self):
        library = self.compile(spec(init=2.0**26, growth=2.0, interval=5))
        whole = self.train_to(library, "11", "a", "--checkpoint", self.path(".a"))
        self.train_to(library, "6", "b", "--checkpoint", self.path(".b"))
        parts = self.train_to(library, "11", "b", "--checkpoint", self.path(".b"), "--resume", self.path(".b"))
        for key in ("loss_hex", "scale", "skipped", "updates"):
            self.assertEqual([line[key] for line in parts], [line[key] for line in whole], key)
        files = [self.path("." + run) / "step-11.safetensors" for run in "ab"]
        self.assertEqual(files[0].read_bytes(), files[1].read_bytes())

    def test_resuming_within_a_hysteresis(self):
        library = self.compile(spec(preset="megatron", hysteresis=3))
        whole = self.train_to(library, "12", "a")
        self.assertEqual([line["scale"] for line in whole[:4]], [2.0**32] * 3 + [2.0**31])
        self.train_to(library, "2", "b", "--checkpoint", self.path(".b"))
        parts = self.train_to(library, "12", "b", "--resume", self.path(".b"))
        self.assertEqual([line["scale"] for line in parts], [line["scale"] for line in whole])

    def train_to(self, library, steps, log, *flags):
        return TOOL.train(library, "--data", DATA, "--steps", steps, *flags, log=self.path(log + ".log"))

    def bad_data(self):
        data = read_safetensors(DATA)
        data["x"][1][::64] = array.array("f", [1e30]) * 128  # infinite in f16
        write_safetensors(self.path(".bad"), data)
        bad = self.path(".bad.safetensors")
        self.path(".bad").rename(bad)
        return bad

    def give_up(self, library, data, *flags):
        """The diagnostics of a training run that ends with code 5."""
        words = [TOOL.path, "train", library, "--data", data, "--steps", "60", *flags]
        result = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual(result.returncode, NUMERICS, result.stderr)
        return result.stderr

    def test_the_trainer_gives_up_at_the_least_scale(self):
        data = self.bad_data()
        cases = [(spec(init=4, min=1), 3, "from 1 to 0.5"), (spec(init=4, min=1, preset="apex"), 3, "from 1 to 0.5"),
                 (spec(init=2.0**-22), 3, "5.96046e-08"),
                 (spec(init=4, preset="deepspeed"), 4, "from 1 to 0.5")]
        for number, (precision, steps, part) in enumerate(cases):
            log = self.path(".%d.log" % number)
            said = self.give_up(self.compile(precision, str(number)), data, "--log", log)
            self.assertIn("the loss scale would fall", said)
            self.assertIn(part, said)
            self.assertEqual(len(read_log(log)), steps)

    def test_a_static_scale_stops_at_an_overflow(self):
        library = self.compile('{"precision": "16-mixed", "loss_scale": 1e30}')
        said = self.give_up(library, DATA)
        self.assertIn("not finite", said)
        x, y = first_batch()
        with Instance(library / "libmodel.so", "model") as model:
            model.save(self.path(".before"))
            self.assertRaises(StatusError, model.train_step, [x], [y])
            model.save(self.path(".after"))
            self.assertEqual(read_state(self.path(".before")), read_state(self.path(".after")))


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
