#!/bin/sh
# Compiles the digits CNN into a native training library, trains it, and tests it on the held-out fifth: first in
# 16-mixed, from a loss scale so high that the first steps are skipped, then in Apex's level O2, then in bf16-mixed. The
# last line is `held-out accuracy: FRACTION`. HALFSTEP: the tool; PRECISION: this mode alone; OUT: where the libraries go.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
halfstep=${HALFSTEP:-build/bin/halfstep}
out=${OUT:-out/digits}
sample=samples/digits

# train MODE FLAGS...: the log goes to $out/MODE.jsonl.
train() {
  echo "== $*"
  mode=$1
  library=$out/$mode
  shift
  "$halfstep" compile "$sample/cnn.json" --recipe "$sample/recipe.json" --precision "$mode" "$@" --name digits \
    -o "$library"
  "$halfstep" train "$library" --data "$sample/data/digits.safetensors" --val-split 0.2 --epochs 12 --seed 0 \
    --checkpoint "$library/checkpoints" --log "$library/log.jsonl"
}

if [ -n "${PRECISION:-}" ]; then
  train "$PRECISION"
  exit
fi

train 16-mixed --set precision.scaler.init=16777216
echo "The first steps in $out/16-mixed/log.jsonl: a gradient overflows f16, the step is skipped, the scale is halved."
sed -n '1,12s/.*"step":\([^,]*\),"updates":\([^,]*\),.*"loss":\([^,]*\),.*"scale":\([^,]*\),"skipped":\([^,]*\),.*/step \1  updates \2  loss \3  scale \4  skipped \5/p' \
  "$out/16-mixed/log.jsonl"
train O2
train bf16-mixed
