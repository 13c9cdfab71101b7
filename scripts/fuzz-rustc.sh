#!/bin/bash
# The compiler for scripts/fuzz.sh. The build of libsystemd-sys links a program of its own with the flags of the crates;
# instrumented, it would need libFuzzer, too. That program alone goes without.
set -euo pipefail
[[ " $* " == *" systemd_capabilities "* ]] || exec rustc "$@"
plain=()
for argument in "$@"; do
    case $argument in
        -Cpasses=sancov-module | -Cllvm-args=-sanitizer-*) ;;
        *) plain+=("$argument") ;;
    esac
done
exec rustc "${plain[@]}"
