#!/usr/bin/env python3
"""What surrounds an update: schedules, groups of parameters, and gradients summed over batches.

usage: optimization.py HALFSTEP [unittest's arguments]
"""

import array
import json
import math
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import Instance, StatusError  # noqa: E402
from tool import REFERENCES, Tool, logged_loss, read_safetensors, take_samples, write_safetensors  # noqa: E402

MLP = REFERENCES / "mlp"  # 64-32-10
DATA = MLP / "data.safetensors"
LOSS = ["--loss", "cross_entropy", "--cpu-gemm", "generated"]
RUN = ["--data", DATA, "--weights", MLP / "weights.safetensors", "--no-shuffle"]
PARAMETERS = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
TOOL = None


class Optimization(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name=""):
        return self.work / (self.id().split(".")[-1] + name)

    def compile(self, *flags, name="lib"):
        return TOOL.compile(MLP / "model.json", self.path("." + name), *LOSS, *flags)

    def weights_after(self, run):
        TOOL("export", run, "-o", str(run) + ".safetensors")
        return read_safetensors(str(run) + ".safetensors")

    #
    # Schedules
    #

    def test_the_rate_follows_the_updates_and_resumes(self):
        library = self.compile("--batch", "32", "--lr", "0.5", "--schedule", "cosine", "--warmup-steps", "4",
                               "--min-lr", "0.125")
        whole, parts = self.path(".whole"), self.path(".parts")
        log = TOOL.train(library, *RUN, "--steps", "12", "--checkpoint", whole, "--checkpoint-every", "5",
                         log=self.path(".a"))
        rates = [0.5 * (n + 1) / 5 for n in range(4)]
        rates += [0.125 + 0.375 * (1 + math.cos(math.pi * t / 8)) / 2 for t in range(8)]
        for line, rate in zip(log, rates):
            self.assertAlmostEqual(line["lr"], rate, delta=1e-15)
        # A run that goes on keeps the length that the schedule had.
        again = TOOL.train(library, "--data", DATA, "--no-shuffle", "--steps", "14", "--resume",
                           whole / "step-5.safetensors", "--checkpoint", parts, log=self.path(".b"))
        self.assertEqual([line["loss_hex"] for line in again[:7]], [line["loss_hex"] for line in log[5:]])
        self.assertEqual([line["lr"] for line in again[7:]], [0.125, 0.125])

    def test_a_skipped_step_leaves_the_rate_alone(self):
        library = self.compile("--batch", "32", "--lr", "0.25", "--precision", "16-mixed", "--schedule", "linear",
                               "--schedule-steps", "8", "--set", "precision.scaler.init=1048576")
        log = TOOL.train(library, *RUN, "--steps", "12", log=self.path(".log"))
        skipped = [line["skipped"] for line in log]
        self.assertTrue(skipped[0] and not skipped[-1], skipped)
        before = 0
        for line in log:
            self.assertAlmostEqual(line["lr"], 0.25 * (1 - min(before, 8) / 8), delta=1e-15)
            before = line["updates"]

    #
    # Groups
    #

    def test_groups_have_their_own_rate_and_decay(self):
        groups = [{"match": "fc1.*", "lr_scale": 0.5}, {"match": "*.bias", "weight_decay": 0}]
        common = ["--batch", "32", "--lr", "0.0625", "--weight-decay", "0.25", "--precision", "64-true"]
        plain = self.compile(*common, name="plain")
        grouped = self.compile(*common, "--set", "optimizer.groups=" + json.dumps(groups), name="grouped")
        start = read_safetensors(MLP / "weights.safetensors")
        after = {}
        for library in (plain, grouped):
            run = self.path(".run" + library.suffix)
            TOOL.train(library, *RUN, "--steps", "1", "--checkpoint", run)
            after[library] = self.weights_after(run)
        for name in PARAMETERS:
            old, one, two = (values[name][1] for values in (start, after[plain], after[grouped]))
            for w, a, b in zip(old, one, two):
                # The first group that matches decides: fc1.bias has its rate and keeps its decay.
                expected = w + (a - w) / 2 if name.startswith("fc1") else a
                if name == "fc2.bias":
                    expected = a + 0.0625 * 0.25 * w
                self.assertAlmostEqual(b, expected, delta=1e-14, msg=name)

    def test_frozen_parameters_cost_nothing_and_stay(self):
        frozen = ["--set", 'optimizer.groups=[{"match": "fc1.*", "frozen": true}]']
        flags = ["--batch", "32", "--lr", "0.0625", "--optimizer", "adam", "--precision", "bf16-mixed", *frozen]
        library = self.compile(*flags)
        run = self.path(".run")
        TOOL.train(library, *RUN, "--steps", "3", "--checkpoint", run)
        start, after = read_safetensors(MLP / "weights.safetensors"), self.weights_after(run)
        for name in PARAMETERS:
            self.assertEqual(start[name][1] == after[name][1], name.startswith("fc1"), name)
        state = [name for name in read_safetensors_names(run / "step-3.safetensors") if name.startswith("opt.")]
        self.assertEqual(sorted(state), ["opt.exp_avg.fc2.bias", "opt.exp_avg.fc2.weight", "opt.exp_avg_sq.fc2.bias",
                                         "opt.exp_avg_sq.fc2.weight"])
        text = TOOL("inspect", MLP / "model.json", *LOSS, *flags, "--after", "differentiate")
        self.assertEqual(text.count("train.gradient"), 2)
        self.assertNotIn("nn.tanh_backward", text)

    #
    # Accumulation
    #

    def check_accumulation(self, mode, tolerance, *flags):
        """40 samples an update, of batches of 16, 16 and 8, against the batch of 40."""
        data = self.path(".data.safetensors")
        write_safetensors(data, take_samples(read_safetensors(DATA), 0, 40))
        common = ["--optimizer", "sgd", "--momentum", "0.5", "--lr", "0.0625", "--precision", mode, *flags]
        small = self.compile(*common, "--batch", "16", "--tail", "8", "--accumulate", "3", name="small" + mode)
        large = self.compile(*common, "--batch", "40", name="large" + mode)
        run = ["--data", data, "--weights", MLP / "weights.safetensors", "--no-shuffle", "--steps", "4"]
        logs, weights = [], []
        for library in (small, large):
            checkpoint = self.path(library.suffix + ".run")
            logs.append(TOOL.train(library, *run, "--checkpoint", checkpoint, log=self.path(".log" + library.suffix)))
            weights.append(self.weights_after(checkpoint))
        for one, other in zip(*logs):
            self.assertEqual((one["step"], one["updates"], one["epoch"]), (other["step"], other["updates"], other["epoch"]))
            self.assertAlmostEqual(logged_loss(one), logged_loss(other), delta=max(tolerance, 2e-7))
            self.assertAlmostEqual(one["grad_norm"], other["grad_norm"], delta=max(tolerance, 2e-7))
        for name in PARAMETERS:
            error = max(abs(a - b) for a, b in zip(weights[0][name][1], weights[1][name][1]))
            self.assertLess(error, tolerance, name)

    # Both sums are rounded: by sqrt(40) units of the type of the gradients, of numbers below 1, in four steps.
    def test_accumulation_is_the_large_batch(self):
        for mode, unit in (("64-true", 2.0**-53), ("32-true", 2.0**-24), ("bf16-mixed", 2.0**-8), ("16-mixed", 2.0**-11)):
            with self.subTest(mode):
                flags = ["--loss-scale", "1024"] if mode == "16-mixed" else []
                self.check_accumulation(mode, 4 * 6.4 * unit * (0.0625 if unit > 2**-20 else 1), *flags)

    def test_means_by_weights_accumulate_too(self):
        weights = ",".join(str(0.25 * (1 + i)) for i in range(10))
        self.check_accumulation("64-true", 4 * 6.4 * 2.0**-53, "--class-weights", weights, "--ignore-index", "3")

    def test_sums_accumulate_as_sums(self):
        self.check_accumulation("64-true", 40 * 4 * 6.4 * 2.0**-53, "--reduction", "sum", "--clip-norm", "0.5")

    def batch(self, first, code="f"):
        part = take_samples(read_safetensors(DATA), first, first + 8)
        return array.array(code, part["x"][1]), array.array("q", part["y"][1])

    def test_one_overflow_skips_all_batches_of_an_update(self):
        library = self.compile("--batch", "8", "--accumulate", "2", "--precision", "16-mixed", "--lr", "0.5")
        (x, y), (z, t) = self.batch(0), self.batch(8)
        bad = array.array("f", x)
        bad[5] = math.inf
        with Instance(library / "libmodel.so", "model", seed=3) as model:
            model.set_scaler(1024.0)
            start = {name: model.get(name) for name in PARAMETERS}
            for windows in ([bad, x], [x, bad]):
                self.assertEqual(model.accumulate_step([windows[0]], [y]).skipped, 0)
                self.assertEqual(model.train_step([windows[1]], [y]).skipped, 1)
            self.assertEqual({name: model.get(name) for name in PARAMETERS}, start)
            self.assertEqual(model.scaler(), (256.0, 0))
            model.accumulate_step([x], [y])
            result = model.train_step([z], [t])
            self.assertEqual((result.skipped, result.updates, model.scaler()), (0, 1, (256.0, 1)))
            self.assertTrue(math.isfinite(result.grad_norm))
            self.assertNotEqual({name: model.get(name) for name in PARAMETERS}, start)

    def test_checkpoints_stand_between_updates(self):
        library = self.compile("--batch", "8", "--accumulate", "2", "--lr", "0.5")
        (x, y), (z, t) = self.batch(0), self.batch(8)
        with Instance(library / "libmodel.so", "model", seed=3) as model:
            model.save(self.path(".start"))
            model.accumulate_step([x], [y])
            with self.assertRaisesRegex(StatusError, "gradients of 1 batches wait for an update"):
                model.save(self.path(".between"))
            first = model.train_step([z], [t]).loss
            # Loading forgets what waits.
            model.accumulate_step([z], [t])
            model.load(self.path(".start"))
            model.accumulate_step([x], [y])
            self.assertEqual(model.train_step([z], [t]).loss, first)
        self.assertFalse(self.path(".between").exists())

    def test_other_libraries_do_not_accumulate(self):
        library = self.compile("--batch", "8", name="plain")
        x, y = self.batch(0)
        with Instance(library / "libmodel.so", "model") as model:
            with self.assertRaisesRegex(StatusError, "compile it with --accumulate 2"):
                model.accumulate_step([x], [y])

    #
    # Metrics
    #

    def test_accuracy_of_binary_targets_and_of_labels_that_count(self):
        data = read_safetensors(DATA)
        bits = array.array("f", [float(i % 3 == 0) for i in range(128 * 10)])
        path = self.path(".safetensors")
        write_safetensors(path, {"x": data["x"], "y": ([128, 10], bits)})
        library = TOOL.compile(MLP / "model.json", self.path(".bce"), "--loss", "bce_with_logits", "--batch", "32",
                               "--cpu-gemm", "generated")
        said = json.loads(TOOL("eval", library, "--weights", MLP / "weights.safetensors", "--data", path, "--json"))
        TOOL("predict", library, "--weights", MLP / "weights.safetensors", "--data", path, "-o", self.path(".out.safetensors"))
        logits = next(iter(read_safetensors(self.path(".out.safetensors")).values()))[1]
        hits = sum((x > 0) == (t > 0.5) for x, t in zip(logits, bits))
        self.assertEqual(said["accuracy"], hits / len(bits))
        loss = sum(max(x, 0) - x * t + math.log1p(math.exp(-abs(x))) for x, t in zip(logits, bits)) / len(bits)
        self.assertAlmostEqual(said["loss"], loss, delta=1e-6)


def read_safetensors_names(path):
    content = Path(path).read_bytes()
    return json.loads(content[8:8 + int.from_bytes(content[:8], "little")])


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
