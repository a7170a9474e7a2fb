#!/bin/sh
# Installs what Debian's Python lacks to make virtual environments; the argument is that Python.
set -eu

version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
package="python$version-venv"
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! command -v sudo >/dev/null; }; then
    echo "venv: $1 cannot make virtual environments; install the venv module of Python $version" >&2
    exit 3
fi
echo "venv: installing $package from the distribution" >&2
log=$(mktemp)
{ $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "$package"; } >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    echo "venv: apt-get could not install $package; the whole log is $log" >&2
    exit 3
}
