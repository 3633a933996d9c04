package dynamocheckpoint

import (
	"errors"
	"fmt"
	"strings"

	"github.com/towpath/towpath/shard"
)

// unbelieved stands in the checkpoint of a row that cannot be believed. It is
// no position: Validate refuses it, so that nobody who forgets to look at Fault
// reads the row from its beginning.
const unbelieved = "?"

// errNotLease is the fault of a row that KCL keeps in the lease table for other
// purposes.
var errNotLease = errors.New("the row is not a lease")

// leaseOf reads a row of the lease table. A row that cannot be believed comes
// with its Fault, its key and, if they can be read, its owners.
func leaseOf(row item) shard.Lease {
	r := &reading{row: row}
	var l shard.Lease
	if l.Key = r.text("leaseKey"); l.Key == "" {
		r.wrong("leaseKey", "is missing")
	}
	l.Shard = l.Key // of many streams, too: see shard.StreamKey
	prefix, _ := splitKey(l.Key)
	l.Owner = r.text("leaseOwner")
	l.CheckpointOwner = r.text("checkpointOwner")
	l.Counter = r.mustCount("leaseCounter")
	l.Checkpoint = r.checkpoint()
	l.Marks = r.marks("marks")
	l.Load = r.load("throughputKBps")
	l.OwnerSwitches = r.count("ownerSwitchesSinceCheckpoint")
	l.Parents = qualified(prefix, r.words("parentShardId"))
	l.Children = qualified(prefix, r.words("childShardIds"))
	l.Hashes = shard.HashRange{Start: r.hash("startingHashKey"), End: r.hash("endingHashKey")}
	l.SeekGen = r.count("seekGen")
	l.StreamCreated = r.instant("streamEpoch")
	l.LastArrival = r.instant("lastArrivalMs")
	l.ReadUpTo = r.instant("readUpToMs")
	l.CreatedFrom = r.text("createdFrom")
	l.Lost = r.truth("lost")
	if _, there := row["suspect"]; there {
		l.Suspect = r.position("suspect", "suspectSub")
		l.SuspectCrashes = int(r.count("suspectCrashes"))
		l.SuspectHandler = r.text("suspectHandler")
	}
	if _, there := row["entityType"]; there {
		if what := r.text("entityType"); what != "" && what != "LEASE" {
			r.fault = errNotLease // whatever else a lease would need
		}
	} else if isKept(row, l.Key) {
		r.fault = errNotLease
	}
	if r.fault != nil {
		return shard.Lease{
			Key: l.Key, Shard: l.Shard, Owner: l.Owner, CheckpointOwner: l.CheckpointOwner,
			Checkpoint: shard.Position{Sequence: unbelieved},
			Fault:      fmt.Errorf("row %q: %w", shorten(l.Key), r.fault),
		}
	}
	return l
}

// isKept recognises the rows of KCL 3's own that carry no entityType, as those of
// the tables that it had before 3.5 did not.
func isKept(row item, key string) bool {
	_, counted := row["leaseCounter"]
	_, placed := row["checkpoint"]
	return !counted && !placed && (key == leaderKey || key == migrationKey || key == tableMigrationKey)
}

// checkpoint is the row's position, with the time it is pinned to. KCL does not
// write the time of AT_TIMESTAMP into the row, nor does it pin LATEST: At is
// zero then, and the engine takes the time that it is configured with.
func (r *reading) checkpoint() shard.Position {
	if _, there := r.row["checkpoint"]; !there {
		r.wrong("checkpoint", "is missing")
	}
	p := r.position("checkpoint", "checkpointSubSequenceNumber")
	if p.IsLatest() || p.IsAtTime() {
		p.At = r.instant("startAtMs")
	}
	return p
}

