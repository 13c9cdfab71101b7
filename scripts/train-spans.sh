#!/bin/sh
# Tunes an adapter on short answers copied from passages and prints what it is worth: DATA is a BEIR folder whose
# queries have `answers`. Nothing of it is shipped.
set -eu
steps=6
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
[ -n "${DATA:-}" ] || die "no question set" "make train-spans DATA=FOLDER, a BEIR folder whose queries have answers"
[ -f "$DATA/queries.jsonl" ] || die "$DATA has no queries.jsonl" "It must be a BEIR folder: corpus.jsonl, queries.jsonl, qrels/."
state=$target/train-spans
base=$cache/models/smollm2-135m-instruct/model.gguf

program_and_models

step "Passages"
almanac ingest --sync "$DATA/corpus.jsonl"
almanac search --batch "$DATA/queries.jsonl" --top-k 10 --place '{}' --json >"$state/found.jsonl"

step "Python packages (the first time several GB)"
training_packages

step "Tuning (twenty minutes on two cores)"
"$venv/bin/python" training/spans.py lessons --set "$DATA" --out "$state"
"$venv/bin/python" training/train.py --config training/spans.toml --base "$base" \
    --lessons "$state/train.jsonl" --watch "$state/watch.jsonl" --out "$state/adapter"

step "Answers to the test part"
"$venv/bin/python" training/spans.py measure --set "$DATA" --base "$base" --adapter "$state/adapter" \
    --found "$state/found.jsonl" | tee "$state/spans.md"
