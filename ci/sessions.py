#!/usr/bin/env python3
"""Counts the sessions in a CSV file of events: the second opinion on the clickstream example.

usage: sessions.py FILE KEY[,KEY...] TIME

KEY and TIME are names of columns. Rows whose KEY columns are all equal belong to one visitor. Read
in time order, a visitor's event that comes more than 30 minutes after the one before it starts a
new session. It shares no code with the example, on purpose, and keeps every row in memory.
"""

import collections
import csv
import datetime
import sys

GAP = datetime.timedelta(minutes=30)


def count(path, keys, time):
    visitors = collections.defaultdict(list)
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            visitor = tuple(row[key] for key in keys)
            visitors[visitor].append(datetime.datetime.fromisoformat(row[time]))
    sessions = 0
    for times in visitors.values():
        times.sort()
        sessions += 1 + sum(after - before > GAP for before, after in zip(times, times[1:]))
    return sessions


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    print(count(sys.argv[1], sys.argv[2].split(","), sys.argv[3]))
