#!/usr/bin/env bash
# A private PostgreSQL server on loopback, with logical replication and with fsync on.
#   postgres.sh start DIR PORT    makes the cluster of DIR if there is none, starts it on 127.0.0.1:PORT
#   postgres.sh stop DIR [MODE]   fast (default), immediate (a crash) or smart
#   postgres.sh url DIR           the superuser's URL of the database `gantry`
# PostgreSQL refuses to run as root: then it runs as the user `postgres`, who must reach DIR; where
# that user cannot, its data go to a folder of /var/tmp that is named in DIR/where.
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bin=$(find /usr/lib/postgresql/15/bin -maxdepth 0 2>/dev/null || dirname "$(readlink -f "$(command -v pg_ctl || echo /nowhere/pg_ctl)")")
[[ -x $bin/initdb ]] || die "PostgreSQL 15 is not installed; scripts/lib/packages.sh run installs it"

as_server() {
    if [[ $(id -u) != 0 ]]; then
        (cd / && "$@")
    else
        (cd / && setpriv --reuid=postgres --regid=postgres --init-groups --inh-caps=-all -- "$@")
    fi
}

# Where the server's own user can keep files.
home_of() {
    local dir=$1 home
    if [[ ! -f $dir/where ]]; then
        mkdir -p "$dir"
        home=$dir/cluster
        if [[ $(id -u) == 0 ]]; then
            as_server test -x "$dir" || home=/var/tmp/gantry-postgres-$(printf '%s' "$dir" | sha256sum | cut -c1-12)
            mkdir -p "$home"
            chown postgres:postgres "$home"
        fi
        mkdir -p "$home"
        chmod 700 "$home"
        printf '%s' "$home" >"$dir/where"
    fi
    cat "$dir/where"
}

make_cluster() {
    local dir=$1 home=$2 port=$3 password
    password=$(head -c 18 /dev/urandom | basenc --base64url)
    say "making a PostgreSQL cluster in $home/data"
    as_server tee "$home/password" <<<"$password" >/dev/null
    as_server "$bin/initdb" -D "$home/data" -U gantry --auth=scram-sha-256 "--pwfile=$home/password" \
        --encoding=UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2 && die "initdb failed"; }
    as_server rm -f "$home/password"
    as_server tee -a "$home/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 300
wal_level = logical
max_replication_slots = 40
max_wal_senders = 40
wal_sender_timeout = 6s
max_slot_wal_keep_size = 4GB
shared_buffers = 128MB
max_wal_size = 1GB
log_min_messages = warning
log_checkpoints = off
CONF
    printf 'postgresql://gantry:%s@127.0.0.1:%s/gantry' "$password" "$port" >"$dir/url"
    chmod 600 "$dir/url"
}

start() {
    local dir=$1 port=$2 home
    mkdir -p "$dir"
    home=$(home_of "$dir")
    [[ -f $dir/url ]] || make_cluster "$dir" "$home" "$port"
    as_server "$bin/pg_ctl" status -D "$home/data" >/dev/null 2>&1 && return
    say "starting PostgreSQL on 127.0.0.1:$port"
    # Its own session: a Ctrl-C meant for the caller does not reach it.
    if ! as_server setsid "$bin/pg_ctl" start -w -t 60 -D "$home/data" -l "$home/log" </dev/null >"$dir/start.log" 2>&1; then
        as_server tail -20 "$home/log" >&2
        die "PostgreSQL did not start; its log is $home/log"
    fi
    local url
    url=$(cat "$dir/url")
    psql -qAtX "${url%/*}/postgres" -c "SELECT 1 FROM pg_database WHERE datname = 'gantry'" | grep -q 1 ||
        psql -qX "${url%/*}/postgres" -c 'CREATE DATABASE gantry'
}

stop() {
    local dir=$1 mode=${2:-fast} home
    [[ -f $dir/where ]] || return 0
    home=$(cat "$dir/where")
    as_server "$bin/pg_ctl" status -D "$home/data" >/dev/null 2>&1 || return 0
    as_server "$bin/pg_ctl" stop -w -t 60 -m "$mode" -D "$home/data" >/dev/null
}

# Removes what `start` made, wherever it is.
destroy() {
    stop "$1" immediate
    [[ -f $1/where ]] && rm -rf "$(cat "$1/where")"
    rm -rf "$1"
}

case ${1:-} in
    start) start "$2" "$3" ;;
    stop) stop "$2" "${3:-fast}" ;;
    url) cat "$2/url" ;;
    destroy) destroy "$2" ;;
    *) die "usage: postgres.sh start DIR PORT | stop DIR [MODE] | url DIR | destroy DIR" ;;
esac
