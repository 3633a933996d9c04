#!/usr/bin/env bash
# LocalStack 4.14.0, the last release that starts without an account, run from its Python packages:
# no Docker. A second opinion beside ci/servers.sh. It is no longer maintained and gets no security
# fixes, so it listens on 127.0.0.1 alone.
#
# usage: ci/localstack.sh install | up | down | env
#   install   needs ci/servers.sh install first (it takes DynamoDB Local from there) and CPython 3.13
#   up        starts it on 127.0.0.1:LOCALSTACK_PORT (default 14666) and returns when it is healthy
#   down      stops what up started
#   env       prints the variables that the server tests read
#
# Python 3.13 is looked for in PYTHON313, in PATH and under pyenv. Where there is none, install and
# up say so and end with status 3, so that a caller can go on without LocalStack.
# Everything it writes is under EMULATORS_DIR (default .emulators in the repository).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DIR=${EMULATORS_DIR:-$here/../.emulators}
mkdir -p "$DIR" && DIR=$(cd "$DIR" && pwd)
RUN=${EMULATORS_RUN:-$DIR/run}
mkdir -p "$RUN" && RUN=$(cd "$RUN" && pwd)
# shellcheck source=ci/background.sh
. "$here/background.sh"

version=4.14.0
port=${LOCALSTACK_PORT:-14666}
home=$DIR/localstack-$version
root=$home/root
dynamodb=$DIR/dynamodb-local-3.1.0
mark=$home/venv/bin/python

python313() {
  local candidate
  for candidate in "${PYTHON313:-}" python3.13 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13.*/bin/python; do
    # A pyenv shim of a version that is not active exists and fails: only a run tells.
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  {
    echo "################################################################################"
    echo "# NO PYTHON 3.13 ON THIS MACHINE: LOCALSTACK CANNOT BE INSTALLED AND ITS TESTS"
    echo "# ARE NOT RUN. Set PYTHON313=/path/to/python3.13 to run them."
    echo "################################################################################"
  } >&2
  return 3
}

install() {
  need npm node java javac jar curl ps
  if [ ! -f "$dynamodb/installed" ]; then say "DynamoDB Local is not in $DIR; run ci/servers.sh install first"; exit 1; fi
  if [ ! -f "$home/venv/installed" ]; then
    local python
    python=$(python313) || exit $?
    rm -rf "$home/venv"
    "$python" -m venv "$home/venv"
    # The four upper bounds are of the time of its release: newer ones break its start.
    "$home/venv/bin/pip" install -q --disable-pip-version-check "localstack-core[runtime]==$version" \
      'cbor2<5.8' 'pyopenssl<26' 'cryptography<47' 'service_identity<25'
    # Its gateway forgets the address part of GATEWAY_LISTEN and listens on every interface.
    "$home/venv/bin/python" -I - <<'PYTHON'
import importlib.util, pathlib
source = pathlib.Path(importlib.util.find_spec("localstack").submodule_search_locations[0], "runtime/server/twisted.py")
text = source.read_text()
open_to_all = "TCP4ServerEndpoint(reactor, host_and_port.port)"
assert open_to_all in text, f"{source} is not as expected: cannot bind it to loopback"
source.write_text(text.replace(open_to_all, "TCP4ServerEndpoint(reactor, host_and_port.port, interface=host_and_port.host)"))
PYTHON
    touch "$home/venv/installed"
  fi

  # What LocalStack would download for DynamoDB, put where it looks first.
  local lib=$root/var/lib/localstack/lib
  local place=$lib/dynamodb-local/2 source=$here/localstack/LoopbackDynamo.java
  if [ "$source" -nt "$place/DynamoDBLocal.jar" ]; then
    mkdir -p "$place" "$lib/java" "$home/classes"
    ln -sfn "$dynamodb/lib" "$place/DynamoDBLocal_lib"
    # It asks for Java 21; 17 runs the same jars.
    ln -sfn "$(java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.home = //p')" "$lib/java/21"
    javac -nowarn -cp "$dynamodb/lib/*" -d "$home/classes" "$source"
    {
      echo 'Main-Class: LoopbackDynamo'
      echo 'Premain-Class: LoopbackDynamo'
      # A line that begins with a blank goes on with the one before it: one jar a line.
      echo "Class-Path: ."
      (cd "$dynamodb/lib" && printf '  DynamoDBLocal_lib/%s\n' *.jar)
    } >"$home/manifest"
    jar cfm "$place/ddb-local-loader-0.1.jar" "$home/manifest" -C "$home/classes" .
    jar cfm "$place/DynamoDBLocal.jar" "$home/manifest" -C "$home/classes" .
  fi
  say "LocalStack $version is in $home"
}

