#!/usr/bin/env python3
"""Weights in and out: PyTorch's names, bits as the safetensors package wrote them, and graphs for other runtimes.

usage: weights.py HALFSTEP [unittest's arguments]
"""

import array
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import Instance  # noqa: E402
from tool import REFERENCES, Tool, read_safetensors, read_state, write_safetensors  # noqa: E402

FOLDED = REFERENCES / "weights"
# f32 sums in another order; relative to the largest output.
ALLOWED = 2.0**-17
TOOL = None


def largest_difference(found, expected):
    """Of two lists of numbers, relative to the largest of `expected`."""
    assert len(found) == len(expected)
    return max(abs(a - b) for a, b in zip(found, expected)) / max(map(abs, expected))


class Weights(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = Path(folder.name)

    def data_for(self, library):
        """One batch of made-up samples for a library."""
        manifest = json.loads((library / "model.manifest.json").read_text())
        tensors = {}
        for spec in manifest["inputs"] + manifest["targets"]:
            count = 1
            for extent in spec["shape"]:
                count *= extent
            if spec.get("classes"):
                values = array.array("q", (i * i % spec["classes"] for i in range(count)))
            else:
                values = array.array("f", ((i * 37 % 101) / 50 - 1 for i in range(count)))
            tensors[spec["name"]] = (spec["shape"], values)
        path = self.work / "data.safetensors"
        write_safetensors(path, tensors)
        return path

    def test_folded_exports_give_the_state_dict_back(self):
        state = read_state(FOLDED / "folded.safetensors")
        for exporter, table in (("script", "wte.weight"), ("dynamo", "head.weight")):
            library = TOOL.compile(FOLDED / ("folded.%s.onnx" % exporter), self.work / exporter, "--loss",
                                   "cross_entropy", "--batch", "4", "--lr", "1e-60")  # zero in f32
            run = self.work / (exporter + "-run")
            TOOL("train", library, "--data", self.data_for(library), "--steps", "1", "--checkpoint", run)
            weights = self.work / (exporter + ".safetensors")
            TOOL("export", run, "-o", weights)
            expected = {table if name == "wte.weight" else name: values for name, values in state.items()}
            self.assertEqual(read_state(weights), expected, exporter)

    def test_a_file_of_the_safetensors_package_comes_back_bit_by_bit(self):
        library = TOOL.compile(FOLDED / "folded.script.onnx", self.work / "library", "--loss", "cross_entropy",
                               "--batch", "4", "--lr", "1e-60")
        # The initial values of the file are the same: train others, and give those.
        data = self.data_for(library)
        TOOL("train", library, "--data", data, "--steps", "1", "--weights", FOLDED / "folded.safetensors",
             "--checkpoint", self.work / "first")
        other = {name: (shape, array.array("f", (value * 3 + 0.1 for value in values)))
                 for name, (shape, values) in read_safetensors(FOLDED / "folded.safetensors").items()}
        write_safetensors(self.work / "other.safetensors", other)
        TOOL("train", library, "--data", data, "--steps", "1", "--weights", self.work / "other.safetensors",
             "--checkpoint", self.work / "second")
        for run, given in (("first", FOLDED / "folded.safetensors"), ("second", self.work / "other.safetensors")):
            TOOL("export", self.work / run, "-o", self.work / "back.safetensors")
            self.assertEqual(read_state(self.work / "back.safetensors"), read_state(given))

    def check_export(self, model):
        """Trains some steps, exports, and compares the outputs of the exported file with those of the model."""
        model = Path(model)
        folder = self.work / (model.parent.name + model.stem)  # libraries stay loaded by their paths
        library = TOOL.compile(model, folder / "library", "--loss", "mse", "--batch", "8")
        data, run = self.data_for(library), folder / "run"
        TOOL("train", library, "--data", data, "--steps", "2", "--checkpoint", run)
        exported = folder / "exported.onnx"
        self.assertEqual(TOOL("export", run, "--model", model, "--onnx", exported), "%s\n" % exported)
        TOOL("predict", library, "--checkpoint", run, "--data", data, "-o", folder / "out.safetensors")
        shape, expected = next(iter(read_safetensors(folder / "out.safetensors").values()))
        # The exported file read again; its initial values are the trained ones.
        again = TOOL.compile(exported, folder / "again", "--loss", "mse", "--batch", "8")
        with Instance(again / "libmodel.so", "model") as model_again:
            found = array.array("f", bytes(4 * len(expected)))
            model_again.forward([read_safetensors(data)[name][1] for name in self.inputs_of(again)], [found])
        self.assertLess(largest_difference(found, expected), ALLOWED, model)

    def inputs_of(self, library):
        return [spec["name"] for spec in json.loads((library / "model.manifest.json").read_text())["inputs"]]

    def test_json_models_become_onnx(self):
        for model in ("cnn", "transformer", "branches", "gpt"):
            self.check_export(REFERENCES / model / "model.json")

    def test_onnx_models_stay_onnx(self):
        for model in ("dropout.script", "attention.static", "gpt.dynamo"):
            self.check_export(REFERENCES / "onnx" / (model + ".onnx"))
        self.check_export(FOLDED / "folded.dynamo.onnx")

    def test_what_cannot_be_exported_leaves_no_file(self):
        library = TOOL.compile(REFERENCES / "mlp" / "model.json", self.work / "library", "--loss", "mse")
        data, run = self.data_for(library), self.work / "run"
        TOOL("train", library, "--data", data, "--steps", "1", "--checkpoint", run)
        out = self.work / "out.onnx"
        module = self.work / "model.mlir"
        module.write_text(TOOL("inspect", REFERENCES / "mlp" / "model.json", "--loss", "mse", "--after", "import"))
        TOOL("export", run, "--model", module, "--onnx", out, expect=4)
        TOOL("export", run, "--model", REFERENCES / "cnn" / "model.json", "--onnx", out, expect=3)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
