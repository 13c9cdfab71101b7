#!/bin/sh
# Reading and writing of the language model beside llama.cpp: the same GGUF weights, prompts and threads, in turns,
# no cached prompts on either side. COUNT chats over three found passages are answered (default 100): of the sample farm
# and, by turns, of DATA, a BEIR folder with corpus.jsonl and queries.jsonl (default ../shared/data/agxqa/beir, where it
# is). ROUNDS times the rest is measured (default 7), on THREADS threads (default 2); then eight texts at once beside one
# after another, ours alone. Prints ratios, draws a plot. Needs node 18 or later.
set -eu
steps=5
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
state=$target/study
work=$target/bench-generate
command -v npm >/dev/null || die "node is not here" "apt-get install nodejs npm"

program_and_models

step "Chats over found passages"
mkdir -p "$work"
data=${DATA:-$root/../shared/data/agxqa/beir}
if [ ! -f "$work/chats.jsonl" ]; then
    almanac ingest --sync examples/farm/documents
    almanac study lessons --split dev --out "$work/chats.jsonl"
fi
set -- "$work/chats.jsonl"
if [ -f "$data/queries.jsonl" ]; then
    # As questions of a set that nothing is known of but what is asked.
    python3 - "$data/queries.jsonl" "${COUNT:-100}" >"$work/data-questions.jsonl" <<'PYTHON'
import json, sys
queries = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
for query in queries[:: max(1, len(queries) // int(sys.argv[2]))]:
    print(json.dumps({"id": query["_id"], "split": "dev", "kind": "absent", "question": query["text"]}))
PYTHON
    state=$work/data-state
    import_models "$state"
    almanac ingest --sync "$data/corpus.jsonl"
    almanac study lessons --questions "$work/data-questions.jsonl" --split dev --out "$work/data-chats.jsonl"
    state=$target/study
    set -- "$@" "$work/data-chats.jsonl"
else
    echo "no questions in $data: the sample farm's alone are asked"
fi

step "llama.cpp, by node-llama-cpp"
llama_cpp "$work"

step "Reading and writing in turns"
grep -m 1 '^model name' /proc/cpuinfo || uname -m
# Node finds packages from where the script lies.
cp scripts/bench_generate.mjs "$work/"
node "$work/bench_generate.mjs" "$target/release/almanac" "$state" \
    "$cache/models/smollm2-135m-instruct/model.gguf" \
    "${THREADS:-2}" "${ROUNDS:-7}" "${COUNT:-100}" "$@"
echo "$work/generate.json, $work/generate.svg"
