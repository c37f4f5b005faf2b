"""The trajectories that every precision mode is held to: cases, modes, and their numbers from a seed alone.

Standard library only: make_modes.py gives the numbers to PyTorch, tests/e2e/modes.py to halfstep, so that none of them
are stored. Only Random(text).random() is used, whose sequence Python promises to keep.
"""

import array
import json
import math
import random
from dataclasses import dataclass

STEPS = 50
SEEDS = 5
BATCHES = 4  # distinct batches in the data, used in this order, again and again
PLAIN_SCALE = 1024.0  # of the runs without a skipped step; no gradient of the cases overflows


@dataclass(frozen=True)
class ModeCase:
    name: str
    model: str  # the folder of model.json
    batch: int
    optimizer: dict
    modes: tuple
    scaler: dict  # of the runs with skipped steps: the first scale is too high, and it grows back to that


# By mode. `split` and `stochastic` only change how a weight is stored.
SPECS = {
    "64-true": {"precision": "64-true"},
    "32-true": {"precision": "32-true"},
    "bf16-true": {"precision": "bf16-true"},
    "bf16-true-stochastic": {"precision": "bf16-true", "update": "stochastic"},
    "16-true": {"precision": "16-true"},
    "bf16-mixed": {"precision": "bf16-mixed"},
    "bf16-mixed-split": {"precision": "bf16-mixed", "masters": "split"},
    "16-mixed": {"precision": "16-mixed"},
    "O0": {"precision": "O0"},
    "O1": {"precision": "O1"},
    "O1-bf16": {"precision": "O1", "half": "bf16"},
    "O2": {"precision": "O2"},
    "O2-bf16": {"precision": "O2", "half": "bf16"},
    "O2-bf16-split": {"precision": "O2", "half": "bf16", "masters": "split"},
    "O3": {"precision": "O3"},
    "O3-bf16": {"precision": "O3", "half": "bf16"},
}
SCALED = ("16-mixed", "O1", "O2")  # those with a dynamic loss scale
# PyTorch has no split masters; they are exact, so the mode is held to the one with separate masters. Nor has it
# stochastic rounding, which must not be worse than rounding to nearest.
PEERS = {"bf16-true-stochastic": "bf16-true", "bf16-mixed-split": "bf16-mixed",
         "O2-bf16-split": "O2-bf16"}

# In f16 AdamW's eps of 1e-8 is 0, and PyTorch's parameters become NaN: those modes train the transformer with SGD.
PURE_F16 = ("16-true", "O3")
ALL = tuple(SPECS)
REST = tuple(mode for mode in ALL if mode not in PURE_F16)


def scaler(exponent):
    """Two skips lead from a scale that is too high to one that fits, and after 15 clean steps a growth leads back. The
    jumps are wide, so that no decision is nearer to the limit than a factor of 4, which make_modes.py checks."""
    return {"init": 2.0**exponent, "growth": 2.0**16, "backoff": 2.0**-8, "interval": 15,
            "max": 2.0**exponent}



SGD = {"kind": "sgd", "lr": 3 / 64, "momentum": 0.9}
CASES = [
    ModeCase("mlp", "mlp", 32, SGD, ALL, scaler(32)),
    ModeCase("cnn", "cnn", 16, {**SGD, "weight_decay": 5e-4}, ALL, scaler(31)),
    ModeCase("transformer", "transformer", 4, {"kind": "adamw", "lr": 1 / 1024, "weight_decay": 0.1}, REST, scaler(31)),
    ModeCase("transformer-sgd", "transformer", 4, SGD, PURE_F16, {}),
]


def spec(mode, case):
    """The argument of --precision."""
    return json.dumps({**SPECS[mode], **({"scaler": case.scaler} if mode in SCALED else {})})


def initial(name, shape, seed):
    """The initial values of a parameter or buffer, exact in f32: a normalisation's weight around 1, else around 0."""
    count = math.prod(shape)
    if "running_" in name:
        return array.array("f", [float(name.endswith("var"))] * count)
    draw = random.Random("%d %s" % (seed, name)).random
    centre, bound = (1.0, 0.25) if len(shape) == 1 and name.endswith("weight") else (0.0, 0.125)
    if len(shape) > 1:
        bound = 1 / math.sqrt(math.prod(shape[1:]))
    return array.array("f", [centre + bound * (2 * draw() - 1) for _ in range(count)])


def data(model, positions, batch, seed):
    """x of seventeen values in [-1, 1], exact in every type, and y of ten classes, for BATCHES batches."""
    draw = random.Random("%d data" % seed).random
    samples = BATCHES * batch
    features = math.prod(next(iter(model["inputs"].values()))["shape"][1:])
    x = array.array("f", [(int(17 * draw()) - 8) / 8 for _ in range(samples * features)])
    return x, array.array("q", [int(10 * draw()) for _ in range(samples * positions)])
