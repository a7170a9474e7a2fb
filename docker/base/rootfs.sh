#!/bin/sh
# Bootstraps a minimal Debian root file system, for machines that reach no image registry.
# usage: rootfs.sh SUITE TARGET_DIR MIRROR    (as root; MIRROR may be empty: debootstrap's default)
set -eu
suite=$1 target=$2 mirror=$3
debootstrap --variant=minbase --include=ca-certificates "$suite" "$target" ${mirror:+"$mirror"}
rm -rf "$target"/var/cache/apt/archives/*.deb "$target"/var/lib/apt/lists/* "$target"/var/log/bootstrap.log
