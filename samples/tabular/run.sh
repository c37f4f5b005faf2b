#!/bin/sh
# Makes a table of 4,000 rows, trains an MLP on four fifths of it, and tests it on the last fifth. The last line is
# `held-out loss: MEAN SQUARED ERROR`. HALFSTEP: the tool; PRECISION: the mode; EPOCHS; OUT: where the files go.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
halfstep=${HALFSTEP:-build/bin/halfstep}
out=${OUT:-out/tabular}
sample=samples/tabular

mkdir -p "$out"
python3 "$sample/make_data.py" 4000 "$out/table.csv"
"$halfstep" train "$sample/mlp.json" --recipe "$sample/recipe.json" --data "$out/table.csv" \
  --precision "${PRECISION:-bf16-mixed}" --epochs "${EPOCHS:-60}" --checkpoint "$out/checkpoints"
