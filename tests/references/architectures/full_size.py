"""Exports a full-size model from PyTorch, compiles it and trains a few steps; prints what that took.

usage: full_size.py HALFSTEP [NAME...]    (default: all of MODELS; needs torch, torchvision and onnx)

Not among the tests: the files are large and PyTorch must be there. `cmake --build build --target full-size` runs it.
The loss of the first step of 32-true is compared with PyTorch's on the same weights and data. Bounds, on two cores:
compiling takes less than a minute and 2 GiB.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
import torchvision

sys.path.insert(0, str(Path(__file__).parent))
SECONDS, MEBIBYTES = 60, 2048
STEPS = 3
models = torchvision.models


def unet():
    from definitions.unet import build
    return build(width=64, groups=32)


# name: (module, image, batch, loss)
MODELS = {
    "resnet18": (models.resnet18, 224, 16, "cross_entropy"),
    "resnet50": (models.resnet50, 224, 16, "cross_entropy"),
    "mobilenet_v3_large": (models.mobilenet_v3_large, 224, 16, "cross_entropy"),
    "squeezenet1_1": (models.squeezenet1_1, 224, 16, "cross_entropy"),
    "convnext_tiny": (lambda: models.convnext_tiny(stochastic_depth_prob=0.0), 224, 8, "cross_entropy"),
    "unet": (unet, 128, 4, "mse"),
}


def without_dropout(module):
    """PyTorch draws other numbers than halfstep does."""
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return module


def export(module, x, path):
    torch.onnx.export(module, (x,), str(path), dynamo=False, training=torch.onnx.TrainingMode.TRAINING,
                      do_constant_folding=False, input_names=["x"], output_names=["output"])


def measured(command):
    """(seconds, peak MiB) of a command, which must succeed."""
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
    if status:
        sys.exit("%s\n%s" % (" ".join(map(str, command)), said))
    return time.monotonic() - start, usage.ru_maxrss / 1024


def data(image, batch, loss, target):
    x = torch.randn(batch * STEPS, 3, image, image)
    y = torch.randint(0, 1000, (batch * STEPS,)) if loss == "cross_entropy" else torch.randn(batch * STEPS, *target)
    return x, y


def check(halfstep, name, work):
    build, image, batch, loss = MODELS[name]
    torch.manual_seed(0)
    module = without_dropout(build()).train()
    x, y = data(image, batch, loss, (1, image, image))
    export(module, x[:batch], work / "model.onnx")
    numpy.save(work / "x.npy", x.numpy())
    numpy.save(work / "y.npy", y.numpy())
    with torch.no_grad():
        output = module(x[:batch])
        wanted = (F.cross_entropy if loss == "cross_entropy" else F.mse_loss)(output, y[:batch]).item()
    for mode in ("32-true", "bf16-mixed"):
        seconds, peak = measured([halfstep, "compile", work / "model.onnx", "--loss", loss, "--batch", str(batch),
                                  "--precision", mode, "--name", "model", "-o", work / mode])
        log = work / (mode + ".log")
        trained, _ = measured([halfstep, "train", work / mode, "--data", "%s,%s" % (work / "x.npy", work / "y.npy"),
                               "--steps", str(STEPS), "--no-shuffle", "--log", log])
        losses = [json.loads(line)["loss"] for line in log.read_text().splitlines()]
        print("%-20s %-10s compiled in %5.1f s with %4.0f MiB, %d steps in %5.1f s, losses %s, PyTorch's first %.6f"
              % (name, mode, seconds, peak, STEPS, trained, ["%.6f" % value for value in losses], wanted), flush=True)
        if mode == "32-true" and abs(losses[0] - wanted) > 1e-3 * abs(wanted):
            yield "%s: the first loss is %g, PyTorch's %g" % (name, losses[0], wanted)
        if seconds > SECONDS or peak > MEBIBYTES:
            yield "%s %s: compiling took %.0f s and %.0f MiB" % (name, mode, seconds, peak)


def main():
    warnings.simplefilter("ignore")
    problems = []
    for name in sys.argv[2:] or MODELS:
        with tempfile.TemporaryDirectory() as work:
            problems += check(sys.argv[1], name, Path(work))
    for problem in problems:
        print("FAIL " + problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
