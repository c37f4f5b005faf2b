"""Tolerances of the stored trajectories, from type, reduction length and depth. ../e2e/tolerances.md derives them."""

import math

UNIT_ROUNDOFF = {"f64": 2.0**-53, "f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8}
# (type in which results of lowered ops and their weights are stored, type that sums are accumulated in)
TYPES = {"64-true": ("f64", "f64"), "32-true": ("f32", "f32"), "bf16-mixed": ("bf16", "f32"),
         "16-mixed": ("f16", "f32")}
DEVIATIONS = 4  # of a normal distribution: 1 in 16,000


def reduction_length(model, batch):
    """The longest sum: a contraction's, or a gradient's or statistic's over the batch and its positions."""
    shape = next(iter(model["inputs"].values()))["shape"]
    return max(64, batch) * math.prod(shape[1:])


def depth(model):
    return len(model.get("layers", model.get("nodes")))


def relative_error(mode, case):
    """Of one stored result: its own rounding and, at random, that of the sum it comes from."""
    stored, summed = (UNIT_ROUNDOFF[t] for t in TYPES[mode])
    return stored + summed * math.sqrt(reduction_length(case.model, case.batch))


def loss_tolerance(mode, case, losses, observer):
    error = relative_error(mode, case)
    logged = UNIT_ROUNDOFF["f32"]
    steps = zip(losses, observer.sensitivity, [0.0, *observer.path])
    growth = math.sqrt(2 * depth(case.model))  # forward and backward
    return [DEVIATIONS * error * (felt + growth * path) + logged * loss for loss, felt, path in steps]


def loss_floor(summed, model, batch):
    """Relative distance from float64 that the order of sums of type `summed` may cause, whatever the mode."""
    longest = batch * math.prod(next(iter(model["inputs"].values()))["shape"][1:])
    return DEVIATIONS * math.sqrt(2 * depth(model)) * UNIT_ROUNDOFF[summed] * math.sqrt(longest)


def final_tolerance(mode, case, name, final, moved):
    """`moved`: the sum over the steps of the tensor's largest change."""
    if name.endswith("running_mean"):  # an average of values that are larger than it: their deviation is the scale
        moved = final[name.replace("running_mean", "running_var")].max().sqrt().item()
    growth = math.sqrt(2 * depth(case.model))
    stored = UNIT_ROUNDOFF["f64" if mode == "64-true" else "f32"]  # masters and buffers
    return DEVIATIONS * (relative_error(mode, case) * growth * moved + stored * final[name].abs().max().item())
