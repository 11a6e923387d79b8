#!/usr/bin/env bash
# build.sh PRESET [TARGET…]: configures and builds a preset with ccache; prints what is slow to come.
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=${1:?usage: build.sh PRESET [TARGET…]}
shift
cd "$GANTRY_ROOT"

# Paths relative to the checkout, so that another clone finds the same objects.
export CCACHE_BASEDIR=$GANTRY_ROOT CCACHE_NOHASHDIR=1 CCACHE_DIR=${CCACHE_DIR:-$HOME/.cache/ccache}
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-10G} CCACHE_SLOPPINESS=pch_defines,time_macros
# So that two scripts at once do not build into one folder.
mkdir -p build
exec 9>"build/.$preset.lock"
flock 9

say "configuring build/$preset"
# GANTRY_CMAKE_ARGS: further -D options, one word each.
# shellcheck disable=SC2086
cmake --preset "$preset" ${GANTRY_CMAKE_ARGS:-} >"build/$preset.configure.log" 2>&1 || {
    tail -40 "build/$preset.configure.log" >&2
    die "cmake --preset $preset failed; the whole log is build/$preset.configure.log"
}
say "building build/$preset ${*:-everything}"
started=$SECONDS
# On a terminal ninja shows its own progress; elsewhere only what fails, and a line a minute.
if [[ -t 1 ]]; then
    cmake --build --preset "$preset" ${1:+--target "$@"}
else
    log=build/$preset.build.log
    cmake --build --preset "$preset" ${1:+--target "$@"} >"$log" 2>&1 &
    build=$!
    next=$((SECONDS + 60))
    while kill -0 $build 2>/dev/null; do
        sleep 0.2
        if ((SECONDS >= next)); then
            say "  still building: $(grep -oE '^\[[0-9]+/[0-9]+\]' "$log" | tail -1)"
            next=$((SECONDS + 60))
        fi
    done
    if ! wait $build; then
        grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking|Generating|Running)' "$log" | head -100 >&2
        die "the build of $preset failed; the whole log is $log"
    fi
fi
say "built build/$preset in $((SECONDS - started)) s"
