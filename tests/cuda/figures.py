#!/usr/bin/env python3
"""Static figures of CUDA kernels: launches and traffic of a step, and what ptxas says of each kernel.

usage: figures.py HALFSTEP PTXAS [--write FILE]

Prints a table in Markdown for the workloads below, or puts it into FILE. Fails when ptxas refuses an architecture, when
a kernel spills registers, and when a step has more than 0.35 of the launches of PyTorch's. Occupancy is the theoretical one: resident warps
of a multiprocessor, as far as registers, shared memory, threads and blocks allow, of those that it can have.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCES, DIGITS = ROOT / "tests" / "references", ROOT / "samples" / "digits"
ADAMW = ["--optimizer", "adamw", "--lr", "0.001"]
WORKLOADS = [
    ("mlp", DIGITS / "mlp.json", "32-true", ["--loss", "cross_entropy", "--batch", "64"]),
    ("cnn", REFERENCES / "cnn" / "model.json", "bf16-mixed", ["--loss", "cross_entropy", "--batch", "8"]),
    ("transformer", REFERENCES / "transformer" / "model.json", "16-mixed",
     ["--loss", "cross_entropy", "--batch", "8", *ADAMW]),
    ("gpt", REFERENCES / "gpt" / "model.json", "bf16-mixed", ["--loss", "cross_entropy", "--batch", "4", *ADAMW]),
]
# Of a multiprocessor (CUDA C++ Programming Guide, compute capabilities): warps, blocks, bytes of shared memory.
# All have 65536 registers, handed out to a warp by 256, and keep 1 KiB of shared memory a block.
MACHINES = {80: (64, 32, 164 << 10), 90: (64, 32, 228 << 10), 100: (64, 32, 228 << 10), 120: (48, 24, 100 << 10)}
REGISTERS, REGISTER_UNIT, RESERVED = 65536, 256, 1024
# Operators of one traced step of eager PyTorch 2.13 that launch a kernel, one each, views left out: an estimate, and
# a low one. The transformer with f16, GradScaler and fused AdamW.
EAGER_LAUNCHES = {"transformer": 142}
MOST_OF_EAGER = 0.35


def launches(ptx):
    """{step: [(kernel, blocks, threads, bytes read, bytes written, ops)]} from the head of the PTX."""
    steps, step = {}, None
    for line in ptx.splitlines():
        if found := re.match(r"// (\w+): \d+ launches$", line):
            step = steps.setdefault(found[1], [])
        elif found := re.match(r"//   (\S+) grid (\d+)x(\d+)x(\d+) block (\d+) read (\d+) written (\d+): (.*)$", line):
            x, y, z, threads, read, written = map(int, found.groups()[1:7])
            step.append((found[1], x * y * z, threads, read, written, found[8]))
    return steps


def assemble(ptxas, ptx, architecture):
    """{kernel: (registers, spilled bytes, shared bytes)}."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernels.ptx"
        source.write_text(ptx)
        result = subprocess.run([ptxas, "-arch=sm_%d" % architecture, "-v", source, "-o", Path(folder) / "cubin"],
                                capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit("sm_%d: %s" % (architecture, result.stderr[:1000]))
    kernels, name = {}, None
    for line in result.stderr.splitlines():
        if found := re.search(r"Compiling entry function '(\w+)'", line):
            name, spilled = found[1], 0
        elif found := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            spilled = sum(map(int, found.groups()))
        elif found := re.search(r"Used (\d+) registers", line):
            shared = re.search(r"(\d+) bytes smem", line)
            kernels[name] = (int(found[1]), spilled, int(shared[1]) if shared else 0)
    return kernels


def occupancy(architecture, registers, shared, threads):
    """Resident warps in percent."""
    most_warps, most_blocks, memory = MACHINES[architecture]
    warps = -(-threads // 32)
    registers_a_warp = -(-registers * 32 // REGISTER_UNIT) * REGISTER_UNIT
    blocks = min(most_blocks, most_warps // warps, REGISTERS // registers_a_warp // warps,
                 memory // (shared + RESERVED))
    return 100 * blocks * warps // most_warps


def kernel_rows(ptxas, ptx, step):
    """Rows of the table, and the kernels that spill."""
    assembled = {architecture: assemble(ptxas, ptx, architecture) for architecture in MACHINES}
    rows, spilling, seen = [], [], set()
    for name, _, threads, _, _, ops in step:
        if name in seen:
            continue
        seen.add(name)
        figures = [assembled[architecture][name] for architecture in MACHINES]
        spilling += [name for each in figures if each[1]]
        percent = [occupancy(architecture, registers, shared, threads)
                   for architecture, (registers, _, shared) in zip(MACHINES, figures)]
        short = ops if len(ops) < 60 else ops[:57] + "..."
        rows.append("| %s | %s | %d | %s | %d | %d | %s |"
                    % (name, short, threads, " ".join(str(each[0]) for each in figures),
                       max(each[1] for each in figures), figures[0][2], " ".join(map(str, percent))))
    return rows, spilling


def section(tool, ptxas, workload):
    name, model, mode, flags = workload
    command = [tool, "inspect", model, "--target", "cuda", "--precision", mode, "--emit", "ptx", *flags]
    ptx = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    step = launches(ptx)["train_step"]
    rows, spilling = kernel_rows(ptxas, ptx, step)
    problems = ["%s spills registers" % kernel for kernel in spilling]
    epilogue = [each for each in step if each[0].startswith(("hs_update", "hs_finite"))]
    text = ["## %s, %s" % (name, mode), "",
            "%d launches a training step; kernels read %d bytes and write %d, of which the check and the update of the "
            "parameters read %d and write %d."
            % (len(step), sum(each[3] for each in step), sum(each[4] for each in step),
               sum(each[3] for each in epilogue), sum(each[4] for each in epilogue))]
    if name in EAGER_LAUNCHES:
        eager = EAGER_LAUNCHES[name]
        if len(step) > MOST_OF_EAGER * eager:
            problems.append("%d launches, at most %.2f of %d wanted" % (len(step), MOST_OF_EAGER, eager))
        text.append("PyTorch eager, estimated from a traced step: %d launches; ours are %.2f of that."
                    % (eager, len(step) / eager))
    text += ["", "| kernel | ops | threads | registers | spilled bytes | shared bytes | occupancy % |",
             "|---|---|---|---|---|---|---|", *rows, ""]
    return text, problems


def main(arguments):
    tool, ptxas, *rest = arguments
    lines = ["# Static figures of CUDA kernels", "",
             "Made by `tests/cuda/figures.py`; no GPU is needed. Registers and occupancy are given for sm_80, sm_90, "
             "sm_100 and sm_120.", ""]
    problems = []
    for workload in WORKLOADS:
        text, found = section(tool, ptxas, workload)
        lines += text
        problems += ["%s: %s" % (workload[0], problem) for problem in found]
    page = "\n".join(lines)
    if rest:
        Path(rest[1]).write_text(page)
    else:
        print(page)
    if problems:
        sys.exit("\n".join(problems))


main(sys.argv[1:])
