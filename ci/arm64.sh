#!/usr/bin/env bash
# The tests of what is written for arm64 in assembler, run for arm64: under QEMU where this machine is
# another one.
#
# usage: ci/arm64.sh
#
# QEMU is taken from PATH, or out of Debian's package into EMULATORS_DIR (default .emulators in the
# repository), without installing it. Where there is none it says so and ends with status 3.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DIR=${EMULATORS_DIR:-$here/../.emulators}
mkdir -p "$DIR" && DIR=$(cd "$DIR" && pwd)
parts=$DIR/qemu-user-static

qemu() { command -v qemu-aarch64-static || command -v qemu-aarch64 || ls "$parts/usr/bin/qemu-aarch64-static" 2>/dev/null || true; }

# take unpacks the package beside the other servers.
take() {
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 0
  rm -rf "$parts" && mkdir -p "$parts"
  (
    cd "$parts"
    apt-get download -qq qemu-user-static || { apt-get update -qq && apt-get download -qq qemu-user-static; }
    dpkg-deb -x qemu-user-static_*.deb .
    rm -f ./*.deb
  ) >"$DIR/qemu.log" 2>&1 || true
}

run=()
if [ "$(go env GOHOSTARCH)" != arm64 ]; then
  [ -n "$(qemu)" ] || take
  if [ -z "$(qemu)" ]; then
    {
      echo "################################################################################"
      echo "# NO QEMU ON THIS MACHINE, AND NO PACKAGE OF IT COULD BE HAD: WHAT IS WRITTEN FOR"
      echo "# ARM64 IS BUILT AND NOT RUN. Install the package qemu-user-static."
      echo "################################################################################"
    } >&2
    exit 3
  fi
  run=(-exec "$(qemu)")
fi
cd "$here/.."
CGO_ENABLED=0 GOARCH=arm64 go test -timeout 5m "${run[@]}" ./internal/recordpage
