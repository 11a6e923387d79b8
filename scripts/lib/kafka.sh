#!/usr/bin/env bash
# A private Apache Kafka broker (KRaft, one process).
#   kafka.sh jars               fetches the pinned jars into the cache
#   kafka.sh start DIR PORT     starts or restarts the broker of DIR on 127.0.0.1:PORT
#   kafka.sh stop DIR [SIGNAL]  stops it (SIGTERM; KILL to crash it)
# DIR keeps its data, kafka.pid and kafka.log.
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

pom=$GANTRY_ROOT/deploy/dev/kafka/pom.xml
version=$(grep -A1 '<artifactId>kafka_2.13' "$pom" | sed -n 's/.*<version>\(.*\)<.*/\1/p')
jars=$GANTRY_CACHE/kafka-$version

fetch_jars() {
    local key
    key=$(sha256sum "$pom" | cut -c1-16)
    [[ $(cat "$jars/.complete" 2>/dev/null) == "$key" ]] && return
    command -v java >/dev/null || die "Apache Kafka needs Java; scripts/lib/packages.sh installs it"
    command -v mvn >/dev/null || die "fetching Kafka's jars needs Maven; scripts/lib/packages.sh installs it"
    say "fetching Apache Kafka $version from Maven Central into $jars"
    rm -rf "$jars"
    mkdir -p "$jars"
    mvn -q -B -f "$pom" dependency:copy-dependencies "-DoutputDirectory=$jars" -DincludeScope=runtime >&2
    printf '%s' "$key" >"$jars/.complete"
}

java_options=(-Xmx512m -Xms128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true
    -cp "$jars/*")

running() { pid_alive "$(cat "$1/kafka.pid" 2>/dev/null)"; }

# Sixteen random bytes. One in 64 would begin with a dash, which Kafka's tool takes for an option.
cluster_id() { head -c16 /dev/urandom | basenc --base64url | tr -d = | sed 's/^-/A/'; }

start() {
    local dir=$1 port=$2 controller config=$1/server.properties
    running "$dir" && return
    fetch_jars
    mkdir -p "$dir"
    if [[ ! -f $dir/data/meta.properties ]]; then
        controller=$(free_port 1)
        {
            cat "$GANTRY_ROOT/deploy/dev/kafka/server.properties"
            echo "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller"
            echo "advertised.listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller"
            echo "controller.quorum.bootstrap.servers=127.0.0.1:$controller"
            echo "log.dirs=$dir/data"
        } >"$config"
        java "${java_options[@]}" kafka.tools.StorageTool format --standalone -t "$(cluster_id)" \
            -c "$config" >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2 && die "formatting Kafka's folder failed"; }
    fi
    say "starting Apache Kafka $version on 127.0.0.1:$port"
    # Its own session: a Ctrl-C meant for the caller does not reach it.
    (
        cd "$dir" || exit 1
        exec setsid java "${java_options[@]}" kafka.Kafka "$config" </dev/null >>"$dir/kafka.log" 2>&1
    ) &
    echo $! >"$dir/kafka.pid"
    if ! wait_until 60 "Kafka on 127.0.0.1:$port" answers_or_dead "$dir" "$port" || ! running "$dir"; then
        tail -20 "$dir/kafka.log" >&2
        die "Kafka did not start; its log is $dir/kafka.log"
    fi
}

# Ready when it lists its topics; a broker that has died is not waited for.
answers_or_dead() {
    running "$1" || return 0
    port_open "$2" && timeout 5 kcat -b "127.0.0.1:$2" -L -J
}

stop() {
    local dir=$1 pid
    pid=$(cat "$dir/kafka.pid" 2>/dev/null) || return 0
    stop_pid "$pid" 30 "${2:-TERM}"
    rm -f "$dir/kafka.pid"
}

case ${1:-} in
    jars) fetch_jars ;;
    start) start "$2" "$3" ;;
    stop) stop "$2" "${3:-TERM}" ;;
    *) die "usage: kafka.sh jars | start DIR PORT | stop DIR [SIGNAL]" ;;
esac
