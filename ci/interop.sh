#!/usr/bin/env bash
# Proves that towpath and the Kinesis Client Library (KCL) read and write one lease table: the real
# library from Maven and towpath take turns at one stream, killed and stopped half-way, and share it.
#
# usage: ci/interop.sh install | run [FLAG...]
#   install   puts the library's jars, for each version, under EMULATORS_DIR, once
#   run       starts servers on free ports, plays, and stops them. Its last line is a JSON object;
#             the status is 1 if anything was lost, out of order or unreadable. FLAGs go to the
#             program in ci/interop.
#
#   KCL       versions between commas, default 2.7.2,3.5.1; the major version says which source is used
#   MINUTES   of the fleet of both, with 2.x: default 10
#   SWITCHES  each way, with each version: default 2 for each of MINUTES
#   KILLS     in the fleet of both: default 5 for each of MINUTES
# Logs and the ledger are in EMULATORS_RUN (default: a folder under EMULATORS_DIR, kept on failure).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export EMULATORS_DIR=${EMULATORS_DIR:-$here/../.emulators}
mkdir -p "$EMULATORS_DIR" && EMULATORS_DIR=$(cd "$EMULATORS_DIR" && pwd)
versions=${KCL:-2.7.2,3.5.1}
minutes=${MINUTES:-10}
switches=${SWITCHES:-$((2 * minutes))} kills=${KILLS:-$((5 * minutes))}

install() {
  local version
  "$here/servers.sh" install
  for version in ${versions//,/ }; do
    local folder=$EMULATORS_DIR/kcl-$version source=$here/interop/kcl
    if [ ! -f "$folder/installed" ]; then
      mvn -B -q -Dstyle.color=never -f "$source/pom.xml" "-Dkcl.version=$version" \
        dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$folder/lib" </dev/null
      touch "$folder/installed"
    fi
  done
}

# compile VERSION TO puts the workers' classes for a version of the library into a folder.
compile() {
  local source=$here/interop/kcl log=$2.log
  if ! javac -nowarn -cp "$EMULATORS_DIR/kcl-$1/lib/*" -d "$2" "$source"/*.java "$source/kcl${1%%.*}"/*.java >"$log" 2>&1; then
    cat "$log" >&2 # without a fault it holds notes on what is deprecated
    return 1
  fi
}

# free_ports N prints N ports that nothing listens on, each on a line.
free_ports() {
  python3 - "$1" <<'PYTHON'
import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
for server in held:
    print(server.getsockname()[1])
PYTHON
}

run() {
  local ports own=
  if [ -z "${EMULATORS_RUN:-}" ]; then
    EMULATORS_RUN=$(mktemp -d "$EMULATORS_DIR/interop.XXXXXX")
    own=yes
  fi
  export EMULATORS_RUN
  folder=$EMULATORS_RUN/interop
  mkdir -p "$folder"
  # shellcheck disable=SC2207 # five numbers
  ports=($(free_ports 5))
  export KINESIS_PORT=${ports[0]} KINESIS_TLS_PORT=${ports[1]} DYNAMODB_PORT=${ports[2]}
  export DYNAMODB_CONTROL_PORT=${ports[3]} MINISTACK_PORT=${ports[4]}
  (cd "$here/.." && go build -o "$folder/interop" ./ci/interop)
  local version
  for version in ${versions//,/ }; do compile "$version" "$folder/kcl-$version"; done
  trap '"$here/servers.sh" down' EXIT
  "$here/servers.sh" up
  local status=0
  "$folder/interop" -kinesis "http://127.0.0.1:$KINESIS_PORT" -dynamodb "http://127.0.0.1:$DYNAMODB_PORT" \
    -jars "$EMULATORS_DIR" -folder "$folder" -kcl "$versions" -switches "$switches" -mixed "${minutes}m" -kills "$kills" "$@" &
  # In the background, so that a signal reaches it: it ends its workers and then itself.
  local player=$!
  trap 'kill -TERM $player' INT TERM
  while wait $player || status=$?; [ $status -gt 128 ] && kill -0 $player 2>/dev/null; do status=0; done
  if [ $status -ne 0 ]; then
    echo "interop.sh: logs and ledgers are in $folder" >&2
    exit $status
  fi
  rm -rf "$folder"
  if [ -n "$own" ]; then trap '"$here/servers.sh" down; rm -rf "$EMULATORS_RUN"' EXIT; fi
}

case "${1:-}" in
install) install ;;
run)
  shift
  run "$@"
  ;;
*)
  echo "usage: ci/interop.sh install|run [FLAG...]" >&2
  exit 2
  ;;
esac
