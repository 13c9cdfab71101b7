#!/bin/sh
# What can be said in a minute: no models, no network.
set -eu
steps=5
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"

step "Formatting"
cargo fmt --check || die "the code is not formatted" "cargo fmt"
cargo fmt --check --manifest-path tests/fuzz/Cargo.toml ||
    die "the fuzz targets are not formatted" "cargo fmt --manifest-path tests/fuzz/Cargo.toml"

step "Lints"
cargo clippy --all-targets -- -D warnings

step "The house's borders, the sample configuration, the unit"
cargo test --quiet --test architecture --test config_file --test unit

step "Shell scripts"
if command -v shellcheck >/dev/null; then
    shellcheck scripts/*.sh .ci/run
else
    echo "skipped: shellcheck is not here (apt-get install shellcheck)"
fi

step "Licences and advisories of dependencies"
if cargo deny --version >/dev/null 2>&1; then
    cargo deny check
else
    echo "skipped: cargo-deny is not here (cargo install cargo-deny)"
fi
