#!/usr/bin/env python3
"""Precision specs that say the same in other words train to the same bits; an override changes what it names.

usage: overrides.py HALFSTEP
"""

import json
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from tool import REFERENCES, Failure, Tool, read_state  # noqa: E402

STEPS = 6
ALL_FP32 = {"layers": {"*": "fp32"}}

# model, a spec, another, whether they train alike
CASES = [
    # A region that is kept in f32 is f32 in the backward pass too. The scale, a power of two, rounds nothing.
    ("cnn", {"precision": "bf16-mixed", **ALL_FP32}, {"precision": "32-true"}, True),
    ("cnn", {"precision": "O2", **ALL_FP32}, {"precision": "32-true"}, True),
    ("transformer", {"precision": "16-mixed", **ALL_FP32}, {"precision": "32-true"}, True),
    ("transformer", {"precision": "O3", **ALL_FP32}, {"precision": "32-true"}, True),
    # A policy of types is the mode that has them.
    ("cnn", {"params": "f32", "compute": "f16"}, {"precision": "O2", "keep_batchnorm_fp32": False}, True),
    ("cnn", {"params": "bf16", "compute": "bf16", "output": "bf16"}, {"precision": "bf16-true"}, True),
    ("cnn", {"compute": "bf16", "keep_batchnorm_fp32": True}, {"precision": "O2", "half": "bf16"}, True),
    # Levels meet where their properties do.
    ("cnn", {"precision": "O2", "master_weights": False},
     {"precision": "O3", "keep_batchnorm_fp32": True, "loss_scale": "dynamic"}, True),
    ("transformer", {"precision": "O1", "lists": "cpu"}, {"precision": "16-mixed"}, True),
    # What a list says anyway, by op and by layer.
    ("transformer", {"precision": "bf16-mixed", "ops": {"matmul": "lower", "softmax": "untouched"}},
     {"precision": "bf16-mixed"}, True),
    ("cnn", {"precision": "bf16-mixed", "ops": {"conv2d": "fp32"}, "layers": {"conv?": "lower"}},
     {"precision": "bf16-mixed"}, True),
    # One layer of many.
    ("cnn", {"precision": "bf16-mixed", "layers": {"conv2": "fp32"}}, {"precision": "bf16-mixed"}, False),
    ("transformer", {"precision": "O2", "keep_norms_fp32": True}, {"precision": "O2"}, False),
]


def trained(tool, model, spec, work):
    """The loss of each step, to the bit, and the weights at the end in f32."""
    folder = REFERENCES / model
    log = tool.train(folder / "model.json", "--loss", "cross_entropy", "--optimizer", "sgd", "--lr", "0.05", "--batch",
                     "8", "--steps", STEPS, "--no-shuffle", "--data", folder / "data.safetensors", "--weights",
                     folder / "weights.safetensors", "--precision", json.dumps(spec), "--checkpoint", work / "end",
                     log=work / "log.jsonl")
    return [line["loss_hex"] for line in log], read_state(last_checkpoint(work / "end"))


def last_checkpoint(folder):
    return sorted(folder.glob("*.safetensors"))[-1] if folder.is_dir() else folder


def main():
    tool, problems = Tool(sys.argv[1]), []
    for model, spec, other, alike in CASES:
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            losses, weights = trained(tool, model, spec, Path(first))
            others, other_weights = trained(tool, model, other, Path(second))
        if len(losses) != STEPS:
            problems.append("%s %s: %d steps" % (model, json.dumps(spec), len(losses)))
        if ((losses, weights) == (others, other_weights)) != alike:
            problems.append("%s: %s and %s %s: losses %s and %s" % (model, json.dumps(spec), json.dumps(other),
                                                                   "differ" if alike else "are alike", losses, others))
    for problem in problems:
        print(problem)
    print("overrides: %d pairs of specs, %d wrong" % (len(CASES), len(problems)))
    return bool(problems)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit("overrides.py: %s" % failure)
