"""Writes schedule_values.json: learning rates of torch.optim.lr_scheduler, for ScheduleTest.cpp. Needs torch."""

import json
from pathlib import Path

import torch
from torch.optim import lr_scheduler as S

LR, STEPS = 0.25, 24
CASES = [
    ({"kind": "constant", "warmup": 0}, None),
    ({"kind": "constant", "warmup": 6}, lambda o: S.ConstantLR(o, 1.0)),
    ({"kind": "step", "every": 5, "gamma": 0.5}, lambda o: S.StepLR(o, 5, 0.5)),
    ({"kind": "step", "every": 3, "warmup": 4}, lambda o: S.StepLR(o, 3)),
    ({"kind": "multistep", "milestones": [2, 3, 11], "gamma": 0.3}, lambda o: S.MultiStepLR(o, [2, 3, 11], 0.3)),
    ({"kind": "cosine", "steps": 20, "min_lr": 0.01}, lambda o: S.CosineAnnealingLR(o, 20, 0.01)),
    ({"kind": "cosine", "steps": 24, "warmup": 5}, lambda o: S.CosineAnnealingLR(o, 19)),
    ({"kind": "linear", "steps": 16, "min_lr": 0.05}, lambda o: S.LinearLR(o, 1, 0.2, 16)),
    ({"kind": "linear", "steps": 24, "warmup": 3, "warmup_start": 0.5}, lambda o: S.LinearLR(o, 1, 0, 21)),
    ({"kind": "one_cycle", "steps": 24}, lambda o: S.OneCycleLR(o, LR, total_steps=24)),
    ({"kind": "one_cycle", "steps": 24, "pct_start": 0.5, "div_factor": 10.0, "final_div_factor": 100.0},
     lambda o: S.OneCycleLR(o, LR, total_steps=24, pct_start=0.5, div_factor=10.0, final_div_factor=100.0)),
]


def rates(settings, make):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    warmup, length = settings.get("warmup", 0), settings.get("steps", STEPS)
    scheduler = make(optimizer) if make else None
    if warmup:
        start = settings.get("warmup_start", 1 / (warmup + 1))
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] = LR
        first = S.LinearLR(optimizer, start, 1.0, warmup)
        scheduler = S.SequentialLR(optimizer, [first, make(optimizer)], [warmup])
    found = []
    for _ in range(min(length + 1, STEPS) if settings["kind"] != "one_cycle" else length):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler and len(found) < STEPS:
            scheduler.step()
    return found


if __name__ == "__main__":
    values = [{**settings, "lr": LR, "rates": rates(settings, make)} for settings, make in CASES]
    path = Path(__file__).with_name("schedule_values.json")
    path.write_text("[\n" + ",\n".join(json.dumps(each) for each in values) + "\n]\n")
