#!/bin/sh
# Builds the fuzz preset and runs every target: fuzz/run.sh [SECONDS_EACH] [TARGET...]
# Starts from fuzz/corpus/<target>, writes what it finds (new inputs and crashes) under
# build/fuzz/found/<target>. Exits with 1 when any target found something.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
targets=${*:-$(sed -n 's/^ringlet_add_fuzz(\([a-z0-9_]*\).*/\1/p' fuzz/CMakeLists.txt)}

cmake --preset fuzz >/dev/null
# shellcheck disable=SC2086  # a list of names
cmake --build --preset fuzz --target $targets

failed=""
for target in $targets; do
  found=build/fuzz/found/$target
  mkdir -p "$found/corpus"
  echo "== $target: $seconds s"
  # 64 KiB inputs reach every branch; 2 GiB bounds an allocation that a count could cause.
  "build/fuzz/bin/$target" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 \
    -timeout=10 -print_final_stats=1 -artifact_prefix="$found/" \
    "$found/corpus" "fuzz/corpus/$target" 2>"$found/log" || failed="$failed $target"
  grep -E 'stat::number_of_executed_units|ERROR|SUMMARY' "$found/log" || true
done
if [ -n "$failed" ]; then
  echo "findings in:$failed (inputs and logs under build/fuzz/found)" >&2
  exit 1
fi
