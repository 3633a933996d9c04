#!/usr/bin/env bash
# What is checked of the source and of what it is linked with.
#
# usage: ci/security.sh [STEP...]
#   gosec          findings that ci/security/justified.go does not explain
#   govulncheck    known vulnerabilities that the code reaches
#   licences       a bill of materials (CycloneDX) and the licences in it
#   reproducible   two builds of cmd/towpath in two folders are the same bytes
# No STEP means all of them.
#
# The database of vulnerabilities is asked for at vuln.go.dev. Where that cannot be reached, VULNDB
# may name a folder with the OSV files of golang/vulndb (its data/osv); without either the step says
# NOT RUN, and with SECURITY_REQUIRED=1 it fails. The bill is left in $SBOM, if that is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

# The last of each that builds from modules which every proxy has.
readonly gosec_version=v2.22.10 govulncheck_version=v1.3.0
tools=${EMULATORS_DIR:-$PWD/.emulators}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# tool NAME VERSION PACKAGE prints where a tool is, and installs it if it is not there: a tool is no
# dependency of the library.
tool() {
  local bin=$tools/$1-$2
  [ -x "$bin/$1" ] || GOBIN=$bin go install "$3@$2" >&2
  echo "$bin/$1"
}

gosec() {
  local gosec
  gosec=$(tool gosec $gosec_version github.com/securego/gosec/v2/cmd/gosec)
  # Modules of their own in contrib are left to their own checks.
  "$gosec" -quiet -no-fail -fmt json -exclude-dir contrib -out "$work/gosec.json" ./... 2>/dev/null
  go run ./ci/security <"$work/gosec.json"
}

govulncheck() {
  local govulncheck module status database=()
  govulncheck=$(tool govulncheck $govulncheck_version golang.org/x/vuln/cmd/govulncheck)
  if [ -n "${VULNDB:-}" ]; then
    [ -n "$(compgen -G "$VULNDB/GO-*.json")" ] || {
      echo "govulncheck: VULNDB is $VULNDB, and there are no OSV files in it"
      return 1
    }
    database=(-db "file://$(cd "$VULNDB" && pwd)")
  elif ! curl -fsS -m 20 -o /dev/null https://vuln.go.dev/index/db.json 2>"$work/curl"; then
    echo "== govulncheck: NOT RUN, the database cannot be reached: $(cat "$work/curl")"
    [ -z "${SECURITY_REQUIRED:-}" ]
    return
  fi
  for module in $(go list -m -f '{{.Dir}}'); do
    status=0
    (cd "$module" && "$govulncheck" "${database[@]}" ./...) >"$work/vulns" 2>&1 || status=$?
    echo "govulncheck ${module#"$PWD"}: $(tail -n 1 "$work/vulns")"
    if [ $status -ne 0 ]; then
      cat "$work/vulns"
      return $status
    fi
  done
}

licences() {
  GOWORK=off go list -deps -json=Module ./... >"$work/modules"
  go run ./ci/sbom <"$work/modules" >"$work/sbom.json"
  go run ./ci/sbom -licences <"$work/modules" | awk '{ print $3 }' | sort | uniq -c | awk '{ print "licences:", $2, $1 }'
  if [ -n "${SBOM:-}" ]; then cp "$work/sbom.json" "$SBOM"; fi
}

reproducible() {
  local folder sums commit
  commit=$(git rev-parse HEAD)
  for folder in one another/and/deeper; do
    mkdir -p "$work/$folder"
    # What is committed, and nothing else: a build must not depend on what lies about.
    git archive "$commit" go.mod go.sum cmd $(git ls-tree -d --name-only "$commit" | grep -vxE 'ci|cmd|docs|examples|contrib|spec') |
      tar -x -C "$work/$folder"
    (cd "$work/$folder" && GOWORK=off CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$work/$folder/towpath.bin" ./cmd/towpath)
  done
  sums=$(sha256sum "$work/one/towpath.bin" "$work/another/and/deeper/towpath.bin" | awk '{ print $1 }' | sort -u)
  [ "$(wc -l <<<"$sums")" -eq 1 ] || {
    echo "reproducible: two builds differ: $sums"
    return 1
  }
  if grep -aq "$work" "$work/one/towpath.bin"; then
    echo "reproducible: the folder of the build is in the binary"
    return 1
  fi
  echo "reproducible: sha256 $sums"
}

[ $# -gt 0 ] || set -- gosec govulncheck licences reproducible
for step; do
  case $step in
  gosec | govulncheck | licences | reproducible)
    began=$SECONDS
    "$step"
    echo "== $step: passed in $((SECONDS - began))s"
    ;;
  *)
    echo "ci/security.sh: no step is called \"$step\""
    exit 2
    ;;
  esac
done
