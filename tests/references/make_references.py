"""Writes the stored trajectories that the end-to-end tests compare halfstep with.

Needs torch, numpy and safetensors; the tests themselves need only the files. For each case of models.py, in a folder:
  model.json, weights.safetensors (initial), data.safetensors (x, y; batches in file order)
  NAME.reference.json
    arguments        for `halfstep train MODEL`, run in that folder
    losses           of each step in float64, as hexadecimal floats (exact) and as decimals
    losses_f32, losses_bf16_autocast, losses_f16_autocast   PyTorch's own in those modes, for information
    tolerance        by mode: allowed |loss - reference| of each step (../e2e/tolerances.md derives it)
    final_tolerance  by mode (64-true, 32-true) and tensor: allowed |element - reference| in NAME.final.safetensors
    noise            trained tensors whose exact gradient is 0: their final values are rounding noise
    final            of each parameter and buffer: sum and 2-norm in float64
  NAME.final.safetensors  the final parameters and buffers of at most SMALL elements, float64
All weights and data are exact in float32 (the data in bfloat16 too), so each mode starts from the same numbers.
"""

import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from models import BATCHES, CASES, STEPS
from tolerances import final_tolerance, loss_tolerance
from torch_model import JsonModel

SMALL = 128
NOISE = 1e-12  # float64 gradients below this are rounding errors of an exact 0
HERE = Path(__file__).parent
IDS = 32  # in models of ids
LOSS_SCALE = 1024  # of the f16 run: no gradient of the cases overflows
torch.set_num_threads(1)  # the order of sums, and so the last bits, depends on it


CLASSES = ("cross_entropy", "nll")  # losses whose targets are ids, or probabilities


def data_of(case, seed):
    g = torch.Generator().manual_seed(seed)
    samples = BATCHES * case.batch
    entry = next(iter(case.model["inputs"].values()))
    shape = entry["shape"][1:]
    if entry["dtype"] == "i64":  # below the rows of every table, as the targets are below the classes
        return (torch.randint(0, IDS, (samples, *part), generator=g) for part in (shape, case.target))
    x = torch.randint(-8, 9, (samples, *shape), generator=g) / 8  # seventeen values in [-1, 1]
    if case.loss["kind"] in CLASSES and case.loss.get("targets") != "probabilities":
        return x, torch.randint(0, 10, (samples, *case.target), generator=g)
    least = -8 if case.loss["kind"] == "mse" else 0  # probabilities for the others
    return x, torch.randint(least, 9, (samples, *case.target), generator=g) / 8


def error_of(loss, output, y):
    """Losses of numbers."""
    reduction = loss.get("reduction", "mean")
    kind = loss["kind"]
    if kind == "huber":
        return F.huber_loss(output, y, reduction=reduction, delta=loss["delta"])
    if kind == "smooth_l1":
        return F.smooth_l1_loss(output, y, reduction=reduction, beta=loss["beta"])
    if kind == "bce_with_logits":
        weight = torch.tensor(loss["pos_weight"], dtype=output.dtype)
        return F.binary_cross_entropy_with_logits(output, y, pos_weight=weight, reduction=reduction)
    named = {"mse": F.mse_loss, "l1": F.l1_loss, "bce": F.binary_cross_entropy}
    return named[kind](output, y, reduction=reduction)


def loss_of(case, output, y):
    loss = case.loss
    output = output.to(torch.promote_types(output.dtype, torch.float32))
    soft = loss.get("targets") == "probabilities"
    if loss["kind"] not in CLASSES:
        return error_of(loss, output, y)
    scores = output.reshape(-1, output.shape[-1])
    y = y.reshape(scores.shape if soft else -1)
    weight = torch.tensor(loss["weight"], dtype=output.dtype) if "weight" in loss else None
    options = {"weight": weight, "ignore_index": loss.get("ignore_index", -100)}
    if loss["kind"] == "nll":
        return F.nll_loss(scores, y, **options)
    return F.cross_entropy(scores, y, label_smoothing=loss.get("label_smoothing", 0.0), **options)


OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
              "adagrad": torch.optim.Adagrad, "rmsprop": torch.optim.RMSprop}


