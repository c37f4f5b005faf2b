#!/usr/bin/env python3
"""Every form of data through the tool: text, folders of PNG, CSV, npz; and text that a model writes.

usage: data_forms.py HALFSTEP [unittest's arguments]
"""

import json
import random
import struct
import sys
import tempfile
import unittest
import zipfile
import zlib
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from tool import Tool, read_log, read_safetensors, run  # noqa: E402

TOOL = None


def png(rows):
    """A gray image of 8 bits as a file's bytes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    body = b"".join(b"\0" + bytes(row) for row in rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def next_character_model(ids, window=8, width=16):
    return {"halfstep": 1, "inputs": {"ids": {"dtype": "i64", "shape": ["N", window]}},
            "layers": [{"op": "embedding", "name": "table", "rows": ids, "out": width},
                       {"op": "linear", "name": "logits", "out": ids}]}


class DataForms(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = Path(folder.name)

    def write(self, name, contents):
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return path

    def model(self, description):
        return self.write("model.json", json.dumps(description))

    def compile(self, description, *flags):
        return TOOL.compile(self.model(description), self.work / "library", "--loss", "cross_entropy", "--optimizer",
                            "adamw", "--lr", "0.05", "--batch", "4", *flags)

    def train(self, library, data, *flags):
        return json.loads(TOOL("train", library, "--data", data, "--json", *flags))

    # In this text each character has one successor, which a table of pairs learns.
    CYCLE = "abcé"

    def train_cycle(self):
        text = self.write("cycle.txt", self.CYCLE * 100)
        library = self.compile(next_character_model(5), "--tail", "1")
        result = self.train(library, text, "--epochs", "8", "--val-split", "0.1", "--checkpoint", self.work / "run")
        return text, library, result

    def test_text_trains_evaluates_and_is_written(self):
        text, library, result = self.train_cycle()
        self.assertLess(result["val_loss"], 0.1)
        self.assertEqual(result["val_accuracy"], 1)
        run_folder = self.work / "run"
        self.assertEqual(TOOL("generate", library, "--checkpoint", run_folder, "--prompt", "éa", "--length", "10",
                              "--temperature", "0"), "éabcéabcéabc\n")
        weights = self.work / "weights.safetensors"
        TOOL("export", run_folder, "-o", weights)
        drawn = [TOOL("generate", library, "--weights", weights, "--prompt", "a", "--length", "60", "--temperature",
                      "30", "--seed", seed) for seed in ("1", "1", "2")]
        self.assertEqual(drawn[0], drawn[1])
        self.assertNotEqual(drawn[0], drawn[2])
        for weighted in (("--checkpoint", run_folder), ("--weights", weights)):
            said = json.loads(TOOL("eval", library, *weighted, "--data", text, "--json"))
            self.assertEqual(said["accuracy"], 1)

    def test_another_text_is_read_with_the_vocabulary_of_the_run(self):
        _, library, _ = self.train_cycle()
        other = self.write("other.txt", "éabc" * 20)  # sorted, it would have the same ids; without 'a' it has not
        less = self.write("less.txt", "bcé" * 20)
        strange = self.write("strange.txt", "abxé" * 20)
        evaluate = ("eval", library, "--checkpoint", self.work / "run", "--json", "--data")
        self.assertEqual(json.loads(TOOL(*evaluate, other))["accuracy"], 1)
        # b -> c and c -> é are known, é -> b is not.
        self.assertAlmostEqual(json.loads(TOOL(*evaluate, less))["accuracy"], 2 / 3, delta=0.05)
        TOOL(*evaluate, strange, expect=3)
        TOOL("generate", library, "--checkpoint", self.work / "run", "--prompt", "x", expect=2)
        TOOL("train", library, "--data", less, "--resume", self.work / "run", "--steps", "1", expect=7)

    def test_a_run_on_text_resumes_in_the_middle_of_an_epoch(self):
        text = self.write("random.txt", "".join(random.Random(1).choice("abcd") for _ in range(500)))
        library = self.compile(next_character_model(5))
        flags = ("--data", text, "--checkpoint")
        TOOL("train", library, *flags, self.work / "whole", "--steps", "40", "--log", self.work / "whole.jsonl")
        TOOL("train", library, *flags, self.work / "half", "--steps", "21")
        TOOL("train", library, *flags, self.work / "half", "--steps", "40", "--resume", self.work / "half", "--log",
             self.work / "half.jsonl")
        whole, half = read_log(self.work / "whole.jsonl"), read_log(self.work / "half.jsonl")
        self.assertEqual([line["loss_hex"] for line in half], [line["loss_hex"] for line in whole[21:]])
        self.assertEqual((self.work / "whole" / "step-40.safetensors").read_bytes(),
                         (self.work / "half" / "step-40.safetensors").read_bytes())

    def test_a_folder_of_images_by_class(self):
        chance = random.Random(2)
        for i in range(20):
            for name, level in (("dark", 60), ("bright", 190)):
                image = png([[level + chance.randrange(-40, 40) for _ in range(4)] for _ in range(4)])
                self.write("images/%s/%02d.png" % (name, i), image)
        description = {"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 1, 4, 4]}},
                       "layers": [{"op": "flatten"}, {"op": "linear", "name": "fc", "out": 2}]}
        library = self.compile(description)
        images = self.work / "images"
        result = self.train(library, images, "--set", "data.mean=0.5", "--set", "data.std=[0.25]", "--epochs", "10",
                            "--val-split", "0.2", "--checkpoint", self.work / "run")
        self.assertEqual(result["val_accuracy"], 1)
        said = json.loads(TOOL("eval", library, "--checkpoint", self.work / "run", "--data", images, "--json"))
        self.assertEqual((said["accuracy"], said["samples"]), (1, 40))
        # A folder with the class "dark" alone: its id is still 1.
        (images / "bright").rename(self.work / "bright")
        said = json.loads(TOOL("eval", library, "--checkpoint", self.work / "run", "--data", images, "--json"))
        self.assertEqual(said["accuracy"], 1)
        TOOL("predict", library, "--checkpoint", self.work / "run", "--data", self.work / "bright", "-o",
             self.work / "scores.safetensors")
        shape, scores = read_safetensors(self.work / "scores.safetensors")["fc"]
        self.assertEqual(shape, [20, 2])
        self.assertTrue(all(scores[2 * i] > scores[2 * i + 1] for i in range(20)))

    def test_csv_has_a_target_column(self):
        chance = random.Random(3)
        rows = [[chance.uniform(-1, 1) for _ in range(2)] for _ in range(64)]
        text = "price,a,b\n" + "".join("%r,%r,%r\n" % (3 * a - b + 1, a, b) for a, b in rows)
        table = self.write("table.csv", text)
        bare = self.write("bare.csv", text.split("\n", 1)[1])
        model = self.model({"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 2]}},
                            "layers": [{"op": "linear", "name": "fc", "out": 1}, {"op": "reshape", "name": "y",
                                                                                  "shape": ["N"]}]})
        losses = []
        for data, target in ((table, "price"), (table, "1"), (bare, "1")):
            said = json.loads(TOOL("train", model, "--data", data, "--data-target", target, "--loss", "mse", "--lr",
                                   "0.2", "--epochs", "30", "--json"))
            losses.append(said["loss"])
        self.assertLess(losses[0], 1e-3)
        self.assertEqual(losses, losses[:1] * 3)
        TOOL("train", model, "--data", table, "--data-target", "cost", "--loss", "mse", expect=3)
        TOOL("train", model, "--data", table, "--set", "data.target=4", "--loss", "mse", expect=3)
        TOOL("train", model, "--data", table, "--set", "data.target=0.5", "--loss", "mse", expect=2)

    def test_npz(self):
        def npy(descr, shape, data):
            header = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)).encode()
            header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
            return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + data
        path = self.work / "data.npz"
        values = [float(i % 2) for i in range(16)]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", npy("<f8", "(16, 1)", struct.pack("<16d", *values)))
            archive.writestr("y.npy", npy("<i4", "(16,)", struct.pack("<16i", *map(int, values))))
        model = self.model({"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 1]}},
                            "layers": [{"op": "linear", "name": "fc", "out": 2}]})
        said = json.loads(TOOL("train", model, "--data", path, "--loss", "cross_entropy", "--lr", "1", "--batch", "16",
                               "--epochs", "30", "--json"))
        self.assertEqual(said["accuracy"], 1)

    def test_unknown_forms_and_missing_data_list_what_is_known(self):
        library = self.compile(next_character_model(5))
        unknown = self.write("data.bin", b"\0\1\2")
        for arguments, code in ((("--data", unknown), 3), ((), 2)):
            message = self.error_of("train", library, *arguments, expect=code)
            for form in (".safetensors", ".npz", ".npy", ".csv", ".txt", ".png"):
                self.assertIn(form, message)

    def error_of(self, *arguments, expect):
        words = " ".join("'%s'" % word for word in (TOOL.path, *arguments))
        text = run(["sh", "-c", words + " 2>&1 >/dev/null; echo $?"])
        lines = text.splitlines()
        self.assertEqual((len(lines), lines[-1]), (2, str(expect)), text)
        return lines[0]


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
