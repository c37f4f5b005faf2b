#!/bin/sh
# Compiles samples/digits/cnn.json into a library, this program against it with plain cc, and runs the program.
# The last line is `held-out accuracy: FRACTION`. HALFSTEP: the tool; PRECISION: the mode; CC: the C compiler.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
halfstep=${HALFSTEP:-build/bin/halfstep}
out=${OUT:-out/own-loop-c}
digits=samples/digits

"$halfstep" compile "$digits/cnn.json" --recipe "$digits/recipe.json" --precision "${PRECISION:-bf16-mixed}" \
  --cpu-gemm=generated --name digits -o "$out"
"${CC:-cc}" -std=c11 -O2 -I "$out" samples/own-loop-c/main.c "$out/libdigits.a" -lm -o "$out/own-loop"
"$out/own-loop" "$digits/data/digits.safetensors"
