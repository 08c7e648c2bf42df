#!/bin/sh
# tools/build.sh PRESET [TARGET...]: configures a preset of CMakePresets.json and builds it.
set -eu
cd "$(dirname "$0")/.."
preset=$1
shift
log=build/$preset/configure.log
mkdir -p "build/$preset"
# The program alone must not need what only tests need.
tests=ON
if [ "$*" = ringlet ]; then tests=OFF; fi
if ! cmake --preset "$preset" -DRINGLET_TESTS="$tests" >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
# Lets ccache recognise the same source in another clone, and use precompiled headers.
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
exec cmake --build "build/$preset" -j "${JOBS:-$(nproc)}" ${1:+--target} "$@"
