"""The architectures that are trained as PyTorch exports them, and their numbers from a seed alone.

Standard library only: export_architectures.py gives the numbers to PyTorch, tests/e2e/architectures.py to halfstep, so
that neither weights nor data are stored. Only Random(text).random() is used, whose sequence Python promises to keep.
"""

import array
import math
import random
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mode_cases import PLAIN_SCALE, SCALED, SPECS, initial  # noqa: E402, F401

STEPS = 12
SEEDS = 5
BATCHES = 4  # distinct batches in the data, used in this order, again and again
MODES = ("32-true", "bf16-mixed", "16-mixed", "O2")
FLOAT, IDS, MASK, NUMBER, CLASS = "float", "ids", "mask", "number", "class"


@dataclass(frozen=True)
class Tensor:
    """An input or the target of a sample, without the batch."""

    kind: str  # FLOAT: of [-1, 1]; NUMBER: a target of [-1, 1]; IDS, CLASS: below `below`; MASK: 1 before a length, else 0
    shape: tuple
    below: int = 0

    def draw(self, draw):
        count = math.prod(self.shape)
        if self.kind in (FLOAT, NUMBER):  # seventeen values, exact in every type
            return [(int(17 * draw()) - 8) / 8 for _ in range(count)]
        if self.kind == MASK:
            length = 1 + int(count * draw())
            return [int(place < length) for place in range(count)]
        return [int(self.below * draw()) for _ in range(count)]

    def code(self):
        return "f" if self.kind in (FLOAT, NUMBER) else "q"


@dataclass(frozen=True)
class Case:
    name: str  # of definitions/NAME.py, whose build() makes the module
    inputs: dict  # {name: Tensor} in the order of forward()'s arguments
    target: Tensor
    batch: int
    optimizer: dict
    loss: str = "cross_entropy"
    exporters: tuple = ("dynamo", "script")  # the first one's file is trained in every mode, the others' in 32-true


SGD = {"kind": "sgd", "lr": 3 / 64, "momentum": 0.9}
GENTLE = {**SGD, "lr": 1 / 256}  # normalisation over few pixels is chaotic
ADAMW = {"kind": "adamw", "lr": 1 / 1024, "weight_decay": 0.1}
IMAGE = {"x": Tensor(FLOAT, (3, 16, 16))}
PADDED = {"x": Tensor(IDS, (12,), 32), "mask": Tensor(MASK, (12,))}
CASES = [
    Case("tabular", {"x": Tensor(FLOAT, (10,)), "category": Tensor(IDS, (), 7)}, Tensor(NUMBER, (1,)), 16, SGD, "mse"),
    Case("mixer", IMAGE, Tensor(CLASS, (), 10), 8, SGD),
    Case("resnet18", IMAGE, Tensor(CLASS, (), 10), 8, GENTLE),
    Case("resnet50", IMAGE, Tensor(CLASS, (), 10), 8, GENTLE),
    Case("mobilenetv3", IMAGE, Tensor(CLASS, (), 10), 8, {**ADAMW, "lr": 1 / 128}),
    Case("squeezenet", IMAGE, Tensor(CLASS, (), 10), 8, {**ADAMW, "lr": 1 / 128}),
    Case("convnext", IMAGE, Tensor(CLASS, (), 10), 4, ADAMW),
    Case("unet", IMAGE, Tensor(NUMBER, (1, 16, 16)), 2, GENTLE, "mse"),
    Case("autoencoder", {"x": Tensor(FLOAT, (1, 16, 16))}, Tensor(NUMBER, (1, 16, 16)), 4, SGD, "mse"),
    Case("gpt2", {"x": Tensor(IDS, (10,), 32)}, Tensor(CLASS, (10,), 32), 4, ADAMW),
    Case("llama", PADDED, Tensor(CLASS, (12,), 32), 4, ADAMW),
    Case("bert", PADDED, Tensor(CLASS, (), 5), 6, ADAMW),
    Case("vit", IMAGE, Tensor(CLASS, (), 10), 8, SGD),
]


def batches(case, seed):
    """[([inputs], target)] of the distinct batches, each tensor an array.array."""
    draw = random.Random("%d data" % seed).random
    made = []
    for _ in range(BATCHES):
        tensors = [*case.inputs.values(), case.target]
        values = [array.array(t.code(), (v for _ in range(case.batch) for v in t.draw(draw))) for t in tensors]
        made.append((values[:-1], values[-1]))
    return made


def arguments(case):
    """Those of `halfstep compile`, without the precision."""
    words = ["--loss", case.loss, "--batch", case.batch, "--optimizer", case.optimizer["kind"]]
    for key, value in case.optimizer.items():
        words += ["--" + key.replace("_", "-"), value] if key != "kind" else []
    return [str(word) for word in words]


def weights_file(stored, seed):
    """The bytes that the initialisers of a stored file lie in: `stored` is the file's list of its reference."""
    parts = []
    for _, parameter, shape, order in stored:
        parts.append(permuted(initial(parameter, shape, seed), shape, order).tobytes())
    return b"".join(parts)


def permuted(values, shape, order):
    """`values` of a matrix with its dimensions in this order: [1, 0] is the transpose."""
    if order == [1, 0]:
        rows, columns = shape
        return array.array("f", (values[r * columns + c] for c in range(columns) for r in range(rows)))
    return values
