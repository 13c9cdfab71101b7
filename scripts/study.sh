#!/bin/sh
# Checks the sample farm's questions, asks its test part of every arm on the box's own rooms, and writes
# docs/study. Tuned arms run when there is an adapter: $ALMANAC_STUDY_ADAPTER, a PEFT folder, by default
# models/farm-adapter. Other arguments go to `almanac study` (for example --sample 40, --split dev).
set -eu
steps=6
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
state=$target/study

program_and_models
adapter=${ALMANAC_STUDY_ADAPTER:-$root/models/farm-adapter}
if [ -f "$adapter/adapter_config.json" ]; then
    almanac models import-adapter "$adapter" --name farm
    set -- --adapter farm "$@"
else
    echo "no adapter at $adapter: the tuned arms are left out"
fi

step "The sample farm's documents"
almanac ingest --sync examples/farm/documents

step "The question set"
almanac study check || die "the question set has faults" "mend examples/farm/questions.jsonl as the lines above say"
# Questions with a reading, more than the test part has: a set of its own, whose test part was written last.
readings="--questions examples/farm/readings.jsonl --expect-test-hash docs/study/readings/test.sha256"
# shellcheck disable=SC2086
almanac study check $readings >/dev/null || die "the readings' set has faults" "almanac study check $readings"

step "Questions (half an hour on two cores; a run that is cut goes on where it was)"
almanac study --out docs/study "$@"

step "Readings (two minutes)"
# shellcheck disable=SC2086
almanac study $readings --answers "$state/study/readings.jsonl" --out docs/study/readings "$@"
case $* in
*"--adapter farm"*)
    python3 training/card.py "$adapter" docs/study/results.json "$state/adapters/farm.safetensors"
    ;;
esac
echo "docs/study/report.md, docs/study/report.html, docs/study/results.json"
