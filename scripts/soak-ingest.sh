#!/bin/bash
# An ingest killed at random moments again and again: nothing lost, no half document, a rerun finishes.
set -euo pipefail
steps=3
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"

long_test_parts

step "Ingests, ${ALMANAC_INGEST_KILLS:=50} kills"
export ALMANAC_INGEST_KILLS
cargo test --test ingest_kill -- --nocapture 2>&1 |
    grep -E '^test |^killed|kills|ALMANAC_SEED|panicked'
