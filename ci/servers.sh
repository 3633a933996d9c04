#!/usr/bin/env bash
# The servers that stand in for AWS in the server tests, without Docker and without an account:
#
#   kinesis     kinesis-local, from npm             Kinesis with resharding and lineage
#   dynamodb    DynamoDB Local, from Maven          leases and streams, roll-over on demand
#   ministack   ministack, from PyPI                SQS, SNS, S3, EventBridge, Lambda, Step Functions, Firehose
#
# and, to be run by one test, AWS's library for aggregated records, from PyPI (aggregates.py).
#
# usage: ci/servers.sh install | up | down | env
#   install   puts all of it under EMULATORS_DIR (default .emulators in the repository), once
#   up        starts them on 127.0.0.1 and returns when all are healthy
#   down      stops what up started
#   env       prints the variables that the server tests read: eval "$(ci/servers.sh env)"
#
# Ports: KINESIS_PORT 14568, KINESIS_TLS_PORT 14567, DYNAMODB_PORT 18000,
# DYNAMODB_CONTROL_PORT 18001 (see dynamodb/RollingDynamo.java), MINISTACK_PORT 14566.
# Two sets can run side by side with other ports and another EMULATORS_RUN (pids, logs).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DIR=${EMULATORS_DIR:-$here/../.emulators}
mkdir -p "$DIR" && DIR=$(cd "$DIR" && pwd)
RUN=${EMULATORS_RUN:-$DIR/run}
mkdir -p "$RUN" && RUN=$(cd "$RUN" && pwd)
# shellcheck source=ci/background.sh
. "$here/background.sh"

kinesis_version=0.6.2 dynamodb_version=3.1.0 ministack_version=1.5.33
# The version is in the folder's name, so a new one is installed beside the old.
kinesis=$DIR/kinesis-local-$kinesis_version
dynamodb=$DIR/dynamodb-local-$dynamodb_version
ministack=$DIR/ministack-$ministack_version
kpl=$DIR/kpl-$(sed -n 's/^aws-kinesis-agg==//p' "$here/aggregates.txt")

kinesis_port=${KINESIS_PORT:-14568} kinesis_tls_port=${KINESIS_TLS_PORT:-14567}
dynamodb_port=${DYNAMODB_PORT:-18000} control_port=${DYNAMODB_CONTROL_PORT:-18001}
ministack_port=${MINISTACK_PORT:-14566}

# What is found in each server's command line, so that down never stops a stranger.
kinesis_mark=$here/loopback.cjs dynamodb_mark=$dynamodb/classes ministack_mark=$ministack/bin/ministack

install() {
  need npm node mvn java javac python3 curl ps
  if [ ! -f "$kinesis/installed" ]; then
    npm install --prefix "$kinesis" --no-audit --no-fund --loglevel=error "kinesis-local@$kinesis_version" </dev/null
    touch "$kinesis/installed"
  fi
  if [ ! -f "$dynamodb/installed" ]; then
    mvn -B -q -Dstyle.color=never -f "$here/dynamodb/pom.xml" "-Ddynamodb.local.version=$dynamodb_version" \
      dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$dynamodb/lib" </dev/null
    touch "$dynamodb/installed"
  fi
  if [ "$here/dynamodb/RollingDynamo.java" -nt "$dynamodb/classes/RollingDynamo.class" ]; then
    javac -nowarn -cp "$dynamodb/lib/*" -d "$dynamodb/classes" "$here/dynamodb/RollingDynamo.java"
  fi
  if [ ! -f "$ministack/installed" ]; then
    python3 -m venv "$ministack"
    "$ministack/bin/pip" install -q --disable-pip-version-check "ministack==$ministack_version"
    touch "$ministack/installed"
  fi
  if [ ! -f "$kpl/installed" ]; then
    python3 -m venv "$kpl"
    "$kpl/bin/pip" install -q --disable-pip-version-check -r "$here/aggregates.txt"
    touch "$kpl/installed"
  fi
  say "kinesis-local $kinesis_version, DynamoDB Local $dynamodb_version and ministack $ministack_version are in $DIR"
}

