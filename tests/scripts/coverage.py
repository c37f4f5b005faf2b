#!/usr/bin/env python3
"""Writes docs/coverage.md from the tests: ops and their gradients, ONNX's ops and their node tests.

usage: coverage.py ROOT LLVM-TBLGEN LLVM-INCLUDE NODE-RESULTS [--write]

NODE-RESULTS is what onnx-node-tests wrote. Fails when the page in docs/ is another one (--write replaces it), when a
differentiable op has fewer than 20 gradient cases, when no test runs a group of such cases, and when an op that the ONNX
importer takes occurs in none of its tests and passes no node test.
"""

import collections
import json
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
LEAST_CASES = 20
HEAD = """# Coverage

Written by `tests/scripts/coverage.py` from the tests; the test `coverage` compares it.

"""
CLASS_LISTS = ("cpu", "cuda", "apex")


def dialect_ops(root, tblgen, include):
    """{name: (key of the op lists or None, is differentiable, is element-wise)} of the dialect nn."""
    text = subprocess.run([tblgen, "--dump-json", "-I", root, "-I", include, root / "dialect/nn/NNOps.td"],
                          capture_output=True, check=True, text=True).stdout
    records, ops = json.loads(text), {}
    for name in records["!instanceof"]["NN_Op"]:
        record = records[name]
        traits = {trait["def"] for trait in record["traits"]}
        key = re.search(r'return "(\w+)"', str(record.get("keyMethod")))
        ops["nn." + record["opName"]] = (key and key.group(1), "NN_Differentiable" in traits,
                                         bool({"NN_Elementwise", "NN_MappedElementwise"} & traits))
    return ops


def precision_classes(root):
    """{key: classes by list}."""
    rows = re.findall(r'\{"(\w+)", (\w+), (\w+), (\w+)\}', (root / "passes/OpLists.cpp").read_text())
    return {key: [re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower() for name in names] for key, *names in rows}


def gradient_cases(root):
    """{op: cases}, {group: ops}. The op of a case is the one that makes its result."""
    sys.path.insert(0, str(root / "tests/e2e"))
    from gradient_cases import GROUPS
    from gradient_model import Model
    counts, groups = collections.Counter(), {}
    for group, families in GROUPS.items():
        groups[group] = set()
        for build, cases in families:
            model = Model()
            model.begin("")
            build(model, *cases[0])
            ops = set(re.findall(r"= (nn\.\w+)", "\n".join(model.lines)))
            for op in ops - {"nn.constant"}:
                counts[op] += len(cases)
            groups[group] |= ops
    return counts, groups


def onnx_handlers(root, results):
    """The ONNX ops in the importer's tables, of which some are of functions or of what is folded."""
    known = {op for result in results for op in result["ops"].split()}
    found = set()
    for source in (root / "import").glob("Onnx*.cpp"):
        if source.name.startswith("OnnxSample"):  # what is evaluated to recognise masks
            continue
        text = source.read_text()
        found |= set(re.findall(r'\{"(\w+)", &I::add\w+\}', text))
        found |= set(re.findall(r'\{"([A-Z]\w+)", [{\[a-z]', text)) & known
    return found


def op_table(ops, counts, classes, made):
    yield "| op | ONNX | gradient cases | class (%s) | kernel |" % ", ".join(CLASS_LISTS)
    yield "|---|---|---|---|---|"
    for name, (key, differentiable, elementwise) in sorted(ops.items()):
        if not differentiable:
            continue
        precision = ", ".join(classes.get(key, ["untouched"] * 3)) if key else "untouched"
        yield "| `%s` | %s | %d | %s | %s |" % (name, " ".join(sorted(made.get(name[3:], []))), counts[name], precision,
                                               "element-wise, fused" if elementwise else "own")


def node_table(results, handlers):
    by_op = collections.defaultdict(collections.Counter)
    for result in results:
        for op in set(result["ops"].split()):
            single = result["ops"] == op
            if op in handlers and single:
                by_op[op][result["status"]] += 1
    yield "| ONNX op | passed | claimed | cases |"
    yield "|---|---|---|---|"
    for op in sorted(handlers):
        status = by_op[op]
        yield "| %s | %d | %d | %d |" % (op, status["passed"], status["passed"] + status["failed"], sum(status.values()))


def reasons(results):
    """Why cases are not claimed, most frequent first. Numbers in them are left out, so that like cases count together."""
    counts = collections.Counter(re.sub(r"\[[-0-9, N]*\]", "[...]", result["reason"])
                                 for result in results if result["status"] == "unclaimed")
    yield "| not claimed because | cases |"
    yield "|---|---|"
    for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield "| %s | %d |" % (reason.replace("|", "\\|"), count)


def made_by(results):
    """{op of the dialect: ONNX ops whose node tests become it}."""
    made = collections.defaultdict(set)
    for result in results:
        if result["status"] == "passed" and " " not in result["ops"]:
            for op in result["makes"]:
                made[op.removesuffix("_number")].add(result["ops"])
    return made


def page(ops, counts, classes, results, handlers):
    status = collections.Counter(result["status"] for result in results)
    lines = ["## Differentiable ops", "",
             "Gradients are checked against central differences in float64 on the cases counted here; the same op in a",
             "random graph is checked in four precisions by `tests/fuzz`. A class is that of the op lists of autocast.", "",
             *op_table(ops, counts, classes, made_by(results)), "", "## ONNX", "",
             "The node tests of onnx 1.23.2, forward, in f32 (those in double: f64), at its tolerances. Opsets 13 to 28.",
             "A case is claimed when the importer takes it: **%d passed of %d claimed, of %d cases**. This table counts the"
             % (status["passed"], status["passed"] + status["failed"], len(results)),
             "cases of one op; expanded functions count in the sum only.", "",
             *node_table(results, handlers), "", *reasons(results)]
    return HEAD + "\n".join(lines) + "\n"


def problems(root, ops, counts, groups, results, handlers):
    for name, (_, differentiable, _) in sorted(ops.items()):
        if differentiable and counts[name] < LEAST_CASES:
            yield "%s has %d gradient cases in tests/e2e, expected %d or more" % (name, counts[name], LEAST_CASES)
    run = (root / "tests/e2e/CMakeLists.txt").read_text()
    for group in groups:
        if not re.search(r"gradients\.py[^)]*(?<![\w-])%s(?![\w-])" % re.escape(group), run):
            yield "no test of tests/e2e/CMakeLists.txt runs the gradient cases '%s'" % group
    tests = "".join(path.read_text() for path in (root / "tests/import").glob("*.cpp"))
    passed = {op for result in results if result["status"] == "passed" for op in result["ops"].split()}
    for op in sorted(handlers):
        if '"%s"' % op not in tests and op not in passed:
            yield "the importer of ONNX's '%s' has no test in tests/import, and no node test of it passes" % op


def main():
    root, tblgen, include = Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
    results = json.loads(Path(sys.argv[4]).read_text())
    ops, handlers = dialect_ops(root, tblgen, include), onnx_handlers(root, results)
    counts, groups = gradient_cases(root)
    found = list(problems(root, ops, counts, groups, results, handlers))
    text, path = page(ops, counts, precision_classes(root), results, handlers), root / "docs/coverage.md"
    if "--write" in sys.argv:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        found.append("docs/coverage.md is not what the tests say: run the target docs-coverage")
    for problem in found:
        print("FAIL " + problem)
    print("%d ops, %d problems" % (len(ops), len(found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
