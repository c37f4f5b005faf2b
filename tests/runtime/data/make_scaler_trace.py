#!/usr/bin/env python3
"""Writes scaler_trace.json: 10,000 updates of torch.amp.GradScaler on a script of overflows. Needs torch 2.13.

usage: make_scaler_trace.py OUTPUT
"""
import json
import random
import sys

import torch

STEPS, SEED = 10000, 4
GROWTH, BACKOFF, INTERVAL = 1.7, 0.3, 11  # no powers of two: every update rounds


def overflows():
    """Long clean stretches, in which the scale reaches its upper end, bursts, and at last its way down to zero."""
    script, generator, end = [], random.Random(SEED), [1] * 300
    while len(script) < STEPS - len(end):
        script += [0] * generator.choice([1, 5, 11, 12, 40, 300, 2500]) + [1] * generator.choice([1, 1, 2, 5, 30])
    return script[:STEPS - len(end)] + end


def main():
    scaler = torch.amp.GradScaler("cpu", init_scale=1000.0, growth_factor=GROWTH, backoff_factor=BACKOFF,
                                  growth_interval=INTERVAL)
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.0)
    bits, trackers = [], []
    script = overflows()
    for found in script:
        scaler.scale(weight.sum()).backward()
        # The gradient is the test's, not what underflow of the scale makes of it.
        weight.grad.fill_(float("inf") if found else 0.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        bits.append(scaler._scale.view(torch.int32).item())
        trackers.append(scaler._growth_tracker.item())
    changes = [[step, value] for step, value in enumerate(bits) if step == 0 or value != bits[step - 1]]
    resets = [step for step, tracker in enumerate(trackers) if tracker == 0]
    # The tracker counts up by one between its resets, so these hold all of it.
    for step, tracker in enumerate(trackers[1:], 1):
        assert tracker in (0, trackers[step - 1] + 1)
    document = {"torch": torch.__version__, "init": 1000.0, "growth": GROWTH, "backoff": BACKOFF, "interval": INTERVAL,
                "found": "".join(map(str, script)), "scale_bits": changes, "tracker_resets": resets}
    with open(sys.argv[1], "w") as file:
        json.dump(document, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
