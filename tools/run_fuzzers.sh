#!/bin/sh
# tools/run_fuzzers.sh SECONDS: runs every fuzz target for that long, JOBS at a time. What a target
# learns is kept under build/fuzz/; a finding is written there and its path is printed.
set -eu
cd "$(dirname "$0")/.."
seconds=$1
run_one() {
  target=$1
  work=build/fuzz/$target
  mkdir -p "$work/corpus" "$work/findings"
  if ! "build/asan-ubsan/bin/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
      -max_len=65536 -print_final_stats=1 -artifact_prefix="$work/findings/" \
      "$work/corpus" "fuzz/corpus/$target" >"$work/log" 2>&1; then
    tail -n 60 "$work/log"
    echo "FINDING: $target (see build/fuzz/$target/)"
    return 1
  fi
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
  echo "fuzz: $target: $executions executions, no finding"
}

if [ "${2:-}" = one ]; then
  run_one "$3"
  exit
fi

targets=$(sed -n 's/^ *ringlet_add_fuzz(\([a-z0-9_]*\).*/\1/p' fuzz/CMakeLists.txt src/*/CMakeLists.txt | sort)
if [ -z "$targets" ]; then
  echo "run_fuzzers.sh: no fuzz target in fuzz/ or src/" >&2
  exit 1
fi
# shellcheck disable=SC2086  # a list of names
tools/build.sh asan-ubsan $targets
# xargs runs this script again for one target each; its status tells whether any failed.
echo "$targets" | xargs -P "${JOBS:-$(nproc)}" -I{} tools/run_fuzzers.sh "$seconds" one {}
