#!/bin/bash
# The long form of the promises: 20 kills at random moments, a broker restart, floods, hostile payloads.
set -euo pipefail
steps=3
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"

long_test_parts

step "Promises, ${ALMANAC_KILLS:=20} kills"
export ALMANAC_KILLS
cargo test --test promises -- --nocapture --test-threads=1 2>&1 |
    grep -E '^test |questions, |ALMANAC_SEED|panicked|MiB'
