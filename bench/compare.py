#!/usr/bin/env python3
"""Times training steps of halfstep and of its peers on the same work, alternating, and prints a table.

usage: bench/compare.py [WORKLOAD...] [--precision P] [--against P...] [--threads N] [--rounds N]
                        [--torch PYTHON] [--jax PYTHON] [--json FILE]

A workload is a model and a recipe of bench/workloads. Each round runs every configuration once, in turn, each in a
process of its own; the table gives the least time over all rounds, the median of the rounds' medians, and the peer's
least time divided by ours. Peers run where --torch or --jax names a Python that has them (bench/peers). --against adds
our own steps in other precision modes: `--precision 32-true --against 16-mixed` shows what f16 costs.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKLOADS = ROOT / "bench" / "workloads"
PEER_PRECISION = {"32-true": "fp32", "bf16-mixed": "bf16", "16-mixed": "fp16"}


def last_json_line(command):
    """The object that a command prints last; ends the program with its errors when it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nfailed with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compile_library(args, workload, precision, folder):
    model = WORKLOADS / f"{workload}.json"
    if not model.exists():
        names = sorted(path.stem for path in WORKLOADS.glob("*.json") if "." not in path.stem)
        sys.exit(f"no workload '{workload}'; there are: {', '.join(names)}")
    command = [args.halfstep, "compile", model, "--recipe", WORKLOADS / f"{workload}.recipe.json",
               "--precision", precision, f"--cpu-gemm={args.cpu_gemm}", "--name", "bench", "-o", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)


def configurations(args, workload, folder):
    """Pairs of a name and the command that prints one JSON line. Libraries go into subfolders of `folder`."""
    found = []
    for precision in (args.precision, *args.against):
        library = folder / precision
        compile_library(args, workload, precision, library)
        ours = [args.halfstep, "bench", library, "--threads", str(args.threads), "--steps", str(args.steps), "--json"]
        found.append(("halfstep" if precision == args.precision else f"halfstep {precision}", ours))
    peer = [workload, "--precision", PEER_PRECISION[args.precision], "--threads", str(args.threads)]
    if args.torch:
        for mode in ("eager", "compile"):
            found.append((f"torch {mode}", [args.torch, ROOT / "bench/peers/bench_torch.py", *peer, "--mode", mode]))
    if args.jax:
        found.append(("jax", [args.jax, ROOT / "bench/peers/bench_jax.py", *peer]))
    return found


def compare(args, workload):
    with tempfile.TemporaryDirectory() as folder:
        runs = {}
        commands = configurations(args, workload, pathlib.Path(folder))
        for _ in range(args.rounds):
            for name, command in commands:
                runs.setdefault(name, []).append(last_json_line(command))
    least = {name: min(run["min_ms"] for run in found) for name, found in runs.items()}
    for name, found in runs.items():
        median = statistics.median(run["median_ms"] for run in found)
        first = statistics.median(run["start_to_first_step_s"] for run in found)
        memory = max(run["peak_rss_mib"] for run in found)
        print(f"| {workload} | {name} | {least[name]:.4g} | {median:.4g} | {least[name] / least['halfstep']:.2f} "
              f"| {first * 1e3:.0f} | {memory:.0f} |", flush=True)
    return {"workload": workload, "precision": args.precision, "threads": args.threads, "runs": runs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=["mlp-small", "mlp-mnist"], metavar="WORKLOAD")
    parser.add_argument("--precision", default="32-true", choices=PEER_PRECISION)
    parser.add_argument("--against", nargs="+", default=[], metavar="P", help="other precision modes of our own")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200, help="of halfstep, a round; peers run for 3 s")
    parser.add_argument("--cpu-gemm", default="auto", choices=["auto", "generated", "onednn"])
    parser.add_argument("--halfstep", default=ROOT / "build/bin/halfstep")
    parser.add_argument("--torch", metavar="PYTHON")
    parser.add_argument("--jax", metavar="PYTHON")
    parser.add_argument("--json", metavar="FILE", help="append all runs, one line a workload")
    args = parser.parse_args()
    print(f"{args.precision}, {args.threads} thread(s), {args.rounds} rounds\n")
    print("| workload | | least ms | median ms | times ours | first step ms | peak MiB |\n|---|---|---|---|---|---|---|")
    for workload in args.workloads:
        result = compare(args, workload)
        if args.json:
            with open(args.json, "a") as file:
                file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
