#!/bin/sh
# Reading and writing of the language model beside llama.cpp: the same GGUF weights, prompts and threads, in turns,
# no cached prompts on either side. COUNT chats over the sample farm are answered (default 100), ROUNDS times the
# rest is measured (default 7), on THREADS threads (default 2); then eight texts at once beside one after another, ours
# alone. Prints ratios, draws a plot. Needs node 18 or later.
set -eu
steps=5
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
state=$target/study
work=$target/bench-generate
command -v npm >/dev/null || die "node is not here" "apt-get install nodejs npm"

program_and_models

step "Chats over the sample farm's passages"
mkdir -p "$work"
chats=${CHATS:-$work/chats.jsonl}
if [ ! -f "$chats" ]; then
    almanac ingest --sync examples/farm/documents
    almanac study lessons --split dev --out "$chats"
fi

step "llama.cpp, by node-llama-cpp"
llama_cpp "$work"

step "Reading and writing in turns"
grep -m 1 '^model name' /proc/cpuinfo || uname -m
# Node finds packages from where the script lies.
cp scripts/bench_generate.mjs "$work/"
node "$work/bench_generate.mjs" "$target/release/almanac" "$state" \
    "$cache/models/smollm2-135m-instruct/model.gguf" "$chats" \
    "${THREADS:-2}" "${ROUNDS:-7}" "${COUNT:-100}"
echo "$work/generate.json, $work/generate.svg"
