#!/usr/bin/env bash
# Fuzzes every target of every module: two at a time, one processor each.
#
# usage: ci/fuzz.sh run [TIME]   fuzz each target for TIME, default 20s
#        ci/fuzz.sh list         name the targets, each with its folder
#        ci/fuzz.sh keep [N]     copy up to N (default 20) of the inputs that reached something new, the
#                                shortest first, from Go's cache to testdata, where every test run tries them
#
# A target that fails leaves its input in testdata/fuzz beside it; "go test" then fails until it is mended.
# TARGETS=pattern takes only the targets whose name or folder matches.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

list() {
  git ls-files -z --cached --others --exclude-standard '*_test.go' |
    xargs -0 grep -hoHE '^func Fuzz[A-Za-z0-9_]*' |
    sed -E 's|^(.*/)?[^/]*:func |./\1 |' | grep -E "${TARGETS:-.}" | sort
}

# one FOLDER TARGET TIME fuzzes one target and says in a line how it went.
one() {
  local log status=0 began=$SECONDS
  log=$(mktemp)
  (cd "$1" && go test -run '^$' -fuzz "^$2\$" -fuzztime "$3" -parallel 1 -timeout 20m .) >"$log" 2>&1 || status=$?
  # The end of the time may meet the tool in the middle of an input, which it then calls a failure
  # without one. What was found is always written down.
  if [ $status -ne 0 ] && grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input' "$log"; then
    status=0
  fi
  if [ $status -ne 0 ]; then
    echo "$1 $2: FAILED"
    cat "$log"
  else
    echo "$1 $2: $(grep -oE 'execs: [0-9]+' "$log" | tail -n 1), $((SECONDS - began))s"
  fi
  rm -f "$log"
  return $status
}

keep() {
  local folder target package cache into
  cache=$(go env GOCACHE)/fuzz
  list | while read -r folder target; do
    package=$(cd "$folder" && go list .)
    into=${folder}testdata/fuzz/$target
    [ -d "$cache/$package/$target" ] || continue
    mkdir -p "$into"
    # Short inputs say what they are about; what is longer than 4 KiB is left out.
    find "$cache/$package/$target" -type f -size -4k -printf '%s %p\n' | sort -n | head -n "$1" |
      cut -d' ' -f2 | xargs -r cp -n -t "$into"
  done
}

case ${1:-} in
list) list ;;
keep) keep "${2:-20}" ;;
run)
  targets=$(list)
  echo "$targets" | xargs -P 2 -L 1 "$0" one_of "${2:-20s}"
  echo "$(wc -l <<<"$targets") targets, each for ${2:-20s}: nothing found"
  ;;
one_of) one "$3" "$4" "$2" ;;
*)
  sed -n '4,11s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
