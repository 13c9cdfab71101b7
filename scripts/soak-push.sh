#!/bin/bash
# The long form of pushes: three boxes, three editions, a broker restart and a killed box each.
set -euo pipefail
steps=3
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"

long_test_parts

step "Pushes to three boxes"
cargo test --test push -- --ignored --nocapture 2>&1 |
    grep -E '^test |^full|^adapter|^corpus|^edition|panicked|MiB'