def optimizer_of(case, parameters):
    options = {k: v for k, v in case.optimizer.items() if k != "kind"}
    if "betas" in options:
        options["betas"] = tuple(options["betas"])
    return OPTIMIZERS[case.optimizer["kind"]](parameters, **options)


def sensitivity(model):
    """First-order change of the loss when every weight and every op's result takes an independent relative error."""
    tensors = [*model.trained, *(v for v in model.values.values() if v.grad is not None)]
    return math.sqrt(sum((t.grad * t.detach()).square().sum().item() for t in tensors))


class Observer:
    """Measures in float64 what the tolerances are made of."""

    def __init__(self, model):
        model.keep_gradients = True
        self.model = model
        self.sensitivity, self.path, self.moved = [], [], {name: 0.0 for name in model.tensors}
        self.largest_gradient = {name: 0.0 for name in model.tensors}
        self.before = model.state()

    def after_backward(self):
        self.sensitivity.append(sensitivity(self.model))
        self.gradients = {k: t.grad.clone() for k, t in self.model.tensors.items() if t.grad is not None}

    def after_update(self):
        """`path` sums |gradient . update|, the first-order change of the loss; `moved` a tensor's largest updates."""
        path = self.path[-1] if self.path else 0.0
        for name, tensor in self.model.tensors.items():
            update = tensor.detach() - self.before[name]
            self.moved[name] += update.abs().max().item()
            if name in self.gradients:
                path += (self.gradients[name] * update).sum().abs().item()
                largest = self.gradients[name].abs().max().item()
                self.largest_gradient[name] = max(self.largest_gradient[name], largest)
        self.path.append(path)
        self.before = self.model.state()


def train(case, initial, x, y, dtype, autocast=None, observe=False):
    """`autocast`: the type of lowered ops; f16 takes the loss scale."""
    scale = LOSS_SCALE if autocast == torch.float16 else 1
    model = JsonModel(case.model)
    model.load(initial)
    model.to_type(dtype).train()
    observer = Observer(model) if observe else None
    optimizer = optimizer_of(case, model.trained)
    x, y = (part.to(dtype) if part.is_floating_point() else part for part in (x, y))
    losses = []
    for step in range(STEPS):
        first = step % BATCHES * case.batch
        rows = slice(first, first + case.batch)
        with torch.autocast("cpu", autocast or torch.bfloat16, enabled=autocast is not None):
            output = model(x[rows])
        loss = loss_of(case, output, y[rows])
        optimizer.zero_grad()
        (loss * scale).backward()
        for parameter in model.trained if scale != 1 else []:
            parameter.grad /= scale
        if observer:
            observer.after_backward()
        if case.clip_norm:
            torch.nn.utils.clip_grad_norm_(model.trained, case.clip_norm)
        if case.clip_value:
            torch.nn.utils.clip_grad_value_(model.trained, case.clip_value)
        optimizer.step()
        if observer:
            observer.after_update()
        losses.append(loss.item())
    return losses, model.state(), observer


def arguments_of(case):
    o = case.optimizer
    words = ["--data", "data.safetensors", "--weights", "weights.safetensors", "--no-shuffle"]
    words += ["--batch", case.batch, "--steps", STEPS, "--loss", case.loss["kind"]]
    words += ["--optimizer", o["kind"], "--lr", o["lr"]]
    if "momentum" in o:
        words += ["--momentum", o["momentum"]]
    if "weight_decay" in o:
        words += ["--weight-decay", o["weight_decay"]]
    if o.get("nesterov"):
        words += ["--set", "optimizer.nesterov=true"]
    for key in sorted(o.keys() - {"kind", "lr", "momentum", "weight_decay", "nesterov"}):
        words += ["--set", f"optimizer.{key}={json.dumps(o[key])}"]
    for key in sorted(case.loss.keys() - {"kind"}):
        words += ["--set", f"loss.{key}={json.dumps(case.loss[key])}"]
    if case.clip_value:
        words += ["--clip-value", case.clip_value]
    if case.clip_norm:
        words += ["--clip-norm", case.clip_norm]
    return [str(word) for word in words]


