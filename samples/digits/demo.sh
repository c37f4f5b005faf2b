#!/bin/sh
# Compiles the digits CNN in bf16-mixed into a native training library, trains it, and tests it on the held-out fifth.
# The last line is `held-out accuracy: FRACTION`. HALFSTEP: the tool; PRECISION: the mode; OUT: where the library goes.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
halfstep=${HALFSTEP:-build/bin/halfstep}
precision=${PRECISION:-bf16-mixed}
out=${OUT:-out/digits}
sample=samples/digits

"$halfstep" compile "$sample/cnn.json" --recipe "$sample/recipe.json" --precision "$precision" --name digits -o "$out"
"$halfstep" train "$out" --data "$sample/data/digits.safetensors" --val-split 0.2 --epochs 12 --seed 0 \
  --checkpoint "$out/checkpoints"
