#!/bin/sh
# Makes sure that a Docker engine answers: installs the distribution's packages if there is none, starts it if it is
# not running. Does nothing, quickly, where one answers already.
set -eu

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
fail() { printf 'engine: %s\n        %s\n' "$1" "$2" >&2; exit 3; }
refuse_if_root_alone() {
    if [ -n "$as_root" ] && $as_root docker version >/dev/null 2>&1; then
        fail "the engine answers root, but not you" \
            "Join its group: sudo usermod -aG docker $(id -un), then log in again and go on."
    fi
}

if answers; then exit 0; fi
[ -z "${DOCKER_HOST:-}" ] || fail "nothing answers at DOCKER_HOST=$DOCKER_HOST" "Start that engine, or unset DOCKER_HOST."

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "no Docker engine answers, and only root can install or start one" \
        "As root: apt-get install docker.io && usermod -aG docker $(id -un), then log in again."
    as_root=sudo
fi

refuse_if_root_alone
if ! command -v dockerd >/dev/null; then
    command -v apt-get >/dev/null || fail "no Docker engine is installed, and this is not Debian or Ubuntu" \
        "Install Docker as your distribution says, then run this again."
    echo 'engine: installing docker.io from the distribution' >&2
    log=$(mktemp)
    # The command is a package of its own from Debian 13 on.
    { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends docker.io iptables iproute2 \
        $(apt-cache show docker-cli >/dev/null 2>&1 && echo docker-cli); } >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; fail "apt-get could not install docker.io" "Read the lines above; the whole log is $log."; }
fi

echo 'engine: starting it' >&2
daemon_log=/var/log/dockerd.log
if [ -d /run/systemd/system ]; then
    $as_root systemctl start docker
else
    $as_root sh -c "setsid dockerd >>$daemon_log 2>&1 </dev/null &"
fi
waited=0
until answers; do
    refuse_if_root_alone
    waited=$((waited + 1))
    [ "$waited" -le 60 ] || fail "the engine does not answer after a minute" \
        "Its log: $daemon_log (or: journalctl -u docker). May you use it?  groups | grep docker"
    sleep 1
done
