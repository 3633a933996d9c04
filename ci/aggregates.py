#!/usr/bin/env python3
"""Aggregated records of the Kinesis Producer Library, by AWS's own library for Python.

It is what package shard/kpl is held against; ci/servers.sh installs the library and the server test
of that package runs this.

usage: aggregates.py write | read
  write   from standard input [[{"key", "hash", "data"}, ...], ...], data in base64 and hash "" for
          none: the list of records, in base64, that aggregate each of the lists
  read    the other way round. Where some user records of an aggregate have an explicit hash key and
          some have none, the library gives those the first one there is.
"""
import base64
import json
import sys

import google.protobuf.message  # the library uses it without importing it
from aws_kinesis_agg import aggregator, deaggregator


def write(users):
    record = aggregator.AggRecord()
    for u in users:
        if not record.add_user_record(u["key"], base64.b64decode(u["data"]), u["hash"] or None):
            sys.exit("the user records do not fit into one record")
    return base64.b64encode(record.get_contents()[2]).decode()


def read(data):
    event = {
        "kinesis": {
            "data": data,
            "partitionKey": "of the whole",
            "sequenceNumber": "1",
            "approximateArrivalTimestamp": 0,
            "kinesisSchemaVersion": "1.0",
        }
    }
    return [
        {
            "key": r["kinesis"]["partitionKey"],
            "hash": r["kinesis"].get("explicitHashKey") or "",
            "data": base64.b64encode(base64.b64decode(r["kinesis"]["data"])).decode(),
        }
        for r in deaggregator.iter_deaggregate_records([event])
    ]


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ("write", "read"):
        sys.exit(__doc__)
    one = {"write": write, "read": read}[sys.argv[1]]
    json.dump([one(x) for x in json.load(sys.stdin)], sys.stdout)


main()
