#!/bin/sh
# Whether other processors compute the same: the language model's logits here, on an emulated x86-64 processor that has
# AVX2 and nothing newer, and on emulated arm64 boards, in 8 bits and in single precision. Installs what it needs:
# emulators and, for arm64, a cross compiler. Fails where a result is further off than it may be. A quarter of an hour
# on two cores, most of it the cross build; KINDS="x86_64" leaves that out.
set -eu
steps=6
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
work=$target/parity
kinds=${KINDS:-x86_64 arm64}
# Emulated processors: those of a Raspberry Pi 4 and 5, without and with dot products of bytes.
boards=${BOARDS:-cortex-a72 cortex-a76}
triple=aarch64-unknown-linux-gnu
[ "$(uname -m)" = x86_64 ] || die "this compares with an x86-64 machine; run it on one"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}
arm64() {
    case " $kinds " in *' arm64 '*) return 0 ;; *) return 1 ;; esac
}

step "System packages"
scripts/setup.sh
packages=''
command -v qemu-x86_64 >/dev/null || packages="$packages qemu-user"
if arm64; then
    dpkg --print-foreign-architectures | grep -qx arm64 || as_root dpkg --add-architecture arm64
    command -v aarch64-linux-gnu-gcc >/dev/null || packages="$packages gcc-aarch64-linux-gnu"
    # The cross compiler only recommends the C library that it compiles for.
    dpkg -s libc6-dev-arm64-cross >/dev/null 2>&1 || packages="$packages libc6-dev-arm64-cross"
    dpkg -s libsystemd-dev:arm64 >/dev/null 2>&1 || packages="$packages libsystemd-dev:arm64"
    # ONNX Runtime is written in C++.
    dpkg -s libstdc++6:arm64 >/dev/null 2>&1 || packages="$packages libstdc++6:arm64"
    if command -v rustup >/dev/null && rustup target add "$triple" >/dev/null 2>&1; then
        rustc=rustc
    else
        # Debian's compiler for its browsers is recent enough, and has a standard library for arm64.
        rustc=/usr/bin/rustc
        dpkg -s rustc-web libstd-rust-web-dev:arm64 >/dev/null 2>&1 ||
            packages="$packages rustc-web libstd-rust-web-dev:arm64"
    fi
fi
if [ -n "$packages" ]; then
    echo "Installing Debian packages:$packages"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # one word a package
    as_root apt-get install -y -qq --no-install-recommends $packages >/dev/null ||
        die "apt-get install$packages failed" "Its messages above say why."
fi

step "Building"
cargo build --bin almanac
native=$target/debug/almanac
if arm64; then
    # Not optimised, which takes a third of the time: nearly all that is emulated is ONNX Runtime.
    RUSTC=$rustc CARGO_TARGET_DIR=$target/cross PKG_CONFIG_ALLOW_CROSS=1 \
        PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
        nice cargo build --bin almanac --target "$triple" --config 'profile.dev.opt-level=0' \
        --config 'profile.dev.debug=false' --config 'profile.dev.package."*".opt-level=0'
fi
crossed=$target/cross/$triple/debug/almanac

# ONNX Runtime looks into /proc/cpuinfo, which qemu leaves as it is here: it would crash where that is no arm64's, or
# use what the board $1 has not. What qemu finds below its -L stands in the place of this machine's.
board() {
    case $1 in
    cortex-a72) features='' part=0xd08 ;;
    cortex-a76) features=' atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp' part=0xd0b ;;
    *) die "the board $1 is not known" "BOARDS=\"cortex-a72 cortex-a76\"" ;;
    esac
    mkdir -p "$work/$1/proc"
    for number in 0 1; do
        printf 'processor\t: %d\nFeatures\t: fp asimd evtstrm crc32 cpuid%s\n' $number "$features"
        printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: %s\n' $part
        printf 'CPU revision\t: 3\n\n'
    done >"$work/$1/proc/cpuinfo"
}

step "Runtimes and models"
mkdir -p "$work"
for precision in int8 f32; do
    state=$work/$precision
    [ $precision = int8 ] && single='' || single=--single
    "$native" --state "$state" models --cache "$cache" fetch onnxruntime smollm2-135m-instruct
    # shellcheck disable=SC2086 # one word or none
    "$native" --state "$state" models --cache "$cache" import $single smollm2-135m-instruct
done
if arm64; then
    # The board's own way to its runtime; pip itself is not emulated.
    board cortex-a72
    qemu-aarch64 -L "$work/cortex-a72" "$crossed" --state "$work/arm64" models --cache "$cache" fetch onnxruntime
    printf '[model]\nruntime = "%s"\nthreads = 1\n' "$work/arm64/runtime/libonnxruntime.so" >"$work/arm64.toml"
fi
printf '[model]\nthreads = 1\n' >"$work/native.toml"

# Logits and answers in precision $1 on the processor called $2, by the command that follows.
logits() {
    precision=$1 label=$2
    shift 2
    "$@" --state "$work/$precision" bench logits --label "$label" "$work/$precision-$label.cbor"
}

step "Here, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
for precision in int8 f32; do
    logits $precision here "$native" --config "$work/native.toml"
done

step "Emulated, some minutes"
labels=''
for precision in int8 f32; do
    # The warnings name what of the processor is not emulated.
    logits $precision haswell qemu-x86_64 -cpu Haswell "$native" --config "$work/native.toml" 2>"$work/haswell.log" ||
        die "$(cat "$work/haswell.log")"
done
labels="$labels haswell"
if arm64; then
    for board in $boards; do
        board "$board"
        for precision in int8 f32; do
            logits $precision "$board" qemu-aarch64 -L "$work/$board" -cpu "$board" "$crossed" --config "$work/arm64.toml"
        done
        labels="$labels $board"
    done
fi

step "Summary"
summary() {
    printf '%-26s %-26s %9s %9s %9s %7s %11s %9s\n' what beside largest rms choices texts perplexity cut
    # How far rounding to 8 bits alone goes: the measure of all that follows.
    compare int8-here f32-here
    for label in $labels; do
        for precision in int8 f32; do
            compare "$precision-$label" "$precision-here"
        done
        compare "int8-$label" f32-here
    done
}
compare() {
    "$native" --state "$work/int8" bench parity "$work/$2.cbor" "$work/$1.cbor"
}
summary | tee "$work/parity.txt"
echo "largest, rms: differences of logits; choices: positions with the same token first; texts: the same greedy answers;"
echo "perplexity: of both on the texts; cut: difference of one text's logits read at once and in steps of 2 to 9"

# Field $2 of the comparison of $1.
told() {
    "$native" --json --state "$work/int8" bench parity "$work/$3.cbor" "$work/$1.cbor" |
        sed -n "s/.*\"$2\":\([^,}]*\).*/\1/p"
}
# Whether $1 is at most $2.
within() {
    awk -v found="$1" -v most="$2" 'BEGIN { exit !(found + 0 <= most + 0) }'
}
own=$(told int8-here rms f32-here)
for label in $labels; do
    found=$(told "f32-$label" largest f32-here)
    within "$found" 0.002 || die "single precision on $label differs by $found, at most 0.002 is right"
    found=$(told "int8-$label" rms f32-here)
    within "$found" "$(awk -v own="$own" 'BEGIN { print 1.1 * own }')" ||
        die "8 bits on $label are $found from single precision (rms), here $own: products saturate there"
    found=$(told "int8-$label" cut_difference int8-here)
    within "$found" 0 || die "on $label logits depend on how a text is cut into steps ($found): guesses change words"
done
echo "parity holds on:$labels"
