#!/bin/sh
# Asks the sample farm's questions of the box's own rooms, guard on and off, and prints what came of them.
set -eu
steps=4
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
state=$target/study
almanac() {
    "$target/release/almanac" --state "$state" "$@"
}

step "Building"
cargo build --release --bin almanac

step "Runtime and models"
mkdir -p "$state"
almanac models --cache "$cache" fetch
almanac models --cache "$cache" import

step "The sample farm's documents"
almanac ingest --sync examples/farm/documents

step "Questions (some minutes)"
almanac study --questions examples/farm/questions.jsonl "$@"
