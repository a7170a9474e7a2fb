#!/bin/sh
# Installs, inside the image being built, what the project's images share.
# trixie has no Python 3.11, so bookworm's is installed beside it and linked as python3.
# usage: install.sh [MIRROR]    (without it the mirror that the image's own apt uses)
set -eu
mirror=${1:-$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ')}
: "${mirror:?install.sh: this image names no Debian mirror: pass one with --build-arg MIRROR=URL}"
export DEBIAN_FRONTEND=noninteractive

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || keyring=/usr/share/keyrings/debian-archive-keyring.pgp
cat >/etc/apt/sources.list.d/python311.sources <<SOURCE
Types: deb
URIs: $mirror
Suites: bookworm
Components: main
Signed-By: $keyring
SOURCE
# Only what trixie does not have comes from bookworm.
cat >/etc/apt/preferences.d/python311 <<PREFERENCES
Package: *
Pin: release n=bookworm
Pin-Priority: 100
PREFERENCES

apt-get -o Acquire::Retries=5 update
# python3.11-distutils and the rest of python3.11-venv cannot be installed on trixie: the pip wheel is enough.
apt-get -o Acquire::Retries=5 install -y --no-install-recommends \
    python3.11 python3.11-distutils- python3-pip-whl python3-setuptools-whl \
    ca-certificates libnuma1 libstdc++6 numactl procps
ln -sf /usr/bin/python3.11 /usr/local/bin/python3
ln -sf /usr/bin/python3.11 /usr/local/bin/python

rm -f /etc/apt/sources.list.d/python311.sources /etc/apt/preferences.d/python311
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/log/apt /var/log/dpkg.log
python3 -c 'import ctypes, ssl, sqlite3; ctypes.CDLL("libnuma.so.1")'
