#!/bin/sh
# Bootstraps a minimal Debian root file system as a tar archive, for machines that reach no image registry.
# usage: rootfs.sh SUITE WORK_DIR ARCHIVE [MIRROR]    (as root; without MIRROR debootstrap's default counts)
set -eu
suite=$1 root=$2 archive=$3 mirror=${4:-}

# An interrupted debootstrap leaves /proc and /sys mounted; removing the tree must not reach into them.
clean() {
    umount "$root/proc" "$root/sys" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap clean EXIT
trap 'exit 130' INT HUP TERM

debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" ${mirror:+"$mirror"}
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/bootstrap.log
tar -C "$root" --numeric-owner --one-file-system -cf "$archive" .
