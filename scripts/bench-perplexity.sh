#!/bin/sh
# How well the language model predicts farm texts, in 8 bits and in single precision, beside llama.cpp on the same GGUF
# weights and transformers: the same token ids in the same windows of 512 for all. TEXTS="a.txt b.txt" are your own texts;
# by default Wikipedia's articles and abstracts below DATA (../shared/data). TOKENS of each (default 20480). Needs node 18
# or later, and Python packages of several GB; PYTHON names an interpreter that has them (training/requirements.txt).
set -eu
steps=7
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
work=$target/bench-perplexity
data=${DATA:-$root/../shared/data}
tokens=${TOKENS:-20480}
gguf=$cache/models/smollm2-135m-instruct/model.gguf
profile=${PROFILE:-release}
almanac=$target/$profile/almanac
command -v npm >/dev/null || die "node is not here" "apt-get install nodejs npm"
mkdir -p "$work"

step "Texts"
texts=${TEXTS:-}
if [ -z "$texts" ]; then
    [ -d "$data" ] || die "there are no texts in $data" "TEXTS=\"a.txt b.txt\" make bench-perplexity"
    cp "$data/wikipedia_agri/wikipedia_agriculture.txt" "$work/wikipedia_agri.txt"
    python3 - "$data/pmc_crop_oa/abstracts.jsonl" >"$work/pmc_crop_oa.txt" <<'PYTHON'
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    print(json.loads(line)["abstract"] + "\n")
PYTHON
    texts="$work/wikipedia_agri.txt $work/pmc_crop_oa.txt"
fi

step "Building"
case $profile in
release) cargo build --release --bin almanac ;;
*) cargo build --bin almanac ;;
esac

step "Runtime and models"
for precision in int8 f32; do
    [ $precision = int8 ] && single='' || single=--single
    "$almanac" --state "$work/$precision" models --cache "$cache" fetch onnxruntime smollm2-135m-instruct
    # shellcheck disable=SC2086 # one word or none
    "$almanac" --state "$work/$precision" models --cache "$cache" import $single smollm2-135m-instruct
done

step "Ours, in 8 bits and in single precision"
names=''
for text in $texts; do
    name=$(basename "$text" .txt)
    names="$names $name"
    for precision in int8 f32; do
        "$almanac" --state "$work/$precision" bench perplexity --tokens "$tokens" \
            --scores "$work/$name.$precision.json" "$text"
    done
done

step "llama.cpp, by node-llama-cpp"
llama_cpp "$work"
cp scripts/bench_perplexity.mjs "$work/"
for name in $names; do
    node "$work/bench_perplexity.mjs" score "$gguf" "${THREADS:-2}" "$work/$name.f32.json" "$work/$name.llama.json"
done

step "transformers"
python=${PYTHON:-$target/train/venv/bin/python}
if [ ! -x "$python" ]; then
    python3 -m venv "$target/train/venv"
    "$python" -m pip install --quiet -r training/requirements.txt
fi
for name in $names; do
    "$python" scripts/bench_perplexity.py "$gguf" "$work/$name.f32.json" "$work/$name.transformers.json"
done

step "Summary"
# shellcheck disable=SC2086 # one word a text
node "$work/bench_perplexity.mjs" table "$work" $names | tee "$work/perplexity.txt"
