#!/bin/sh
# tools/run_ctest.sh PRESET [CTEST ARGUMENT...]: builds a preset with its tests and runs them.
# Leaves build/PRESET/results/ctest.xml and results/gtest/*.xml for tools/summarize_tests.py.
set -eu
cd "$(dirname "$0")/.."
preset=$1
shift
tools/build.sh "$preset"
results=$PWD/build/$preset/results
rm -rf "$results"
mkdir -p "$results/gtest"
export GTEST_OUTPUT="xml:$results/gtest/"
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
exec ctest --test-dir "build/$preset" --output-on-failure -j "${JOBS:-$(nproc)}" \
  --output-junit "$results/ctest.xml" "$@"
