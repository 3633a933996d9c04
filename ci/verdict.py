#!/usr/bin/env python3
"""Judges one run of the clickstream example by the JSON object it printed.

usage: verdict.py NAME SESSIONS < OUTPUT

Passes (status 0) if the run found exactly SESSIONS sessions, lost nothing, broke no order and took
at most 60 seconds. Prints one line either way; NAME says which run it was.
"""

import json
import sys

MOST_SECONDS = 60


def faults(run, sessions):
    for field, want in (("sessions", sessions), ("lost", 0), ("order_violations", 0)):
        if run.get(field) != want:
            yield f"{field} is {run.get(field)}, want {want}"
    seconds = run.get("seconds")
    if not isinstance(seconds, (int, float)) or seconds > MOST_SECONDS:
        yield f"seconds is {seconds}, want at most {MOST_SECONDS}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    name, sessions = sys.argv[1], int(sys.argv[2])
    output = sys.stdin.read()
    try:
        run = json.loads(output)
    except ValueError as error:
        sys.exit(f"{name}: the output is not one JSON object ({error}): {output[-500:]!r}")
    wrong = list(faults(run, sessions))
    if wrong:
        sys.exit(f"{name}: {'; '.join(wrong)}")
    print(f"{name}: {run['sessions']} sessions, 0 lost, 0 out of order, {run['seconds']} s")
