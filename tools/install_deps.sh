#!/bin/sh
# Installs the Debian packages that a job needs and this machine lacks.
#
#   tools/install_deps.sh build | demo | smollm2 | test | bench | neon | page ...
#
# Prints what it installs; does nothing, quickly, when nothing is missing. Uses apt-get, through sudo
# when not root. On a system without apt-get it lists what is missing and fails.
set -eu

# package, and a shell test that succeeds when it (or an equivalent from elsewhere) is present.
build_packages='
g++|command -v g++
cmake|command -v cmake
ninja-build|command -v ninja
pkg-config|command -v pkg-config
nlohmann-json3-dev|header nlohmann/json.hpp
libfmt-dev|header fmt/format.h
libcli11-dev|header CLI/CLI.hpp
libpcre2-dev|pkg-config --exists libpcre2-8
libutf8proc-dev|pkg-config --exists libutf8proc
libxxhash-dev|pkg-config --exists libxxhash
libtomlplusplus-dev|pkg-config --exists tomlplusplus
libedit-dev|pkg-config --exists libedit
libboost1.81-dev|header boost/beast.hpp
libjs-marked|test -e /usr/share/javascript/marked/marked.min.js
node-dompurify|test -e /usr/share/nodejs/dompurify/dist/purify.min.js
node-highlight.js|test -e /usr/share/nodejs/highlight.js/lib/highlight.js
libjs-katex|test -e /usr/share/javascript/katex/katex.min.js
fonts-katex|test -e /usr/share/fonts/truetype/katex/KaTeX_Main-Regular.woff2
'
demo_packages='
python3|command -v python3
'
smollm2_packages='
ca-certificates|test -e /etc/ssl/certs/ca-certificates.crt
python3|command -v python3
python3-pip|has_pip
'
test_packages='
libgtest-dev|header gtest/gtest.h
libgmock-dev|header gmock/gmock.h
librapidcheck-dev|header rapidcheck.h
clang-14|command -v clang++-14
libclang-rt-14-dev|test -d /usr/lib/llvm-14/lib/clang
clang-format-14|command -v clang-format-14
binutils|command -v nm
python3-numpy|/usr/bin/python3 -c "import numpy"
'
bench_packages='
libbenchmark-dev|header benchmark/benchmark.h
'
neon_packages='
g++-aarch64-linux-gnu|command -v aarch64-linux-gnu-g++
qemu-user|command -v qemu-aarch64
'
page_packages='
chromium|command -v chromium
chromium-driver|command -v chromedriver
python3-selenium|/usr/bin/python3 -c "import selenium"
'

header() {
  for directory in /usr/include /usr/local/include; do
    if [ -e "$directory/$1" ]; then return 0; fi
  done
  return 1
}

has_pip() {
  python3 -m pip --version || /usr/bin/python3 -m pip --version
}

missing=
for job in "$@"; do
  case $job in
    build) table=$build_packages ;;
    demo) table=$demo_packages ;;
    smollm2) table=$smollm2_packages ;;
    test) table=$test_packages ;;
    bench) table=$bench_packages ;;
    neon) table=$neon_packages ;;
    page) table=$page_packages ;;
    *) echo "install_deps.sh: unknown job '$job' (build, demo, smollm2, test, bench, neon, page)" >&2; exit 2 ;;
  esac
  old_ifs=$IFS
  IFS='
'
  for line in $table; do
    IFS=$old_ifs
    package=${line%%|*}
    if ! eval "${line#*|}" >/dev/null 2>&1; then missing="$missing $package"; fi
    IFS='
'
  done
  IFS=$old_ifs
done

if [ -z "$missing" ]; then exit 0; fi
if ! command -v apt-get >/dev/null; then
  echo "missing here (names of the Debian 12 packages):$missing" >&2
  echo "install their equivalents on this system, then run this again" >&2
  exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "missing:$missing" >&2
    echo "run as root: apt-get install$missing" >&2
    exit 1
  fi
  as_root=sudo
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q
# shellcheck disable=SC2086  # a list of package names
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
