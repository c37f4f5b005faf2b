#!/usr/bin/env python3
"""Writes the pages on ops and passes from their TableGen definitions.

usage: generate.py ROOT MLIR_TBLGEN MLIR_INCLUDE [--check]

With --check nothing is written: pages that differ from their definitions are named, and the exit status is 1.
"""

import pathlib
import re
import subprocess
import sys

PASSES_TITLE = """# Passes

In alphabetical order; `passes/Pipeline.cpp` lists them in the order in which they run.
"""

# Page, definitions, what to ask mlir-tblgen for, title where it writes none.
PAGES = [
    ("ops-nn.md", "dialect/nn/NNOps.td", ["-gen-dialect-doc", "-dialect=nn"], ""),
    ("ops-amp.md", "dialect/amp/AmpOps.td", ["-gen-dialect-doc", "-dialect=amp"], ""),
    ("ops-train.md", "dialect/train/TrainOps.td", ["-gen-dialect-doc", "-dialect=train"], ""),
    ("ops-interfaces.md", "dialect/interfaces/OpInterfaces.td", ["-gen-op-interface-docs"], ""),
    ("passes.md", "passes/Passes.td", ["-gen-pass-doc"], PASSES_TITLE),
]


def page(root, tblgen, include, definitions, generator, title):
    text = subprocess.run([tblgen, *generator, "-I", root, "-I", include, root / definitions], check=True,
                          capture_output=True, text=True).stdout
    notice, _, body = text.partition("\n")
    # The table of contents is a mark that renderers do not know; mlir-tblgen is lavish with empty lines.
    body = re.sub(r"\n{3,}", "\n\n", (title + "\n" + body).replace("[TOC]\n", ""))
    body = "\n".join(line.rstrip() for line in body.splitlines())
    return f"{notice}\n\n{body.strip()}\n"


def main():
    root, tblgen, include = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    stale = []
    for name, definitions, generator, title in PAGES:
        path = root / "docs" / name
        text = page(root, tblgen, include, definitions, generator, title)
        if path.exists() and path.read_text() == text:
            continue
        if "--check" in sys.argv:
            stale.append(name)
        else:
            path.write_text(text)
            print(f"wrote docs/{name}")
    if stale:
        print(f"docs/ is older than the definitions of ops and passes: {', '.join(stale)}\n"
              "to write it again: cmake --build build --target docs-generate")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
