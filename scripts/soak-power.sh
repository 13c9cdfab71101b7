#!/bin/bash
# The long form of power cuts: a virtual machine, whose disk forgets what was not flushed, is switched off in the midst
# of updates; then the control, where it leaves its syncs out.
set -euo pipefail
steps=4
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
machine=$target/power
log=$target/soak-power.log

step "System packages"
scripts/setup.sh power

step "Kernel"
rm -rf "$machine"
mkdir -p "$machine"/{kernel-package,files/bin,program/lib}
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -n 1)
[ -n "$kernel" ] || die "apt knows no linux-image-cloud-amd64" "apt-get update"
(cd "$machine/kernel-package" && apt-get download -qq "$kernel")
dpkg-deb -x "$machine"/kernel-package/*.deb "$machine/kernel-package"
mv "$machine"/kernel-package/boot/vmlinuz-* "$machine/kernel"

step "The machine"
modules=$(cd "$machine/kernel-package/lib/modules" && echo *)
/bin/busybox depmod -b "$machine/kernel-package" "$modules"
mkdir -p "$machine/files/lib/modules/$modules" "$machine"/files/{proc,dev,disk,program}
for name in virtio_pci virtio_blk; do # ext4 is built in
    line=$(grep -E "/$name\.ko:" "$machine/kernel-package/lib/modules/$modules/modules.dep")
    for file in ${line/:/}; do
        install -D -m 644 "$machine/kernel-package/lib/modules/$modules/$file" "$machine/files/lib/modules/$modules/$file"
    done
done
cp "$machine/kernel-package/lib/modules/$modules/modules.dep" "$machine/files/lib/modules/$modules/"
cp /bin/busybox "$machine/files/bin/"
cp tests/power/init "$machine/files/init"
(cd "$machine/files" && find . | cpio --quiet -o -H newc) >"$machine/initramfs"

tests=$(cargo test --lib --no-run --message-format=json 2>"$log" |
    python3 -c 'import json, sys
for line in sys.stdin:
    row = json.loads(line)
    if row.get("executable") and row["target"]["name"] == "almanac":
        print(row["executable"])') || die "the tests do not build" "$log says why."
strip -o "$machine/program/tests" "$tests"
for file in $(ldd "$tests" | grep -o '/[^ ]*'); do
    case $file in
    */ld-linux*) cp "$file" "$machine/program/ld.so" ;;
    *) cp "$file" "$machine/program/lib/" ;;
    esac
done
cp /usr/lib/x86_64-linux-gnu/libeatmydata.so "$machine/program/lib/"
size=$(($(du -sm "$machine/program" | cut -f 1) * 5 / 4 + 8))
mke2fs -q -t ext4 -d "$machine/program" "$machine/program.img" "${size}M" >/dev/null

step "Power cuts"
ALMANAC_TEST_MACHINE=$machine "$tests" --ignored --nocapture --test-threads=1 edition::cut_tests::power 2>&1 |
    tee "$log" | grep --line-buffered -E '^power|^control|cuts,|panicked|^test result'
