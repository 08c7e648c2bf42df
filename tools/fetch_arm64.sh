#!/bin/sh
# Unpacks the arm64 libraries that a cross-build links into build/arm64-root. Debian's own packages
# for another processor would upgrade this system's; these stay in the build directory.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/build/arm64-root
packages='libfmt-dev libfmt9 libgtest-dev libgmock-dev libpcre2-dev libpcre2-8-0 libutf8proc-dev
libutf8proc2 libxxhash-dev libxxhash0'
if [ -e "$root/complete" ]; then exit 0; fi
rm -rf "$root"
mkdir -p "$root/packages/lists/partial" "$root/packages/archives/partial"
cd "$root/packages"
# A list of packages of its own, for both processors.
apt() {
  apt-get -q -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=root \
    -o Dir::State::lists="$root/packages/lists" -o Dir::Cache::archives="$root/packages/archives" \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@"
}
apt update
for package in $packages; do apt download "$package:arm64"; done
for file in *.deb; do dpkg-deb -x "$file" "$root"; done
rm -rf "$root/packages"
touch "$root/complete"
