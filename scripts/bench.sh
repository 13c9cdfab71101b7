#!/bin/sh
# Measures this machine with the release build; the figures go to the terminal.
set -eu
steps=4
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"

step "Building"
cargo build --release --bin almanac

step "Runtime and models"
state=$target/bench
import_models "$state"

step "Measuring"
grep -m 1 '^model name' /proc/cpuinfo || uname -m
"$target/release/almanac" --state "$state" bench

step "Searching vectors: the exact scan, the int8 scan and the hora graph (the larger graph takes minutes to build)"
for passages in 1000 10000; do
    "$target/release/almanac" --state "$state" bench dense --graph --passages "$passages"
done
