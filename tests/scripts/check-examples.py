#!/usr/bin/env python3
"""Checks that the examples of the passes' documentation are what the passes do.

usage: check-examples.py ROOT HALFSTEP_OPT

A description in passes/*.td holds a block of IR, then one or more blocks that it becomes. The first, put into a module,
goes through the pass; each of the others must be found in the output for one of the pass's frames below, apart from the
names of values. `...` stands for any text. Prints each example that is not so, and exits 1 if there is one.
"""

import pathlib
import re
import subprocess
import sys

INIT = '#train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>'
POLICY = ('#amp.policy<name = "%s", params = f32, compute = bf16, casts = true, lists = "cpu", rounding = "fused", '
          'scaler = %s, scale = 1.0 : f64%s>')
MIXED = POLICY % ("bf16-mixed", "false", "")
SGD = '#train.optimizer<kind = "sgd", constants = {momentum = 0.9 : f64}>'

# Pass: the parameters that its example leaves out, the function around the example up to its body, the function's last
# line unless the example has it, and the policy under which each block comes out.
FRAMES = {
    "place-casts": (["@w : tensor<3x4xf32>"], "@forward(%x: tensor<2x4xf32>) -> tensor<2x3xf32>", "", [MIXED]),
    "differentiate": (["@w : tensor<4xf32>"], "@train_step(%x: tensor<4xf32>) -> tensor<f32>", "", [MIXED]),
    "scale-loss": ([], "@train_step() -> tensor<f32>", "return %s : tensor<f32>",
                   [POLICY % ("O1", "true", ""), MIXED]),
    "optimizer": (["@m : tensor<4xf32> buffer", "@v : tensor<4xf32>", "@w : tensor<4xf32>"],
                  "@train_step(%m: tensor<4xf32>, %0: tensor<4xf32>, %1: tensor<4xf32>)", "return", [MIXED]),
    "minimize-casts": ([], "@train_step(%g: tensor<4xbf16>) -> (tensor<i32>, tensor<f64>)",
                       "return %found, %norm : tensor<i32>, tensor<f64>", [MIXED]),
    "masters": ([], "@forward() -> tensor<3x4xbf16>", "return %0 : tensor<3x4xbf16>",
                [MIXED, POLICY % ("bf16-true", "false", ', masters = "none"')]),
    "fuse": ([], "@forward(%x: tensor<8x4xf32>, %b: tensor<4xf32>) -> tensor<8x4xf32>", "return %r : tensor<8x4xf32>",
             [MIXED]),
    "plan-memory": ([], "@forward() -> tensor<4xf32>", "return %y : tensor<4xf32>", [MIXED]),
}


def descriptions(root):
    """Yields each pass's name and the blocks of IR of its description."""
    for td in sorted((root / "passes").glob("*.td")):
        for name, body in re.findall(r'^def \w+ : Pass<"([^"]+)"(.*?)^}', td.read_text(), re.M | re.S):
            yield name, re.findall(r"```mlir\n(.*?)```", body, re.S)


def normal(text):
    """One space between tokens, numbers in one form."""
    text = text.replace("#zero", INIT)
    text = re.sub(r"\d+\.\d+(?:e[+-]?\d+)?", lambda number: repr(float(number.group())), text)
    return " ".join(re.sub(r"([(){}<>\[\],:=])", r" \1 ", text).split())


def pattern(block):
    """A regular expression for the block: a value's name stands for any, the same wherever it occurs."""
    groups, parts = {}, []
    for token in normal(block).split():
        if token == "...":
            parts.append(".*?")
        elif token in groups:
            parts.append(r"(?P=%s)\b" % groups[token])
        elif token.startswith("%"):
            groups[token] = "v%d" % len(groups)
            parts.append(r"(?P<%s>%%\w+)" % groups[token])
        else:
            parts.append(re.escape(token))
    return re.compile(" ".join(parts).replace(" .*?", ".*?").replace(".*? ", ".*?"))


def module(example, frame, policy):
    params, head, tail, _ = frame
    stated = [line.strip() for line in example.splitlines() if line.strip().startswith("train.param")]
    body = [line for line in example.splitlines() if not line.strip().startswith("train.param")]
    for param in params:
        name, *buffer = param.split(" buffer")
        stated.append("train.param %s {%sinit = #zero}" % (name, "buffer, " if buffer else ""))
    text = "module attributes {amp.policy = %s, train.optimizer = %s} {\n%s\nfunc.func %s {\n%s\n%s\n}\n}\n" % (
        policy, SGD, "\n".join(stated), head, "\n".join(body), tail)
    return text.replace("#zero", INIT)


def main(root, opt):
    wrong = 0
    for name, blocks in descriptions(root):
        frame = FRAMES.get(name)
        policies = frame[3] if frame else []
        if len(blocks) != 1 + len(policies):
            print("%s: %d examples, expected one and %d that it becomes" % (name, len(blocks), len(policies)))
            wrong += 1
            continue
        for expected, policy in zip(blocks[1:], policies):
            run = subprocess.run([opt, "--" + name], input=module(blocks[0], frame, policy), capture_output=True,
                                 text=True)
            found = normal(run.stdout)
            params = [line for line in expected.splitlines() if line.strip().startswith("train.param")]
            rest = "\n".join(line for line in expected.splitlines() if line not in params)
            if run.returncode or not all(pattern(part).search(found) for part in params + [rest]):
                print("%s: the example\n%s\nis not what the pass makes:" % (name, expected))
                print(run.stdout + run.stderr)
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2]))