func (r *reading) position(sequence, sub string) shard.Position {
	p := shard.Position{Sequence: r.text(sequence), Sub: r.count(sub)}
	if p.IsAtTime() {
		return p // Validate wants a time, which the row need not have
	}
	if err := p.Validate(); err != nil {
		r.wrong(sequence, "is no position: %v", err)
	}
	return p
}

// hash is an end of a hash range: up to 39 decimal digits, as 2¹²⁸−1 has.
func (r *reading) hash(name string) string {
	s := r.text(name)
	if len(s) > 39 || strings.Trim(s, "0123456789") != "" {
		r.wrong(name, "is no decimal number of 128 bits")
	}
	return s
}

// splitKey takes a key of a table of many streams apart: what stands before the
// shard id, with the colon, and the shard id. The prefix is empty for every
// other key.
func splitKey(key string) (prefix, id string) {
	stream, id, many := shard.SplitID(key)
	if !many {
		return "", key
	}
	return stream.String() + ":", id
}

// qualified is ids of shards as the engine knows them: in a table of many streams
// with what stands before them in keys. KCL writes the ids of parents and children
// without, and so do we; one that was written with it stays as it is.
func qualified(prefix string, ids []string) []string {
	for i := range ids {
		if _, _, whole := shard.SplitID(ids[i]); !whole {
			ids[i] = prefix + ids[i]
		}
	}
	return ids
}

// plain is ids of shards as they stand in a row.
func plain(ids []string) []string {
	written := make([]string, len(ids))
	for i, id := range ids {
		written[i] = shard.PlainID(id)
	}
	return written
}

// shorten keeps a damaged key from filling a log line.
func shorten(s string) string {
	if len(s) <= 200 {
		return s
	}
	return strings.ToValidUTF8(s[:200], "") + "…"
}

// rowOf is a new row for a lease, as KCL writes it, with our attributes beside.
func rowOf(l shard.Lease) item {
	row := item{
		"leaseKey":                     text(l.Key),
		"leaseCounter":                 number(l.Counter),
		"checkpoint":                   text(sequenceOf(l.Checkpoint)),
		"checkpointSubSequenceNumber":  number(l.Checkpoint.Sub),
		"ownerSwitchesSinceCheckpoint": number(l.OwnerSwitches),
	}
	if prefix, id := splitKey(l.Key); prefix != "" {
		row["streamName"], row["shardId"] = text(strings.TrimSuffix(prefix, ":")), text(id)
	}
	for name, s := range map[string]string{
		"leaseOwner": l.Owner, "checkpointOwner": l.CheckpointOwner, "createdFrom": l.CreatedFrom,
		"startingHashKey": l.Hashes.Start, "endingHashKey": l.Hashes.End,
	} {
		if s != "" {
			row[name] = text(s)
		}
	}
	for name, words := range map[string][]string{"parentShardId": l.Parents, "childShardIds": l.Children} {
		if len(words) > 0 {
			row[name] = set(plain(words))
		}
	}
	if l.Load > 0 {
		row["throughputKBps"] = rate(l.Load)
	}
	if l.SeekGen > 0 {
		row["seekGen"] = number(l.SeekGen)
	}
	for name, at := range map[string]int64{
		"streamEpoch": millis(l.StreamCreated), "lastArrivalMs": millis(l.LastArrival),
		"readUpToMs": millis(l.ReadUpTo), "startAtMs": startAt(l.Checkpoint),
	} {
		if at > 0 {
			row[name] = number(at)
		}
	}
	if marks := marksOf(l.Marks); marks != nil {
		row["marks"] = marks
	}
	if l.Lost {
		row["lost"] = truth(true)
	}
	if l.Suspect != (shard.Position{}) {
		row["suspect"], row["suspectSub"] = text(sequenceOf(l.Suspect)), number(l.Suspect.Sub)
		row["suspectCrashes"] = number(int64(l.SuspectCrashes))
		if l.SuspectHandler != "" {
			row["suspectHandler"] = text(l.SuspectHandler)
		}
	}
	return row
}
