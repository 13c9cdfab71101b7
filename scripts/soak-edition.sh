#!/bin/bash
# An adapter comes in while the box answers at a steady rate: nothing lost, and how long the switch took.
set -euo pipefail
steps=3
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"

long_test_parts

step "An adapter for a running box, ${ALMANAC_EDITION_QUESTIONS:=200} questions"
export ALMANAC_EDITION_QUESTIONS
cargo test --release --test switching -- --ignored --nocapture 2>&1 |
    grep -E '^test |questions, |question to answer|^switch: |panicked'
