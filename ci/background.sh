# shellcheck shell=bash
# Sourced by servers.sh and localstack.sh: programs that run in the background, each
# known by a name, with RUN/NAME.pid and RUN/NAME.log. The caller sets RUN.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# need TOOL... ends the script with one sentence that names every missing tool.
need() {
  local tool missing=()
  for tool in "$@"; do command -v "$tool" >/dev/null 2>&1 || missing+=("$tool"); done
  [ ${#missing[@]} -eq 0 ] && return
  say "not found in PATH: ${missing[*]}. Install it (Debian: nodejs npm, maven, default-jdk, python3 python3-venv, curl, procps) and run this again."
  exit 1
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# need_free NAME PORT VARIABLE refuses a port that something else holds.
need_free() {
  listens "$2" || return 0
  say "port $2, wanted for $1, is taken by another program; free it or choose one with $3=PORT"
  exit 1
}

# running NAME MARK: is the process of NAME.pid alive, and is MARK in its command line?
# The mark keeps us from mistaking a stranger that was given an old pid.
running() {
  [ -f "$RUN/$1.pid" ] && ps -ww -o args= -p "$(cat "$RUN/$1.pid")" 2>/dev/null | grep -qF -- "$2"
}

# healthy NAME PID URL waits up to two minutes (a loaded machine is slow to start
# Java) for a 2xx from URL, and ends early when the process does.
healthy() {
  local name=$1 pid=$2 url=$3 until=$((SECONDS + 120))
  while [ $SECONDS -lt $until ]; do
    if ! kill -0 "$pid" 2>/dev/null; then
      say "$name ended while it started; the end of $RUN/$name.log:"
      tail -n 20 "$RUN/$name.log" >&2
      return 1
    fi
    curl -fs -m 2 -o /dev/null "$url" && return
    sleep 0.1
  done
  say "$name did not answer $url within two minutes; the end of $RUN/$name.log:"
  tail -n 20 "$RUN/$name.log" >&2
  return 1
}

# stop NAME MARK ends the process politely, after ten seconds by force.
stop() {
  local pid
  if running "$1" "$2"; then
    pid=$(cat "$RUN/$1.pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do running "$1" "$2" || break; sleep 0.1; done
    if running "$1" "$2"; then kill -9 "$pid" 2>/dev/null || true; fi
  fi
  rm -f "$RUN/$1.pid"
}
