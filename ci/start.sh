#!/usr/bin/env bash
# Walks the path of a newcomer, as docs/start.md writes it: its sh blocks, in order, in one shell, in an
# empty folder, with no build cache and no module cache. Prints how long each block took, and fails if one
# fails or if all of them together take longer than five minutes (on a machine that others use at the same
# time: more of the processor than would fit into these).
#
# usage: ci/start.sh
#
# What the text clones is the last commit of this checkout: git is told that the public address lies here.
# Modules that this machine already has are taken from its module cache as if that were a proxy, so that
# what is timed is the machine and not the line; what it does not have comes from the proxy.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly bound=300 # seconds: what docs/start.md promises, on two cores

place=$(mktemp -d "${TMPDIR:-/tmp}/start.XXXXXX")
trap 'rm -rf "$place"' EXIT

had=$(go env GOMODCACHE) proxy=$(go env GOPROXY)
export GOPROXY="file://$had/cache/download,$proxy"
export GOCACHE=$place/cache GOMODCACHE=$place/modules GOFLAGS="$(go env GOFLAGS) -modcacherw" GOWORK=
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.$here.insteadOf" GIT_CONFIG_VALUE_0=https://github.com/towpath/towpath

script=$place/path.sh
{
  echo 'set -euo pipefail'
  awk '
    /^```sh$/ { inside = 1; first = ""; next }
    /^```/ && inside { inside = 0; printf "echo \"== $SECONDS s, after the block that begins: %s\" >&2\n", first; next }
    inside { if (first == "") first = $0; print }
  ' "$here/docs/start.md"
} >"$script"
grep -q 'git clone https://github.com/towpath/towpath' "$script" || { echo "ci/start.sh: docs/start.md does not begin with a clone"; exit 1; }

mkdir "$place/newcomer"
cd "$place/newcomer"
SECONDS=0
status=0
bash "$script" >"$place/output" 2>&1 || status=$?
took=$SECONDS
grep '^== ' "$place/output" || true
if [ "$status" -ne 0 ]; then
  tail -40 "$place/output"
  echo "ci/start.sh: the path of docs/start.md ends with status $status"
  exit 1
fi
# The records of either program have been seen, or nothing was shown.
for line in 'ada is at /basket' 'sessions'; do
  grep -q "$line" "$place/output" || { echo "ci/start.sh: nothing on the way said \"$line\""; exit 1; }
done
# A machine that others use gives less than its cores: the processor's seconds, of the blocks and what they
# started, tell it from a path that has become longer. Alone, two cores take about as long as these.
times >"$place/times" # here and not in a pipe, where it would be that of another shell
cpu=$(awk 'NR == 2 { for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); n += 60 * t[1] + t[2] } printf "%d", n }' "$place/times")
echo "== from clone to a service of one's own in $took s, with $cpu s of processor; at most $bound s"
[ "$took" -le "$bound" ] && exit
if [ "$cpu" -le $((bound * 2 / 3)) ]; then
  echo "== that is more, but the machine was busy with other work: by the processor it is not"
  exit
fi
echo "ci/start.sh: it takes longer than docs/start.md says"
exit 1
