#!/bin/sh
# Times searches among 1,000 to 100,000 passages; beside them usearch on the same vectors and Python's
# onnxruntime on the same model. DATA="FOLDER ..." adds texts of your own, BEIR="FOLDER ..." public sets;
# without them most passages are synthetic, mixed from the sample farm's.
set -eu
steps=4
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
state=${ALMANAC_STATE:-$target/bench}
work=$target/bench-search

step "Building"
cargo build --release --bin almanac

step "Runtime and models"
mkdir -p "$work"
[ -d "$state/models/all-minilm-l6-v2" ] || import_models "$state"

step "Searching ${SIZES:=1000,10000,100000} passages"
set -- --questions examples/farm/questions.jsonl
for folder in ${BEIR:-}; do
    set -- "$@" --beir "$folder"
done
for folder in ${DATA:-}; do
    set -- "$@" --data "$folder"
done
set -- "$target/release/almanac" --state "$state" --json bench retrieval "$@" --keep "$work"
"$@" --scale "$SIZES" --export "$work/export" >"$work/ours.jsonl.new"
mv "$work/ours.jsonl.new" "$work/ours.jsonl"

step "usearch and onnxruntime"
if [ ! -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv"
fi
"$work/venv/bin/python" -m pip install --quiet -r scripts/bench_search.txt
"$work/venv/bin/python" scripts/bench_search.py "$work" "$state/models/all-minilm-l6-v2" "$@" --scale 1000
