#!/bin/sh
# Trains a small GPT on the characters of a text in 16-mixed and lets it write.
#
#   samples/character-gpt/run.sh [CORPUS]     default: the GPL, which lies on every Debian machine
#
# HALFSTEP: the tool; OUT: where library and checkpoints go; EPOCHS, THREADS, LENGTH: of the run and of the text.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
corpus=$(realpath "${1:-/usr/share/common-licenses/GPL-3}")
cd "$root"
halfstep=${HALFSTEP:-build/bin/halfstep}
out=${OUT:-out/character-gpt}
sample=samples/character-gpt
threads=${THREADS:-2}

# A second batch size of 1 makes writing cheap: only one window is computed for each character.
"$halfstep" compile "$sample/gpt.json" --recipe "$sample/recipe.json" --tail 1 --name gpt -o "$out/library"
"$halfstep" train "$out/library" --data "$corpus" --val-split 0.1 --epochs "${EPOCHS:-30}" --threads "$threads" \
  --log "$out/log.jsonl" --checkpoint "$out/checkpoints"
echo "---"
"$halfstep" generate "$out/library" --checkpoint "$out/checkpoints" --prompt "The " --length "${LENGTH:-400}" \
  --temperature 0.7 --seed 1 --threads "$threads"