start_kinesis() {
  # It reads server.json from its own folder. The delays of stream changes are real ones cut short.
  cd "$kinesis/node_modules/kinesis-local"
  exec nohup env KINESIS_MOCK_PLAIN_PORT="$kinesis_port" KINESIS_MOCK_TLS_PORT="$kinesis_tls_port" SHARD_LIMIT=500 \
    CREATE_STREAM_DURATION=20ms DELETE_STREAM_DURATION=20ms REGISTER_STREAM_CONSUMER_DURATION=20ms \
    SPLIT_SHARD_DURATION=50ms MERGE_SHARDS_DURATION=50ms UPDATE_SHARD_COUNT_DURATION=50ms \
    node --require "$here/loopback.cjs" main.js
}

start_dynamodb() {
  # The C1 compiler and the serial collector: a short life on two cores. DDB_LOCAL_TELEMETRY=0 is
  # a second lock on a door that RollingDynamo does not open.
  exec nohup env DDB_LOCAL_TELEMETRY=0 java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    "-Djava.io.tmpdir=$RUN/tmp" "-Djava.library.path=$dynamodb/lib" -cp "$dynamodb/classes:$dynamodb/lib/*" \
    RollingDynamo "$dynamodb_port" "$control_port"
}

start_ministack() {
  exec nohup env TMPDIR="$RUN/tmp" BIND_HOST=127.0.0.1 GATEWAY_PORT="$ministack_port" "$ministack/bin/ministack"
}

up() {
  need curl ps java node
  for server in kinesis dynamodb ministack; do
    local folder=${!server} mark=${server}_mark
    if [ ! -f "$folder/installed" ]; then say "$server is not in $DIR; run ci/servers.sh install first"; exit 1; fi
    if running "$server" "${!mark}"; then
      say "$server is already up (pid $(cat "$RUN/$server.pid")); run ci/servers.sh down first"
      exit 1
    fi
  done
  need_free kinesis "$kinesis_port" KINESIS_PORT
  need_free "kinesis (TLS)" "$kinesis_tls_port" KINESIS_TLS_PORT
  need_free dynamodb "$dynamodb_port" DYNAMODB_PORT
  need_free "the control of dynamodb" "$control_port" DYNAMODB_CONTROL_PORT
  need_free ministack "$ministack_port" MINISTACK_PORT

  mkdir -p "$RUN/tmp"
  for server in kinesis dynamodb ministack; do
    ("start_$server") >"$RUN/$server.log" 2>&1 </dev/null &
    echo $! >"$RUN/$server.pid"
  done
  if ! healthy kinesis "$(cat "$RUN/kinesis.pid")" "http://127.0.0.1:$kinesis_port/healthcheck" ||
    ! healthy dynamodb "$(cat "$RUN/dynamodb.pid")" "http://127.0.0.1:$control_port/ping" ||
    ! healthy ministack "$(cat "$RUN/ministack.pid")" "http://127.0.0.1:$ministack_port/_ministack/health"; then
    down
    exit 1
  fi
  say "up on 127.0.0.1: kinesis $kinesis_port, dynamodb $dynamodb_port (control $control_port), ministack $ministack_port"
}

down() {
  need ps
  for server in ministack dynamodb kinesis; do
    local mark=${server}_mark
    stop "$server" "${!mark}"
  done
}

print_env() {
  local at=http://127.0.0.1
  cat <<END
export TOWPATH_TEST_ENDPOINTS=kinesis=$at:$kinesis_port,dynamodb=$at:$dynamodb_port,aws=$at:$ministack_port,kpl=$kpl/bin/python
export TOWPATH_TEST_DYNAMODB_CONTROL=$at:$control_port
unset TOWPATH_TEST_LACKING
export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_EC2_METADATA_DISABLED=true
END
}

case "${1:-}" in
install | up | down) "$1" ;;
env) print_env ;;
*)
  echo "usage: ci/servers.sh install|up|down|env" >&2
  exit 2
  ;;
esac
