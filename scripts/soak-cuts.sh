#!/bin/bash
# The long form of cuts: a process killed at every write of an install and of a rollback, and 300 times at random.
set -euo pipefail
steps=3
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"

step "System packages"
scripts/setup.sh

step "Kills by SIGKILL"
log=$target/soak-cuts.log
status=0
cargo test --lib edition::cut_tests:: -- --ignored --nocapture --skip cut_tests::power >"$log" 2>&1 || status=$?
grep -E '^test result|ALMANAC_SEED|panicked' "$log" || true

step "Summary (each kill: $log)"
grep -oE '(named|random): .*' "$log" || true
[ "$status" -eq 0 ] || die "a kill left something" "grep -n panicked -A 5 $log"
