#!/bin/sh
# Takes the sample farm and DATA="FOLDER ..." into one library: passages a second, memory, size on disk,
# time to open, and whether everything in it is whole. Nothing of it is kept.
set -eu
steps=3
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
models=${ALMANAC_STATE:-$target/bench}

step "Building"
cargo build --release --bin almanac

step "Runtime and models"
[ -d "$models/models/all-minilm-l6-v2" ] || import_models "$models"

step "One library of everything"
# shellcheck disable=SC2086
python3 scripts/bench_library.py "$target/release/almanac" "$models" examples/farm/documents ${DATA:-}
