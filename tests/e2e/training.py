#!/usr/bin/env python3
"""Training runs as a whole: resuming, checkpoints, evaluation and prediction, short batches, the application's threads.

usage: training.py HALFSTEP [unittest's arguments]
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
from generated import PARALLEL_FOR, Instance, StatusError  # noqa: E402
from tool import (REFERENCES, Failure, Tool, logged_loss, read_log, read_safetensors, take_samples,  # noqa: E402
                  write_safetensors)

MLP = REFERENCES / "mlp"
DATA = MLP / "data.safetensors"  # 128 samples of 64 numbers, ten classes
GENERATED = ["--cpu-gemm", "generated"]
# Whatever has state of its own: batch statistics, a mask counted by steps, two moments.
STATEFUL = {
    "halfstep": 1,
    "inputs": {"x": {"dtype": "f32", "shape": ["N", 64]}},
    "layers": [{"op": "linear", "name": "fc1", "out": 24}, {"op": "batch_norm", "name": "bn"}, {"op": "relu"},
               {"op": "dropout", "name": "drop", "p": 0.3}, {"op": "linear", "name": "fc2", "out": 10}]}
STAGES = ["import", "place-casts", "differentiate", "scale-loss", "optimizer", "minimize-casts", "masters", "fuse",
          "plan-memory", "kernels", "linalg", "llvm", "asm"]
BENCH_KEYS = {"workload", "precision", "target", "threads", "batch", "steps", "median_ms", "min_ms", "p90_ms",
              "first_step_s", "start_to_first_step_s", "peak_rss_mib", "arena_mib", "library_kib", "isa"}
LOG_KEYS = {"step", "updates", "epoch", "loss", "loss_hex", "lr", "scale", "skipped", "grad_norm", "step_ms",
            "samples_per_s"}
TOOL = None


def digits_of(log):
    return [line["loss_hex"] for line in log]


def read_npy(path):
    """(shape text, values) of a .npy file of f32."""
    content = Path(path).read_bytes()
    length = struct.unpack_from("<H", content, 8)[0]
    values = array.array("f")
    values.frombytes(content[10 + length:])
    return content[10:10 + length].decode(), values


def cross_entropy(logits, ids):
    """Mean loss and accuracy of rows of ten."""
    total, hits = 0.0, 0
    for row, target in enumerate(ids):
        scores = logits[10 * row:10 * row + 10]
        largest = max(scores)
        total += largest + math.log(sum(math.exp(s - largest) for s in scores)) - scores[target]
        hits += scores.index(largest) == target
    return total / len(ids), hits / len(ids)


def mlp_logits(weights, x):
    """The reference MLP, 64-32-10 with tanh, for one sample."""
    def linear(name, values):
        w, b = weights[name + ".weight"][1], weights[name + ".bias"][1]
        n = len(values)
        return [sum(w[o * n + i] * values[i] for i in range(n)) + b[o] for o in range(len(b))]
    return linear("fc2", [math.tanh(v) for v in linear("fc1", x)])


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)
        cls.mlp = TOOL.compile(MLP / "model.json", cls.work / "mlp", "--loss", "cross_entropy", "--batch", "32",
                               "--lr", "0.05", "--momentum", "0.9", *GENERATED)
        model = cls.work / "stateful.json"
        model.write_text(json.dumps(STATEFUL))
        cls.stateful = TOOL.compile(model, cls.work / "stateful", "--loss", "cross_entropy", "--batch", "24", "--tail",
                                    "8", "--optimizer", "adamw", "--lr", "0.003", "--precision", "bf16-mixed",
                                    *GENERATED)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name=""):
        return self.work / (self.id().split(".")[-1] + name)

    def train(self, library, *flags, log="log"):
        path = self.path("." + log)
        TOOL.train(library, "--data", DATA, *flags, log=path)
        return read_log(path)

    def test_resuming_within_an_epoch_is_bit_exact(self):
        # An epoch has six steps, of which the last is short: the run stops in the second epoch and in the third.
        whole = self.train(self.stateful, "--steps", "15", "--checkpoint", self.path(".whole"), "--seed", "5", log="a")
        for steps in ("8", "14", "15"):
            resume = ["--resume", self.path(".parts")] if steps != "8" else []
            parts = self.train(self.stateful, "--steps", steps, "--checkpoint", self.path(".parts"), "--seed", "5",
                               "--threads", "2", *resume, log="b")
        self.assertEqual(digits_of(parts), digits_of(whole))
        self.assertEqual([line["step"] for line in parts], list(range(1, 16)))
        files = [self.path(run) / "step-15.safetensors" for run in (".whole", ".parts")]
        self.assertEqual(files[0].read_bytes(), files[1].read_bytes())

    def test_log_has_every_field(self):
        line = self.train(self.mlp, "--steps", "5")[4]
        self.assertEqual(set(line), LOG_KEYS)
        self.assertEqual((line["step"], line["updates"], line["epoch"], line["skipped"]), (5, 5, 1, False))
        self.assertEqual(struct.pack(">f", line["loss"]).hex(), line["loss_hex"])
        self.assertGreater(line["grad_norm"], 0)

    def test_seeds_decide_weights_and_order(self):
        runs = [digits_of(self.train(self.mlp, "--steps", "3", "--seed", seed, log=str(i)))
                for i, seed in enumerate(("1", "1", "2"))]
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0][0], runs[2][0])

    def test_weights_evaluation_and_prediction_agree(self):
        self.train(self.mlp, "--steps", "6", "--checkpoint", self.path())
        weights = self.path(".safetensors")
        TOOL("export", self.path(), "-o", weights)
        said = json.loads(TOOL("eval", self.mlp, "--weights", weights, "--data", DATA, "--json"))
        again = TOOL("eval", self.mlp, "--checkpoint", self.path(), "--data", DATA, "--json")
        self.assertEqual(said, json.loads(again))
        TOOL("predict", self.mlp, "--weights", weights, "--data", DATA, "-o", self.path(".npy"))
        TOOL("predict", self.mlp, "--weights", weights, "--data", DATA, "-o", self.path(".out.safetensors"))
        header, logits = read_npy(self.path(".npy"))
        self.assertIn("(128, 10)", header)
        self.assertEqual(read_safetensors(self.path(".out.safetensors")), {"fc2": ([128, 10], logits)})
        data = read_safetensors(DATA)
        loss, accuracy = cross_entropy(logits, data["y"][1])
        self.assertAlmostEqual(said["loss"], loss, delta=1e-5)
        self.assertEqual((said["accuracy"], said["samples"]), (accuracy, 128))
        own = mlp_logits(read_safetensors(weights), data["x"][1][:64])
        for ours, theirs in zip(own, logits):
            self.assertAlmostEqual(ours, theirs, delta=1e-4)

    def test_a_short_last_batch_is_trained_exactly(self):
        data = read_safetensors(DATA)
        forty, eight = self.write_data("forty", data, 0, 40), self.write_data("eight", data, 32, 40)
        common = ["--loss", "cross_entropy", "--optimizer", "adamw", "--lr", "0.01", *GENERATED]
        both = TOOL.compile(MLP / "model.json", self.path(".32"), *common, "--batch", "32", "--tail", "8")
        alone = TOOL.compile(MLP / "model.json", self.path(".8"), *common, "--batch", "8")
        flags = ["--no-shuffle", "--weights", MLP / "weights.safetensors", "--data"]
        log = TOOL.train(both, *flags, forty, "--steps", "2", log=self.path(".log"))
        TOOL.train(both, *flags, forty, "--steps", "1", "--checkpoint", self.path(".one"))
        TOOL("export", self.path(".one"), "-o", self.path(".one.safetensors"))
        rest = TOOL.train(alone, "--no-shuffle", "--weights", self.path(".one.safetensors"), "--data",
                          eight, "--steps", "1", log=self.path(".rest"))
        self.assertAlmostEqual(logged_loss(log[1]), logged_loss(rest[0]), delta=1e-6)
        self.assertAlmostEqual(log[1]["grad_norm"], rest[0]["grad_norm"], delta=1e-5)

    def write_data(self, name, data, begin, end):
        path = self.path(".%s.safetensors" % name)
        write_safetensors(path, take_samples(data, begin, end))
        return path

    def test_all_stages_print(self):
        for stage in STAGES:
            common = [MLP / "model.json", "--loss", "cross_entropy", "--precision", "bf16-mixed"]
            text = TOOL("compile", *common, "--emit", stage)
            self.assertGreater(len(text), 500, stage)
            self.assertEqual(text, TOOL("inspect", *common, "--after", stage), stage)

    def test_printed_import_is_a_model(self):
        model = self.path(".mlir")
        model.write_text(TOOL("inspect", MLP / "model.json", "--loss", "cross_entropy", "--after", "import"))
        again = TOOL.compile(model, self.path(), "--batch", "32", "--lr", "0.05", "--momentum", "0.9", *GENERATED)
        logs = [self.train(library, "--steps", "4", log=library.name) for library in (self.mlp, again)]
        self.assertEqual(digits_of(logs[0]), digits_of(logs[1]))

    def test_the_application_may_run_the_threads(self):
        x = array.array("f", [(i % 17 - 8) / 8 for i in range(32 * 64)])
        y = array.array("q", [i % 10 for i in range(32)])
        cuts = []

        @PARALLEL_FOR
        def halves(_, body, argument, count, grain):
            middle = max(count // 2, min(grain, count))
            cuts.append(count)
            body(argument, 0, middle, 0)
            if middle < count:
                body(argument, middle, count, 1)

        losses = []
        for config in ({}, {"threads": 2, "parallel_for": halves}):
            with Instance(self.mlp / "libmodel.so", "model", **config) as model:
                losses.append([model.train_step([x], [y]).loss for _ in range(3)])
        self.assertEqual(*losses)

    def test_diverging_ends_with_numerics(self):
        library = TOOL.compile(MLP / "model.json", self.path(), "--loss", "mse", "--batch", "32", "--lr", "1e30",
                               *GENERATED)
        data = read_safetensors(DATA)
        write_safetensors(self.path(".safetensors"), {"x": data["x"], "y": ([128, 10], array.array("f", [0.5] * 1280))})
        TOOL.train(library, "--data", self.path(".safetensors"), "--steps", "50", expect=5)

    def test_ids_outside_the_table_are_refused(self):
        """An id would be an address: neither a file nor a pointer may bring one that the table does not have."""
        model = self.path(".json")
        layers = [{"op": "embedding", "name": "wte", "rows": 7, "out": 8},
                  {"op": "linear", "name": "head", "out": 5}]
        model.write_text(json.dumps({"halfstep": 1, "inputs": {"x": {"dtype": "i64", "shape": ["N", 3]}},
                                     "layers": layers}))
        library = TOOL.compile(model, self.path(), "--loss", "cross_entropy", "--batch", "2", *GENERATED)
        y = array.array("q", [4] * 6)
        with Instance(library / "libmodel.so", "model") as instance:
            before = instance.get("wte.weight")
            for wrong in (7, -1, 2**62):
                ids = array.array("q", [0, 6, 1, wrong, 2, 3])
                with self.assertRaisesRegex(StatusError, "id %d in sample 1 of 'x' is outside .0, 7" % wrong):
                    instance.train_step([ids], [y])
                write_safetensors(self.path(".safetensors"), {"x": ([2, 3], ids), "y": ([2, 3], y)})
                with self.assertRaisesRegex(Failure, "id .* in sample 1 is outside .0, 7"):
                    TOOL.train(library, "--data", self.path(".safetensors"), "--steps", "1")
            self.assertEqual(instance.get("wte.weight"), before)
            instance.train_step([array.array("q", [0, 6, 1, 5, 2, 3])], [y])
            self.assertNotEqual(instance.get("wte.weight"), before)

    def test_bench_reports_every_number(self):
        report = json.loads(TOOL("bench", self.mlp, "--steps", "20", "--json"))
        self.assertEqual(set(report), BENCH_KEYS)
        self.assertEqual((report["batch"], report["steps"], report["precision"]), (32, 20, "32-true"))
        self.assertLess(report["min_ms"], 50)

    def test_bench_profiles_the_kernels_of_a_model(self):
        report = json.loads(TOOL("bench", MLP / "model.json", "--loss", "cross_entropy", "--batch", "32", *GENERATED,
                                 "--steps", "50", "--profile", "--limits", "100,200,50", "--json"))
        self.assertEqual(set(report), BENCH_KEYS | {"limits", "kernels"})
        self.assertEqual(report["limits"], {"source": "flag", "f32_gflops": 100, "bf16_gflops": 200, "gbytes": 50})
        kernels = report["kernels"]
        products = [kernel for kernel in kernels if kernel["kind"] == "contraction"]
        # Forward, the gradients of both weights, and that of the hidden layer.
        self.assertEqual(sum(kernel["flops"] for kernel in products), 2 * 32 * (2 * 64 * 32 + 3 * 32 * 10))
        self.assertEqual([kernel["median_ms"] for kernel in kernels],
                         sorted((kernel["median_ms"] for kernel in kernels), reverse=True))
        # The least times of the kernels were not all met in one step.
        self.assertLessEqual(sum(kernel["min_ms"] for kernel in kernels), report["min_ms"])
        for kernel in kernels:
            self.assertLessEqual(kernel["min_ms"], kernel["median_ms"])
            bound = max(kernel["flops"] / 100e6, kernel["bytes"] / 50e6)
            self.assertAlmostEqual(kernel["fraction"], bound / kernel["median_ms"], places=9)

    def test_a_library_without_timers_has_no_profile(self):
        TOOL("bench", self.mlp, "--steps", "2", "--profile", expect=2)
        TOOL("bench", MLP / "model.json", "--loss", "mse", "--profile", "--limits", "100,200", expect=2)


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
