#!/usr/bin/env bash
# The dashboard and towpath top in a headless Chromium: that they show what they promise and nothing
# else, that they follow the rules of accessibility, and pictures of them.
#
# usage: ci/browser.sh [install | run | pictures]
#   install   Chromium, by apt-get where it is absent and this is root; axe-core and xterm.js from npm,
#             into EMULATORS_DIR (default .emulators in the repository)
#   run       install, then looks; pictures go to PICTURES (default .emulators/pictures). The default
#   pictures  run, then takes the pictures that the guides show into docs/images
#
# Where there is no Chromium and none can be installed it says so and ends with status 3.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DIR=${EMULATORS_DIR:-$here/../.emulators}
mkdir -p "$DIR" && DIR=$(cd "$DIR" && pwd)
PICTURES=${PICTURES:-$DIR/pictures}

axe=4.14.1
xterm=6.0.0
parts=$DIR/browser-$axe-$xterm

browser() { command -v chromium || command -v chromium-browser || command -v google-chrome || true; }

install() {
  if [ -z "$(browser)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core ||
      { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; }; } >"$DIR/chromium.log" 2>&1 || true
  fi
  if [ -z "$(browser)" ]; then
    {
      echo "################################################################################"
      echo "# NO CHROMIUM ON THIS MACHINE, AND NONE COULD BE INSTALLED: THE DASHBOARD IS NOT"
      echo "# LOOKED AT. Install the package chromium, or put one into PATH."
      echo "################################################################################"
    } >&2
    exit 3
  fi
  if [ ! -f "$parts/installed" ]; then
    rm -rf "$parts" && mkdir -p "$parts"
    npm install --prefix "$parts" --no-save --ignore-scripts --no-audit --no-fund --loglevel error "axe-core@$axe" "@xterm/xterm@$xterm"
    touch "$parts/installed"
  fi
}

run() {
  install
  local work
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # it is this folder
  trap "rm -rf '$work'" EXIT
  (cd "$here/.." && go build -o "$work/towpath" ./cmd/towpath)
  (cd "$here/browser" && GOWORK=off go build -o "$work/browser" .)
  mkdir -p "$PICTURES"
  "$work/browser" -chromium "$(browser)" -pictures "$PICTURES" -axe "$parts/node_modules/axe-core/axe.min.js" \
    -xterm "$parts/node_modules/@xterm/xterm" -top "$work/towpath"
}

pictures() {
  run
  mkdir -p "$here/../docs/images"
  local name
  for name in dashboard-light dashboard-dark dashboard-phone dashboard-shard top; do
    cp "$PICTURES/$name.png" "$here/../docs/images/$name.png"
  done
}

case ${1:-run} in
install | run | pictures) "${1:-run}" ;;
*)
  sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'
  exit 2
  ;;
esac
