#!/bin/bash
# Coverage-guided fuzzing of what Almanac reads, on the stable toolchain. SECONDS_EACH: how long each target runs
# (60); ONLY: the targets, by name; AT_ONCE: targets at a time (1); INPUT: one file to run again, with ONLY.
set -euo pipefail
steps=4
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"

# Finding the names of a panic's way takes longer in this program than libFuzzer waits.
export RUST_BACKTRACE=0
: "${SECONDS_EACH:=60}" "${ONLY:=}" "${AT_ONCE:=1}" "${INPUT:=}"
folder=$target/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
program=$folder/build/$host/fuzz/almanac-fuzz

# What cargo-fuzz gives the compiler, without the sanitizers, which stable Rust has not.
flags='--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4'
flags="$flags -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags="$flags -Cllvm-args=-sanitizer-coverage-trace-compares"

step "System packages"
scripts/setup.sh
command -v c++ >/dev/null || die "there is no C++ compiler" "apt-get install build-essential"

step "The fuzzer (the first time takes as long as a release build)"
# With a target named, build scripts and macros of the compiler go without the flags.
CARGO_TARGET_DIR=$folder/build RUSTFLAGS=$flags RUSTC=$root/scripts/fuzz-rustc.sh \
    cargo build --manifest-path tests/fuzz/Cargo.toml --profile fuzz --target "$host"

# In memory where there is such a place: the importers' targets write files.
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

if [ -n "$INPUT" ]; then
    step "$ONLY on $INPUT"
    FUZZ_TARGET=$ONLY TMPDIR=$scratch "$program" -timeout=20 -rss_limit_mb=2048 "$INPUT"
    exit
fi

# One target: seeds, then the time it has; its log ends with libFuzzer's own figures.
run_one() {
    name=$1 longest=$2
    mkdir -p "$folder/corpus/$name" "$folder/found/$name" "$folder/log" "$scratch/$name"
    FUZZ_TARGET=$name FUZZ_SEEDS=$folder/seeds/$name TMPDIR=$scratch/$name "$program" 2>"$folder/log/$name"
    status=0
    FUZZ_TARGET=$name TMPDIR=$scratch/$name "$program" \
        -max_total_time="$SECONDS_EACH" -timeout=20 -rss_limit_mb=2048 -max_len="$longest" \
        -dict="$folder/seeds/$name.words" -artifact_prefix="$folder/found/$name/" -print_final_stats=1 \
        -report_slow_units=15 "$folder/corpus/$name" "$folder/seeds/$name" \
        >"$folder/log/$name" 2>&1 || status=$?
    rm -rf -- "${scratch:?}/$name"
    figure() {
        sed -n "s/^stat::$1: *//p" "$folder/log/$name" | tail -n 1
    }
    features=$(sed -n 's/.* ft: \([0-9]*\) .*/\1/p' "$folder/log/$name" | tail -n 1)
    [ "$status" -eq 0 ] && end=- || end=yes
    printf '%-14s %12s %10s %12s %8s %6s\n' "$name" "$(figure number_of_executed_units)" "$features" \
        "$(figure slowest_unit_time_sec)" "$(figure peak_rss_mb)" "$end" | tee "$folder/log/$name.row"
}

step "Targets, $SECONDS_EACH s each"
mapfile -t targets < <(FUZZ_TARGET=list "$program" 2>/dev/null)
rm -f -- "$folder"/log/*.row
chosen=()
for target_line in "${targets[@]}"; do
    [ -z "$ONLY" ] || [[ " $ONLY " == *" ${target_line% *} "* ]] && chosen+=("$target_line")
done
[ "${#chosen[@]}" -gt 0 ] || die "there is no target $ONLY" "$(printf '%s\n' "${targets[@]% *}" | xargs)"
for target_line in "${chosen[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$AT_ONCE" ]; do
        wait -n
    done
    run_one "${target_line% *}" "${target_line#* }" &
done
wait

step "Summary"
printf '%-14s %12s %10s %12s %8s %6s\n' target executions features 'slowest, s' 'MiB' crash
sort "$folder"/log/*.row
crashed=()
for row in "$folder"/log/*.row; do
    [ "$(awk '{ print $NF }' "$row")" = - ] || crashed+=("$(basename "$row" .row)")
done
[ "${#crashed[@]}" -eq 0 ] && exit
for name in "${crashed[@]}"; do
    grep -m 3 -E 'panicked at|^memory: |ERROR: ' "$folder/log/$name" || tail -n 5 "$folder/log/$name"
done
input=$(sed -n 's/.*Test unit written to //p' "$folder/log/${crashed[0]}" | tail -n 1)
die "${crashed[*]}: see $folder/log" "Again: ONLY=${crashed[0]} INPUT=$input make fuzz"
