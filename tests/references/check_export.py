#!/usr/bin/env python3
"""Exports trained models to ONNX and compares what onnxruntime computes with what halfstep predicts.

Needs numpy, onnx, onnxruntime and safetensors; the project's own tests compare by importing the file again
(tests/e2e/export_onnx.py).

usage: check_export.py HALFSTEP [MODEL...]    (default: the models of tests/references and of samples)
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
BATCH = 8  # that of the files whose batch is fixed
# Both compute in f32 and sum in different orders; relative to the largest output.
ALLOWED = 2.0**-17


def default_models():
    yield from sorted(ROOT.glob("tests/references/*/model.json"))
    yield from sorted(ROOT.glob("tests/references/onnx/*.onnx"))
    yield from sorted(ROOT.glob("samples/*/*.onnx"))
    for path in sorted(ROOT.glob("samples/*/*.json")):
        if "halfstep" in json.loads(path.read_text()):
            yield path


def halfstep(tool, *words):
    done = subprocess.run([tool, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def check(tool, model, work):
    library = work / "library"
    halfstep(tool, "compile", model, "--loss", "mse", "--batch", BATCH, "--name", "model", "-o", library)
    manifest = json.loads((library / "model.manifest.json").read_text())
    chance = numpy.random.default_rng(0)
    data = {}
    for spec in manifest["inputs"] + manifest["targets"]:
        if "classes" in spec and spec["classes"]:
            data[spec["name"]] = chance.integers(0, spec["classes"], spec["shape"])
        else:
            data[spec["name"]] = chance.normal(size=spec["shape"]).astype("float32")
    save_file(data, work / "data.safetensors")
    # A few steps, so that no parameter has its initial value.
    halfstep(tool, "train", library, "--data", work / "data.safetensors", "--steps", 3, "--checkpoint", work / "run")
    halfstep(tool, "export", work / "run", "--model", model, "--onnx", work / "model.onnx", "-o",
             work / "weights.safetensors")
    halfstep(tool, "predict", library, "--checkpoint", work / "run", "--data", work / "data.safetensors", "-o",
             work / "outputs.safetensors")
    onnx.checker.check_model(str(work / "model.onnx"), full_check=True)
    names = {tensor.name for tensor in onnx.load(work / "model.onnx").graph.initializer}
    missing = set(load_file(work / "weights.safetensors")) - names
    if missing:
        raise RuntimeError("initialisers are missing: %s" % sorted(missing))
    session = onnxruntime.InferenceSession(work / "model.onnx", providers=["CPUExecutionProvider"])
    types = {each.name: "float64" if "double" in each.type else None for each in session.get_inputs()}
    feed = {spec["name"]: data[spec["name"]].astype(types[spec["name"]] or data[spec["name"]].dtype)
            for spec in manifest["inputs"]}
    expected = load_file(work / "outputs.safetensors")
    worst = 0.0
    for name, output in zip([each.name for each in session.get_outputs()], session.run(None, feed)):
        distance = numpy.abs(output - expected[name]).max() / max(numpy.abs(expected[name]).max(), 1e-30)
        worst = max(worst, float(distance))
    return worst


def main():
    problems = 0
    for model in [Path(word) for word in sys.argv[2:]] or default_models():
        with tempfile.TemporaryDirectory() as work:
            try:
                worst = check(sys.argv[1], model, Path(work))
                good = worst <= ALLOWED
                said = "%.1e" % worst
            except Exception as error:
                good, said = False, str(error)
        problems += not good
        print("%s %s %s" % ("ok  " if good else "FAIL", model, said), flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
