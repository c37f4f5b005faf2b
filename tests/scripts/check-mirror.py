#!/usr/bin/env python3
"""Checks that documentation and tests mirror the code.

usage: check-mirror.py ROOT

  - every pass of passes/*.td has a summary, a description and a test file tests/lit/passes/PASS-NAME.mlir
    in whose RUN lines its name occurs;
  - every op of dialect/*/*.td has a summary and a description, and occurs in some test below tests/lit;
  - every CHECK directive has its colon (one without checks nothing), and its prefix is one that a RUN line uses.

Prints each violation and exits 1 if there is one.
"""

import pathlib
import re
import sys

# A record of TableGen: its name, what it derives from, and its body up to the next record.
RECORD = re.compile(r'^def\s+(\w+)\s*:\s*(\w+)<"([^"]+)"', re.M)
DIALECT_NAME = re.compile(r'let\s+name\s*=\s*"(\w+)"')
OP_BASE = re.compile(r'^class\s+(\w+)<.*?:\s*(\w+)<', re.M | re.S)
PREFIXES = re.compile(r"--?check-prefix(?:es)?[= ]([\w,-]+)")
SUFFIX = r"(?:-(?:NEXT|SAME|NOT|DAG|LABEL|EMPTY|COUNT-\d+))?"


def records(text):
    """Yields (name, base class, mnemonic, body) of each record that is given a string first."""
    found = list(RECORD.finditer(text))
    for match, after in zip(found, found[1:] + [None]):
        body = text[match.start():after.start() if after else len(text)]
        yield match.group(1), match.group(2), match.group(3), body


def check_passes(root):
    for td in sorted((root / "passes").glob("*.td")):
        for _, base, name, body in records(td.read_text()):
            if base not in ("Pass", "InterfacePass"):
                continue
            where = f"{td.relative_to(root)}: pass {name}"
            for field in ("summary", "description"):
                if f"let {field} =" not in body:
                    yield f"{where} has no {field}"
            test = root / "tests/lit/passes" / f"{name}.mlir"
            if not test.exists():
                yield f"{where} has no test {test.relative_to(root)}"
            elif not any(name in line for line in test.read_text().splitlines() if "RUN:" in line):
                yield f"{test.relative_to(root)}: no RUN line runs {name}"


def op_mnemonics(root):
    """Yields (file, full op name, record body) of each op; a dialect is a folder with a `let name`."""
    for folder in sorted(path for path in (root / "dialect").iterdir() if path.is_dir()):
        files = sorted(folder.glob("*.td"))
        texts = {td: td.read_text() for td in files}
        # Op classes derive from Op, in one or several steps.
        bases = {"Op"}
        pairs = [pair for text in texts.values() for pair in OP_BASE.findall(text)]
        for _ in pairs:
            bases.update(name for name, base in pairs if base in bases)
        dialects = [name for text in texts.values() for name in DIALECT_NAME.findall(text)]
        for td, text in texts.items():
            for name, base, mnemonic, body in records(text):
                if base in bases and dialects:
                    yield td, f"{dialects[0]}.{mnemonic}", body


def check_ops(root, tests):
    for td, name, body in op_mnemonics(root):
        where = f"{td.relative_to(root)}: op {name}"
        for field in ("summary", "description"):
            # An op class may take its summary as an argument, a string after the mnemonic.
            if f"let {field} =" not in body:
                yield f"{where} has no {field}"
        if not any(re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text) for text in tests.values()):
            yield f"{where} occurs in no test below tests/lit"


def check_directives(root, tests):
    for test, text in tests.items():
        prefixes = {"CHECK"}
        for match in PREFIXES.finditer(text):
            prefixes.update(match.group(1).split(","))
        names = "|".join(sorted(map(re.escape, prefixes), key=len, reverse=True))
        forgotten = re.compile(rf"^\s*(?://|#)\s*(?:{names}){SUFFIX}(?![\w:{{-])")
        unknown = re.compile(r"^\s*(?://|#)\s*([A-Z][A-Z0-9-]*-)?(?:NEXT|SAME|NOT|DAG|LABEL|EMPTY)[:{]")
        for number, line in enumerate(text.splitlines(), 1):
            place = f"{test.relative_to(root)}:{number}"
            if forgotten.search(line):
                yield f"{place}: directive without a colon: {line.strip()}"
            match = unknown.search(line)
            if match and (match.group(1) or "")[:-1] not in prefixes:
                yield f"{place}: no RUN line uses the prefix of: {line.strip()}"


def main():
    root = pathlib.Path(sys.argv[1])
    tests = {path: path.read_text() for path in sorted((root / "tests/lit").rglob("*"))
             if path.suffix in (".mlir", ".test")}
    violations = [*check_passes(root), *check_ops(root, tests), *check_directives(root, tests)]
    for violation in violations:
        print(violation)
    print(f"{len(tests)} test files, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
