#!/usr/bin/env bash
# Plays whole fleets under faults drawn by seed. The last line is a JSON object.
#
# usage: ci/simulate.sh [FLAG...]   flags of internal/swarmtest: -seeds N -first SEED
#                                   -world fakes|sdk -size small|large -loud
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Not by "go test", whose own line would come last.
program=$(mktemp)
trap 'rm -f "$program"' EXIT
go test -c -o "$program" ./internal/swarmtest
cd internal/swarmtest
"$program" -test.run 'TestSwarm$' -test.timeout 0 "$@"
