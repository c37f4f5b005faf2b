"""Rules for the .mlir and .test files below this folder.

Substitutions besides lit's own: %samples and %models, the folders samples/ and tests/references/; %ptxas where the
feature `ptxas` holds. Features: `ptxas`, `avx512bf16` (of the CPU that runs the tests).
"""

import os

import lit.formats

config.name = "halfstep"
config.test_format = lit.formats.ShTest(execute_external=True)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)

# The environment is the same on every machine: nothing of the user's comes through.
config.environment = {
    "PATH": os.pathsep.join([config.halfstep_bin, config.llvm_tools, "/usr/bin", "/bin"]),
    "LANG": "C.UTF-8",
    "NO_COLOR": "1",
    # A variable of one CHECK-LABEL block must not be found in the next.
    "FILECHECK_OPTS": "-enable-var-scope",
    # Debian's LLVM is not instrumented: it uses memory of allocators that our instantiations of them have poisoned.
    "ASAN_OPTIONS": "detect_leaks=0:allow_user_poisoning=0",
}

config.substitutions.append(("%samples", os.path.join(config.halfstep_source, "samples")))
config.substitutions.append(("%models", os.path.join(config.halfstep_source, "tests", "references")))

if config.ptxas and not config.ptxas.endswith("NOTFOUND"):
    config.available_features.add("ptxas")
    config.substitutions.append(("%ptxas", config.ptxas))

with open("/proc/cpuinfo") as cpuinfo:
    flags = next((line.split() for line in cpuinfo if line.startswith("flags")), [])
if "avx512_bf16" in flags:
    config.available_features.add("avx512bf16")
