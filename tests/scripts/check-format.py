#!/usr/bin/env python3
"""Checks that clang-format would change no C or C++ file.

usage: check-format.py ROOT CLANG_FORMAT

The files are those that git tracks, or all outside build folders where ROOT is no git checkout.
"""

import pathlib
import subprocess
import sys

SUFFIXES = {".c", ".cpp", ".h"}


def tracked(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True)
    if listed.returncode == 0 and listed.stdout:
        return [root / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in root.rglob("*")
            if not any(part.startswith((".", "build")) for part in path.relative_to(root).parts)]


def main():
    root, clang_format = pathlib.Path(sys.argv[1]), sys.argv[2]
    files = sorted(path for path in tracked(root) if path.suffix in SUFFIXES and path.is_file())
    wrong = [path for path in files
             if subprocess.run([clang_format, "--dry-run", "-Werror", path], capture_output=True).returncode != 0]
    for path in wrong:
        print(f"{path.relative_to(root)}: not formatted; run {clang_format} -i {path.relative_to(root)}")
    print(f"{len(files)} files, {len(wrong)} not formatted")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
