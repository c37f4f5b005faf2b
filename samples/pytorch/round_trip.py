#!/usr/bin/env python3
"""From PyTorch to halfstep and back: a model is exported, trained without PyTorch, and its weights come back.

usage: round_trip.py [HALFSTEP] [OUT]    (default build/bin/halfstep, out/pytorch)

Needs torch, onnx, onnxscript and safetensors; with onnxruntime it also runs the exported graph.
"""

import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "samples" / "digits" / "data" / "digits.safetensors"


class DigitsNet(nn.Module):
    """A convolution, and a transformer's block over the rows of the image."""

    def __init__(self, width=32, heads=4):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.embed = nn.Linear(64, width)
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        x = self.embed(x.transpose(1, 2).flatten(2))
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=2))
        y = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.head((x + self.proj(y)).mean(dim=1))


def halfstep(tool, *words):
    subprocess.run([tool, *map(str, words)], check=True)


def accuracy(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def main():
    tool = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build" / "bin" / "halfstep")
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "out" / "pytorch"
    out.mkdir(parents=True, exist_ok=True)
    data = load_file(DATA)
    x, y = data["x"].float().reshape(-1, 1, 8, 8), data["y"]

    # To halfstep: evaluation mode, and a batch that may vary.
    torch.manual_seed(0)
    model = DigitsNet().eval()
    before = accuracy(model, x, y)
    torch.onnx.export(model, (x[:2],), out / "digits.onnx", dynamo=True, external_data=False, optimize=False,
                      verbose=False, input_names=["x"], output_names=["logits"],
                      dynamic_shapes=({0: torch.export.Dim("N", min=2, max=4096)},))

    # Training, without PyTorch.
    halfstep(tool, "train", out / "digits.onnx", "--data", DATA, "--val-split", "0.2", "--loss", "cross_entropy",
             "--optimizer", "adamw", "--lr", "0.003", "--epochs", "12", "--precision", "bf16-mixed", "--checkpoint",
             out / "checkpoints")
    halfstep(tool, "export", out / "checkpoints", "-o", out / "weights.safetensors", "--model", out / "digits.onnx",
             "--onnx", out / "trained.onnx")

    # And back: the names are the module's own.
    missing, unexpected = model.load_state_dict(load_file(out / "weights.safetensors"), strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)
    print("accuracy in PyTorch before %.4f, after %.4f" % (before, accuracy(model, x, y)))
    try:
        import onnxruntime
    except ImportError:
        return
    session = onnxruntime.InferenceSession(out / "trained.onnx", providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
    with torch.no_grad():
        print("onnxruntime and PyTorch differ by at most %.1e" % (found - model(x)).abs().max().item())


if __name__ == "__main__":
    main()
