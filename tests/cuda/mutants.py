#!/usr/bin/env python3
"""Faults put into generated kernels, into the launches of a library and into the host side: each must be noticed.

usage: mutants.py HALFSTEP DRIVER kernels
       mutants.py COMPILER DRIVER host LIBRARY.a OBJECT...
(DRIVER: the emulated libcuda.so.1; COMPILER: of C; LIBRARY.a: the embedded runtime; OBJECT: those of TinyMain)

A kernel's text is changed inside the library, which trains then; a fault is noticed by the emulator, or by losses that
leave the reference's tolerance. The host side's source is changed and linked with a library written by hand.
"""

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from emulator import Emulator  # noqa: E402
from tool import REFERENCES, ROOT, Failure, Tool, logged_loss, run, split_arguments  # noqa: E402

STEPS = 3
NORM = 2.0**-6  # of the gradient's norm, relative: four roundings to bf16
CASE, MODE = "mlp", "bf16-mixed"

# (what, pattern in the PTX, replacement, which matches as parts of all of them). A replacement is filled up with blanks
# to the length of what it replaces. Where the fault would change nothing (a barrier that nothing needs, a sum of zeros)
# it is not put, so the patterns ask for what stands beside.
BUTTERFLY = rb"shfl\.sync\.bfly\.b32 \t[^;]*"
PTX = [
    ("barrier removed", rb"(st\.shared\.\w+ \t[^;]*;\s*(?:\$\w+:\s*)?)bar\.sync \t0;", rb"\1", (0, 0.25, 0.5, 0.75)),
    ("wrong shuffle", rb"(" + BUTTERFLY + rb"), 8, 31, -1;(\s*add\.rn\.f32)", rb"\1, 4, 31, -1;\2", (0, 0.5)),
    ("difference for a sum", rb"(" + BUTTERFLY + rb", 4, 31, -1;\s*)add\.rn\.f32", rb"\1sub.rn.f32", (0, 0.5)),
    ("store to shared memory removed", rb"st\.shared\.b32 \t[^;]*, %[^;]*;(?=\s*bar\.sync)", b"", (0, 0.5)),
    ("sum that starts at 1", rb"(mov\.b32 \t%r\d+), 0f00000000;", rb"\1, 0f3F800000;", (0,)),
    ("guard of a branch removed", rb"@%p\d+ bra \t\$L__BB\d+_\d+;", b"", (0,)),
    ("off by one", rb"setp\.lt\.u64", b"setp.le.u64", (0.9,)),
    ("value that is not written", rb"st\.global\.b16 \t[^;]*;", b"", (0,)),
]

# (what, file of runtime/embedded, text, replacement)
HOST = [
    ("no wait for the inputs", "cuda_step.c", "driver->cuStreamWaitEvent(device->stream, device->copied, 0)", "0"),
    ("event on the wrong stream", "cuda_step.c", "cuEventRecord(device->copied, device->copies)",
     "cuEventRecord(device->copied, device->stream)"),
    ("no wait for the results", "cuda_step.c", "device->driver.cuStreamSynchronize(device->stream)", "0"),
    ("two uploads through one place", "cuda_step.c", "TENSORS = 2 * PLACE", "TENSORS = PLACE"),
    ("no zeroing", "cuda.c", "driver->cuMemsetD8Async(device->arena, 0, bytes, device->stream)", "0"),
    ("no wait for the state", "cuda.c", "result = driver->cuStreamSynchronize(device->stream);\n    if (!result && !to",
     "result = 0;\n    if (!result && !to"),
    ("arena never freed", "cuda.c", "driver->cuMemFree(device->arena)", "0"),
    ("graphs never freed", "cuda.c", "driver->cuGraphExecDestroy(device->graphs[i])", "0"),
    ("arena freed twice", "cuda.c", "driver->cuMemFree(device->arena)",
     "(driver->cuMemFree(device->arena), driver->cuMemFree(device->arena))"),
    ("arena too small", "cuda.c", "driver->cuMemAlloc(&device->arena, bytes)",
     "driver->cuMemAlloc(&device->arena, bytes -= 65)"),
]


