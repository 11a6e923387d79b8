# Sourced by the other scripts: messages, waiting, free ports, stopping by pid.
# shellcheck shell=bash
set -euo pipefail

GANTRY_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
GANTRY_CACHE=${GANTRY_CACHE:-$HOME/.cache/gantry}
GANTRY_LIB=$GANTRY_ROOT/scripts/lib
# Debian's own Python, whatever else is on the PATH.
PYTHON=/usr/bin/python3
[[ -x $PYTHON ]] || PYTHON=$(command -v python3 || echo python3)
export GANTRY_ROOT GANTRY_CACHE GANTRY_LIB PYTHON

say() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# as_root COMMAND…: through sudo when we are not root.
as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root: $*"
    fi
}

# free_port [COUNT]: free TCP ports of 127.0.0.1, below the range that outgoing connections use, so
# that a service that is restarted finds its own port still free.
free_port() { "$PYTHON" "$GANTRY_LIB/free_port.py" "${1:-1}"; }

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# wait_until SECONDS WHAT COMMAND…: polls the command; fails, saying what did not come, at the limit.
wait_until() {
    local limit=$1 what=$2 end
    shift 2
    end=$((SECONDS + limit))
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= end)); then
            printf 'error: %s did not come within %s s\n' "$what" "$limit" >&2
            return 1
        fi
        sleep 0.1
    done
}

pid_alive() {
    [[ -n ${1:-} ]] && kill -0 "$1" 2>/dev/null && [[ $(ps -o stat= -p "$1") != Z* ]]
}
pid_gone() { ! pid_alive "$1"; }

# stop_pid PID SECONDS [SIGNAL]: asks, waits, and only then kills.
stop_pid() {
    local pid=$1 limit=$2 signal=${3:-TERM}
    pid_alive "$pid" || return 0
    kill "-$signal" "$pid" 2>/dev/null || return 0
    wait_until "$limit" "the end of process $pid" pid_gone "$pid" && return 0
    kill -KILL "$pid" 2>/dev/null || true
    wait_until 10 "the end of process $pid after SIGKILL" pid_gone "$pid"
}