start() {
  cd "$home"
  # OVERRIDE_IN_DOCKER: on a machine that is itself a container it would otherwise take
  # /var/lib/localstack for its own. NODE_OPTIONS reaches its Kinesis, see loopback.cjs.
  # sts and iam are for its Firehose, which takes on a role. Its Lambda needs Docker.
  # DynamoDB's provider v2 is DynamoDB Local's own streams; the default one loses records.
  exec nohup env OVERRIDE_IN_DOCKER=0 "FILESYSTEM_ROOT=$root" "TMPDIR=$RUN/tmp" \
    "XDG_CACHE_HOME=$home/cache" "JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=$RUN/tmp" "GATEWAY_LISTEN=127.0.0.1:$port" \
    SERVICES=kinesis,dynamodb,dynamodbstreams,sqs,sns,s3,events,stepfunctions,firehose,sts,iam EAGER_SERVICE_LOADING=1 \
    PROVIDER_OVERRIDE_DYNAMODB=v2 DYNAMODB_IN_MEMORY=1 DDB_LOCAL_TELEMETRY=0 \
    KINESIS_MOCK_PROVIDER_ENGINE=node KINESIS_LATENCY=20 "NODE_OPTIONS=--require=$here/loopback.cjs" \
    DNS_ADDRESS=0 DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 \
    "$home/venv/bin/python" -m localstack.runtime.main
}

up() {
  need curl ps java node npm
  if [ ! -f "$home/venv/installed" ]; then
    python313 >/dev/null || exit $?
    say "LocalStack is not in $DIR; run ci/localstack.sh install first"
    exit 1
  fi
  if running localstack "$mark"; then say "already up (pid $(cat "$RUN/localstack.pid")); run ci/localstack.sh down first"; exit 1; fi
  need_free LocalStack "$port" LOCALSTACK_PORT
  mkdir -p "$RUN/tmp"
  (start) >"$RUN/localstack.log" 2>&1 </dev/null &
  echo $! >"$RUN/localstack.pid"
  if ! healthy localstack "$(cat "$RUN/localstack.pid")" "http://127.0.0.1:$port/_localstack/health"; then
    down
    exit 1
  fi
  # It installs and starts its Kinesis, and starts its DynamoDB, on the first call: make that call
  # here, and not in a test that has a deadline.
  if ! call kinesis Kinesis_20131202.ListStreams || ! call dynamodb DynamoDB_20120810.ListTables; then
    say "up, but its Kinesis or DynamoDB does not answer; the end of $RUN/localstack.log:"
    tail -n 20 "$RUN/localstack.log" >&2
    down
    exit 1
  fi
  say "up on 127.0.0.1:$port"
}

# call SERVICE TARGET makes one empty request.
call() {
  curl -fs -m 120 -o /dev/null -X POST "http://127.0.0.1:$port/" -d '{}' -H "X-Amz-Target: $2" \
    -H 'Content-Type: application/x-amz-json-1.1' \
    -H "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/$1/aws4_request, SignedHeaders=host, Signature=0"
}

down() {
  need ps
  stop localstack "$mark"
}

print_env() {
  local at=http://127.0.0.1:$port
  cat <<END
export TOWPATH_TEST_ENDPOINTS=kinesis=$at,dynamodb=$at,aws=$at
export TOWPATH_TEST_LACKING=lambda,kpl
unset TOWPATH_TEST_DYNAMODB_CONTROL
export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_EC2_METADATA_DISABLED=true
END
}

case "${1:-}" in
install | up | down) "$1" ;;
env) print_env ;;
*)
  echo "usage: ci/localstack.sh install|up|down|env" >&2
  exit 2
  ;;
esac
