#!/bin/sh
# Everything `make test` checks. Stops at the first stage that fails to build; runs all tests of a
# stage. The last line is the sum over all runs: "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
started=$(date +%s)
failed=

# stage NAME COMMAND...: runs it, reports its time, remembers a failure.
stage() {
  name=$1
  shift
  printf '\n== %s\n' "$name"
  begun=$(date +%s)
  "$@" || failed="$failed $name;"
  printf -- '-- %s: %s s\n' "$name" "$(($(date +%s) - begun))"
}

stage "style" "$python" tools/check_style.py
stage "layers" "$python" tools/check_layers.py
if ! python3 tools/fetch_smollm2.py; then
  echo "tests that need the model will be skipped"
fi
stage "release tests" tools/run_ctest.sh release
# This build is clang's, so it is the second compiler's check too, and has the fuzz targets. Whole
# models under sanitizers would take many minutes: the unit tests cover the same code.
stage "address and undefined sanitizers" tools/run_ctest.sh asan-ubsan -LE 'model|tools'
stage "fuzz smoke" tools/run_fuzzers.sh 5
printf '\n== summary after %s s\n' "$(($(date +%s) - started))"
if [ -n "$failed" ]; then echo "failed:$failed"; fi
"$python" tools/summarize_tests.py --expected tests/expected_skips.txt \
  build/release/results build/asan-ubsan/results || exit 1
[ -z "$failed" ]
