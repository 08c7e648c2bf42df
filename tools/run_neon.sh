#!/bin/sh
# Cross-compiles the program and the operator tests for 64-bit Arm and runs them under qemu, as a
# processor with dot products and as one without; then a few random models against the reference.
set -eu
cd "$(dirname "$0")/.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
tools/fetch_arm64.sh
tools/build.sh neon op_tests ringlet
NM=aarch64-linux-gnu-nm OBJDUMP=aarch64-linux-gnu-objdump "$python" tools/check_objects.py \
  build/neon/kernel_objects.txt build/neon/src

# The first has every set, so that nothing may be skipped.
for run in max:/dev/null cortex-a72:tests/expected_skips.txt; do
  export QEMU_CPU="${run%:*}"
  results=$PWD/build/neon/results/$QEMU_CPU
  rm -rf "$results"
  mkdir -p "$results/gtest"
  printf '\n== %s\n' "$QEMU_CPU"
  GTEST_OUTPUT="xml:$results/gtest/" ctest --test-dir build/neon --output-on-failure -L ops \
    -j "${JOBS:-$(nproc)}" --output-junit "$results/ctest.xml" || true
  "$python" tools/summarize_tests.py --expected "${run#*:}" "$results"
done

program=$PWD/build/neon/ringlet-emulated
printf '#!/bin/sh\nexec qemu-aarch64 -L /usr/aarch64-linux-gnu "%s" "$@"\n' "$PWD/build/neon/ringlet" >"$program"
chmod +x "$program"
for cpu in max cortex-a72; do
  printf '\n== models, %s\n' "$cpu"
  QEMU_CPU=$cpu "$program" info
  QEMU_CPU=$cpu "$python" tools/reference/compare.py "$program" build/neon/models \
    --presets hybrid10,llama256
done
