#!/usr/bin/env bash
# packages.sh GROUP…: installs those Debian packages of packages.txt that are missing.
# On a system without apt it only says which commands are missing.
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

wanted() {
    local group
    for group in "$@"; do
        awk -v group="[$group]" '/^\[/ { on = ($0 == group); next } /^#/ { next } on' "$GANTRY_LIB/packages.txt"
    done | tr -s ' ' '\n' | sed '/^$/d'
}

missing_of() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == 'install ok installed' ]] || printf '%s\n' "$package"
    done
}

# A cluster of Debian's packaging would start at once, under a name that others may use: we make our own.
keep_postgresql_from_starting_a_cluster() {
    local conf=/etc/postgresql-common/createcluster.conf
    [[ -e $conf ]] && return
    as_root mkdir -p "$(dirname "$conf")"
    echo 'create_main_cluster = false' | as_root tee "$conf" >/dev/null
}

main() {
    (($#)) || die "usage: packages.sh build|run|test|clang …"
    if ! command -v apt-get >/dev/null; then
        say "this is not Debian: install the counterparts of these packages yourself: $(wanted "$@" | tr '\n' ' ')"
        return
    fi
    local missing=()
    mapfile -t missing < <(wanted "$@" | xargs "$0" --missing)
    ((${#missing[@]})) || return 0
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    [[ " ${missing[*]} " == *" postgresql-15 "* ]] && keep_postgresql_from_starting_a_cluster
    export DEBIAN_FRONTEND=noninteractive
    local log
    log=$(mktemp)
    if ! { as_root apt-get -q update && as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Dpkg::Options::=--force-confold install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
        tail -30 "$log" >&2
        die "apt-get could not install them; the whole log is $log"
    fi
    rm -f "$log"
}

if [[ ${1:-} == --missing ]]; then
    shift
    missing_of "$@"
else
    main "$@"
fi
