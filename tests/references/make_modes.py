"""Writes FOLDER/CASE.modes.json: what the trajectories of every precision mode are compared with.

Needs torch 2.13. For each case of mode_cases.py and each of its seeds, PyTorch trains in float64 and in every mode,
from the same weights on the same data; once without a skipped step and once with a loss scale that is too high.
  tensors   {name: shape} of parameters and buffers, in the order of the model
  arguments for `halfstep compile`
  floor     by sum type: the distance that a right program may have when PyTorch's is 0 (../e2e/tolerances.md)
  plain, overflow:
    skipped   overflow only: the steps, counted from 0, whose update is not applied; the same for all seeds and modes
    losses    by seed: float64's, with the same steps skipped
    distance  by mode and seed: PyTorch's largest |loss - float64's| / max(|float64's|, 1e-3)
"""

import json
import math
import sys
from pathlib import Path

import torch

from make_references import optimizer_of
from mode_cases import BATCHES, CASES, PEERS, PLAIN_SCALE, SCALED, SEEDS, STEPS, data, initial
from tolerances import loss_floor
from torch_model import JsonModel
from torch_modes import F64, MODES, Scale, Trainer

HERE = Path(__file__).parent
LARGEST_F16 = 65504.0
MARGIN = 4.0  # a scale overflows, or fits, by at least this factor
torch.set_num_threads(1)


def tensors_of(model, seed):
    return {name: torch.tensor(initial(name, shape, seed)).reshape(shape) for name, shape in shapes_of(model).items()}


def shapes_of(model):
    return {name: list(tensor.shape) for name, tensor in JsonModel(model).tensors.items()}


def batches_of(case, model, seed):
    positions = model["inputs"]["x"]["shape"][1] if "nodes" in model else 1
    x, y = data(model, positions, case.batch, seed)
    shape = model["inputs"]["x"]["shape"][1:]
    x = torch.tensor(x).reshape(BATCHES, case.batch, *shape)
    return list(zip(x, torch.tensor(y).reshape(BATCHES, -1)))


def trainer_of(case, model, mode, seed):
    return Trainer(model, MODES[mode], tensors_of(model, seed), lambda tensors: optimizer_of(case, tensors))


def run_mode(case, model, mode, seed, overflow):
    """(losses, skipped steps) of PyTorch in this mode."""
    trainer, batches = trainer_of(case, model, mode, seed), batches_of(case, model, seed)
    scale = Scale(case.scaler) if overflow else None
    losses, skipped = [], []
    for step in range(STEPS):
        factor = scale.value() if overflow else PLAIN_SCALE if mode in SCALED else 1
        loss, skip = trainer.step(*batches[step % BATCHES], factor)
        if overflow:
            scale.update(skip)
        losses.append(loss)
        skipped += [step] if skip else []
    return losses, skipped


def run_exact(case, model, seed, skipped, overflow):
    """Float64's losses, without the updates of the skipped steps."""
    trainer, batches = trainer_of(case, model, "64-true", seed), batches_of(case, model, seed)
    trainer.model.keep_gradients = True
    scale = Scale(case.scaler) if overflow else None
    losses = []
    for step in range(STEPS):
        x, y = batches[step % BATCHES]
        loss = trainer.loss(x, y)
        trainer.optimizer.zero_grad()
        loss.backward()
        factor = scale.value() if overflow else PLAIN_SCALE
        check_margin(case, trainer.model, seed, step, factor, step in skipped)
        if step not in skipped:
            trainer.optimizer.step()
        if overflow:
            scale.update(step in skipped)
        losses.append(loss.item())
    return losses


def check_margin(case, model, seed, step, scale, skipped):
    """The decision to skip must not hang on rounding. Every f16 mode computes the gradients of `lower` ops in f16."""
    lower = [node["name"] for node in model.nodes if node["op"] in ("linear", "conv2d", "matmul")]
    gradients = {name: value.grad.abs().max().item() for name, value in model.values.items() if value.grad is not None}
    weights = {name: t.grad.abs().max().item() for name, t in model.tensors.items() if t.grad is not None}
    least = max(max(gradients[name] for name in lower), weights[lower[0] + ".weight"]) * scale
    most = max(*gradients.values(), *weights.values()) * scale
    right = least >= MARGIN * LARGEST_F16 if skipped else most <= LARGEST_F16 / MARGIN
    if not right:
        sys.exit(f"{case.name}, seed {seed}, step {step}: scaled gradients of {least:.3g} and {most:.3g} are too near "
                 f"to {LARGEST_F16:.3g} ({'skipped' if skipped else 'applied'})")


def distance(losses, exact):
    found = [abs(loss - right) / max(abs(right), 1e-3) for loss, right in zip(losses, exact)]
    return max(found) if all(map(math.isfinite, found)) else math.inf


def run_case(case, model, overflow):
    modes = [mode for mode in case.modes if mode not in PEERS and (mode in SCALED or not overflow)]
    masks, losses, distances = [], [], {mode: [] for mode in modes}
    for seed in range(SEEDS):
        runs = {mode: run_mode(case, model, mode, seed, overflow) for mode in modes}
        masks += [skipped for _, skipped in runs.values()]
        losses.append(run_exact(case, model, seed, masks[0], overflow))
        for mode, (found, _) in runs.items():
            distances[mode].append(float(f"{distance(found, losses[-1]):.4g}"))
    if any(mask != masks[0] for mask in masks) or bool(masks[0]) != overflow:
        sys.exit(f"{case.name}: steps are skipped by mode and seed: {masks}")
    for mode, found in distances.items():
        print(f"{case.name:16} {mode:12} {max(found):.2e}  skipped {masks[0]}")
    result = {"losses": [[loss.hex() for loss in run] for run in losses], "distance": distances}
    return {"skipped": masks[0], **result} if overflow else result


def arguments_of(case):
    words = ["--loss", "cross_entropy", "--batch", case.batch, "--optimizer", case.optimizer["kind"]]
    for key, value in case.optimizer.items():
        words += ["--" + key.replace("_", "-"), value] if key != "kind" else []
    return [str(word) for word in words]


def text_of(value, depth=0):
    """JSON with a line for each entry of the two outer levels, and for each seed's losses."""
    if not isinstance(value, dict) or depth == 3:
        return json.dumps(value)
    entries = (f"{json.dumps(key)}: {text_of(entry, depth + 1)}" for key, entry in value.items())
    return "{\n" + ",\n".join(" " * (depth + 1) + entry for entry in entries) + "}"


def write(case):
    folder = HERE / case.model
    model = json.loads((folder / "model.json").read_text())
    result = {"tensors": shapes_of(model), "arguments": arguments_of(case),
              "floor": {kind: float(f"{loss_floor(kind, model, case.batch):.3g}") for kind in ("f64", "f32")},
              "plain": run_case(case, model, overflow=False)}
    if case.scaler:
        result["overflow"] = run_case(case, model, overflow=True)
    (folder / f"{case.name}.modes.json").write_text(text_of(result) + "\n")


if __name__ == "__main__":
    for case in CASES:
        write(case)