def model_text(model):
    """One layer or node a line."""
    head = {k: v for k, v in model.items() if k not in ("layers", "nodes", "outputs")}
    form = "nodes" if "nodes" in model else "layers"
    text = json.dumps(head)[:-1] + f', "{form}": [\n  '
    text += ",\n  ".join(json.dumps(entry) for entry in model[form]) + "\n]"
    return text + (f', "outputs": {json.dumps(model["outputs"])}' if "outputs" in model else "") + "}\n"


MODES = ("64-true", "32-true", "bf16-mixed", "16-mixed")  # final tensors are compared in the first two only


def write_inputs(case, folder, initial, x, y):
    (folder / "model.json").write_text(model_text(case.model))
    save_file({k: v.contiguous() for k, v in initial.items()}, folder / "weights.safetensors")
    save_file({"x": x.contiguous(), "y": y.contiguous()}, folder / "data.safetensors")


def report(case, exact, tolerance, runs, final, final_tolerances, noise):
    """One line: how much of each tolerance PyTorch's own runs use up (1 would be all of it)."""
    words = [f"{case.name:14} {exact[0]:.4f} -> {exact[-1]:.4f}"]
    for mode, (losses, state) in runs.items():
        used = max(abs(a - b) / t for a, b, t in zip(losses, exact, tolerance[mode]))
        words.append(f"{mode}: losses {used:.2f} (of {max(tolerance[mode]) / exact[0]:.1e})")
        limits = final_tolerances.get(mode, {})
        shares = [((state[k] - final[k]).abs().max().item() / limits[k], k) for k in limits if k not in noise]
        words.append("final {:.2f} {}".format(*max(shares)) if shares else "")
    print("  ".join(words))


def write(case, seed):
    folder = HERE / case.folder
    folder.mkdir(exist_ok=True)
    torch.manual_seed(seed)
    initial = JsonModel(case.model).state()
    x, y = data_of(case, seed)
    if not case.share:
        write_inputs(case, folder, initial, x, y)
    exact, final, observer = train(case, initial, x, y, torch.float64, observe=True)
    single, single_final, _ = train(case, initial, x, y, torch.float32)
    mixed, mixed_final, _ = train(case, initial, x, y, torch.float32, autocast=torch.bfloat16)
    half, half_final, _ = train(case, initial, x, y, torch.float32, autocast=torch.float16)
    noise = [name for name, largest in observer.largest_gradient.items() if 0 < largest < NOISE]
    small = {k: v.contiguous() for k, v in final.items() if v.numel() <= SMALL}
    tolerance = {mode: loss_tolerance(mode, case, exact, observer) for mode in MODES}
    final_tolerances = {
        mode: {k: final_tolerance(mode, case, k, final, observer.moved[k]) for k in small} for mode in MODES[:2]
    }
    reference = {
        "arguments": arguments_of(case),
        "batch": case.batch,
        "steps": STEPS,
        "loss": case.loss,
        "optimizer": case.optimizer,
        "clip_norm": case.clip_norm,
        "losses_hex": [loss.hex() for loss in exact],
        "losses": exact,
        "tolerance": {mode: [float(f"{t:.3g}") for t in values] for mode, values in tolerance.items()},
        "losses_f32": single,
        "losses_bf16_autocast": mixed,
        "losses_f16_autocast": half,
        "noise": noise,
        "final_tolerance": {m: {k: float(f"{t:.3g}") for k, t in v.items()} for m, v in final_tolerances.items()},
        "final": {k: {"sum": v.sum().item(), "norm": v.norm().item()} for k, v in final.items()},
    }
    (folder / f"{case.name}.reference.json").write_text(json.dumps(reference, indent=1) + "\n")
    save_file(small, folder / f"{case.name}.final.safetensors")
    runs = {"32-true": (single, single_final), "bf16-mixed": (mixed, mixed_final),
            "16-mixed": (half, half_final)}
    report(case, exact, tolerance, runs, final, final_tolerances, noise)


if __name__ == "__main__":  # names, or all
    for case in [each for each in CASES if each.name in sys.argv[1:] or not sys.argv[1:]]:
        write(case, seed=11 + [c.name for c in CASES].index(case.folder))
