#!/bin/sh
# Tunes the sample farm's adapter: lessons from the box's own retrieval, LoRA, and a card with its figures.
# Goes on where it was cut. $OUT is the adapter's folder, by default models/farm-adapter; $LAUNCH what starts
# Python, for example "accelerate launch" on several GPUs.
set -eu
steps=6
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
state=$target/train
out=${OUT:-$root/models/farm-adapter}

program_and_models

step "The sample farm's documents"
almanac ingest --sync examples/farm/documents

step "Lessons (two minutes)"
almanac study check >/dev/null || die "the question set has faults" "almanac study check"
almanac study lessons --split train --out "$state/train.jsonl"
almanac study lessons --split dev --out "$state/dev.jsonl"

step "Python packages (the first time several GB)"
training_packages

step "Tuning (half an hour on two cores)"
mkdir -p "$state/adapter"
PATH="$venv/bin:$PATH" ${LAUNCH:-python} training/train.py --out "$state/adapter" \
    --lessons "$state/train.jsonl" --watch "$state/dev.jsonl" \
    --base "$cache/models/smollm2-135m-instruct/model.gguf"
mkdir -p "$out"
for file in adapter_config.json adapter_model.safetensors curves.svg run.json; do
    mv -- "$state/adapter/$file" "$out/$file"
done
python3 training/card.py "$out"
almanac models import-adapter "$out" --name farm
echo "$out is ready; make study measures it beside the untuned model"
