#!/bin/bash
# Everything that must hold before a change goes in. Stops at the first thing that does not.
set -euo pipefail
steps=8
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"

step "System packages"
scripts/setup.sh

step "Formatting"
cargo fmt --check || die "the code is not formatted" "cargo fmt"
cargo fmt --check --manifest-path tests/fuzz/Cargo.toml ||
    die "the fuzz targets are not formatted" "cargo fmt --manifest-path tests/fuzz/Cargo.toml"

step "Lints"
cargo clippy --all-targets -- -D warnings

step "Documentation"
RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items

step "Shell scripts"
if command -v shellcheck >/dev/null; then
    shellcheck scripts/*.sh .ci/run
else
    echo "skipped: shellcheck is not here (apt-get install shellcheck)"
fi

step "Models for the tests"
scripts/test-models.sh

step "Tests, with real parts"
log=$target/test.log
status=0
cargo test --no-fail-fast 2>&1 | tee "$log" || status=$?

step "Summary"
awk -v seconds="$(elapsed)" '
    /^test result:/ { passed += $4; failed += $6; skipped += $8 }
    END { printf "tests: %d passed, %d failed, %d skipped in %d s\n", passed, failed, skipped, seconds }
' "$log"
[ "$status" -eq 0 ] || die "tests failed" "grep -n FAILED $log"
