#!/bin/sh
# Fills target/test-models with the runtime and the imported models that the tests run.
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

folder=$target/test-models
cargo build --quiet --manifest-path "$root/Cargo.toml" --bin almanac
almanac() {
    "$target/debug/almanac" --state "$folder" models --cache "$cache" "$@"
}
mkdir -p "$folder"
almanac fetch
almanac import
# Where the tests look for the publishers' files.
ln -sfn "$cache/models" "$folder/sources"
