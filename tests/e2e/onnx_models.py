#!/usr/bin/env python3
"""ONNX models of both of PyTorch's exporters: the loss of the first batch against PyTorch's in float64.

usage: onnx_models.py HALFSTEP [FILE...]    (default: all of tests/references/onnx)
"""

import array
import json
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import Instance  # noqa: E402
from tool import REFERENCES, Tool, read_safetensors  # noqa: E402

# In float64 the sums of these small models are exact to 1e-15; the exporters write constants in float32.
ALLOWED = 2.0**-22


def check(tool, path, work):
    """What is wrong with the model in the file `path`, as a list of lines."""
    stem = path.name.split(".")[0]
    expected = json.loads((path.parent / (stem + ".expected.json")).read_text())
    data = read_safetensors(path.parent / (stem + ".data.safetensors"))
    x, y = data["x"][1], data["y"][1]
    if x.typecode != "q":
        x = array.array("d", x)
    library = tool.compile(path, work / path.name, *expected["arguments"], "--precision", "64-true")
    with Instance(library / "libmodel.so", "model") as model:
        losses = {"eval": model.eval_step([x], [y]), "train": model.train_step([x], [y]).loss}
    return ["%s: %s loss %.12g, expected %.12g" % (path.name, mode, losses[mode], exact)
            for mode, exact in expected["loss"].items()
            if exact is not None and not abs(losses[mode] - exact) <= ALLOWED * exact]


def main():
    tool = Tool(sys.argv[1])
    paths = [Path(word) for word in sys.argv[2:]] or sorted((REFERENCES / "onnx").glob("*.onnx"))
    problems = []
    with tempfile.TemporaryDirectory() as work:
        for path in paths:
            problems += check(tool, path, Path(work))
    for problem in problems:
        print("FAIL " + problem)
    print("%d files, %d problems" % (len(paths), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