class Kernels:
    """Mutants of the kernels and launches of one library."""

    def __init__(self, halfstep, driver, work):
        self.tool, self.emulator, self.work = Tool(halfstep), Emulator(driver, work), work
        self.folder = REFERENCES / CASE
        self.reference = json.loads((self.folder / (CASE + ".reference.json")).read_text())
        compiled, self.runs = split_arguments(self.reference["arguments"])
        self.runs[self.runs.index("--steps") + 1] = str(STEPS)
        library = self.tool.compile(self.folder / "model.json", work / "library", *compiled, "--precision", MODE,
                                    "--target", "cuda")
        self.library = library / "libmodel.so"
        self.content = self.library.read_bytes()
        self.begin = self.content.index(b".version")
        self.end = self.content.index(b"\0", self.begin)
        self.launches = self.find_launches()
        cpu = self.tool.compile(self.folder / "model.json", work / "cpu", *compiled, "--precision", MODE, "--lists", "cuda",
                                "--cpu-gemm", "generated")
        self.norms = [line["grad_norm"] for line in self.train(cpu)]

    def train(self, library):
        """The log of a run."""
        return self.tool.train(library, *self.runs, log=self.work / "log.jsonl", folder=self.folder,
                               environment=self.emulator.environment())

    def is_noticed(self, content):
        self.library.write_bytes(content)
        try:
            lines = self.train(self.library.parent)
            self.emulator.require_clean()
        except Failure:
            return True
        exact = [float.fromhex(loss) for loss in self.reference["losses_hex"]]
        return not all(line["grad_norm"] is not None and abs(line["grad_norm"] - norm) <= NORM * norm and
                       abs(logged_loss(line) - loss) <= allowed
                       for line, loss, norm, allowed in zip(lines, exact, self.norms, self.reference["tolerance"][MODE]))

    def mutants(self):
        """(name, the library's bytes)"""
        yield "none", self.content
        ptx = self.content[self.begin:self.end]
        used = {struct.unpack_from("<i", self.content, launch)[0] for launch in self.launches}
        for what, pattern, replacement, parts in PTX:
            matches = [match for match in re.finditer(pattern, ptx) if self.kernel_at(ptx, match.start()) in used]
            if not matches:
                raise Failure("the PTX has no place for: " + what)
            for match in (matches[int(part * len(matches))] for part in parts):
                text = match.expand(replacement).ljust(len(match[0]))
                line = ptx[:match.start()].count(b"\n") + 1
                yield "%s, PTX line %d" % (what, line), (self.content[:self.begin] + ptx[:match.start()] + text +
                                                         ptx[match.end():] + self.content[self.end:])
        first, last, largest = self.launches[0], self.launches[-1], max(self.launches, key=self.grid)
        yield "a block too few", self.patched(largest + 4, struct.pack("<I", self.grid(largest) - 1))
        yield "half the threads", self.patched(largest + 16, struct.pack("<I", self.threads(largest) // 2))
        yield "a launch twice for the one before it", self.patched(first, self.content[first + 48:first + 96])
        yield "the last launch left out", self.patched(last, self.content[last - 48:last])

    def patched(self, place, data):
        return self.content[:place] + data + self.content[place + len(data):]

    def grid(self, place):
        return struct.unpack_from("<I", self.content, place + 4)[0]

    def threads(self, place):
        return struct.unpack_from("<I", self.content, place + 16)[0]

    @staticmethod
    def kernel_at(ptx, place):
        """The number of the kernel that holds the place."""
        return ptx[:place].count(b".entry") - 1

    def find_launches(self):
        """Places of the training step's hs_cuda_launch records: in the longest run of what looks like them, those before
        the first kernel comes again, which evaluation starts with too."""
        longest, at = [], 0
        while at + 48 <= len(self.content):
            found = []
            while at + 48 <= len(self.content) and self.is_launch(at):
                found.append(at)
                at += 48
            longest = max(longest, found, key=len)
            at += 8
        kernels = [struct.unpack_from("<i", self.content, launch)[0] for launch in longest]
        if kernels[:1] != [0] or kernels.count(0) != 3:
            raise Failure("the library has no launches that this test can find")
        return longest[:kernels.index(0, 1)]

    def is_launch(self, at):
        kernel, *shape, shared, count, padding = struct.unpack_from("<i6IIiI", self.content, at)
        return (0 <= kernel < 1000 and all(0 < extent < 1 << 16 for extent in shape) and shape[3] % 32 == 0 and
                shape[3] <= 1024 and shared < 1 << 18 and 0 < count < 512 and padding == 0)


class Host:
    """Mutants of runtime/embedded/cuda*.c."""

    def __init__(self, compiler, driver, library, objects, work):
        self.compiler, self.library, self.objects, self.work = compiler, library, objects, work
        self.emulator = Emulator(driver, work)
        self.source = ROOT / "runtime" / "embedded"

    def is_noticed(self, mutant):
        name, text = mutant
        source, program = self.work / name, self.work / "program"
        source.write_text(text)
        run([self.compiler, "-o", program, source, *self.objects, self.library, "-D_DEFAULT_SOURCE", "-DHS_API=",
             "-I", self.source, "-I", ROOT / "runtime", "-I", ROOT / "runtime" / "include", "-lstdc++", "-lm",
             "-lpthread", "-ldl"])
        for _ in range(5):  # some orders hide a wait that is missing
            environment = dict(os.environ, **self.emulator.environment())
            if subprocess.run([program], env=environment, stderr=subprocess.DEVNULL).returncode:
                return True
        return False

    def mutants(self):
        yield "none", ("cuda.c", (self.source / "cuda.c").read_text())
        for what, name, before, after in HOST:
            text = (self.source / name).read_text()
            if text.count(before) != 1:
                raise Failure("%s has no single place for: %s" % (name, what))
            yield what, (name, text.replace(before, after))


def main():
    path, driver, kind, *rest = sys.argv[1:]
    problems = []
    with tempfile.TemporaryDirectory() as work:
        driver, work = os.path.abspath(driver), Path(work)
        subject = Kernels(path, driver, work) if kind == "kernels" else Host(path, driver, rest[0], rest[1:], work)
        for name, mutant in subject.mutants():
            noticed, lines = subject.is_noticed(mutant), subject.emulator.lines()
            how = lines[0][:110] if lines and lines[0].startswith("finding") else "by its results"
            print("%-45s %s" % (name, how if noticed else "not noticed"), flush=True)
            if noticed == (name == "none"):
                problems.append("%s: %s" % (name, "noticed, without a fault" if noticed else "not noticed"))
    for problem in problems:
        print("FAIL " + problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
