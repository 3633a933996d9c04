package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
)

func checkTables(f Facts, out *findings) {
	for _, t := range f.Tables {
		name := fmt.Sprintf("%s %s", t.Role, t.Name)
		optional := t.Role == dynamocheckpoint.RoleStates || t.Role == dynamocheckpoint.RoleParked
		switch {
		case !t.There && optional:
			continue // only what keeps states or parks keys needs it
		case !t.There:
			level, do := Failure, "create it ("+t.Made+"), or let the first worker do it with Options.CreateTables; name another with -table or -sessions"
			if t.Role == dynamocheckpoint.RoleSessions {
				level = Warning // before the first start, or with KCL alone
			}
			out.add(level, do, "%s is not there", name)
			continue
		case t.Misfit != nil:
			out.fail("name another, or make one: "+t.Made, "%v", t.Misfit)
			continue
		case t.Status != "ACTIVE" && t.Status != "UPDATING":
			out.fail("wait until it is ACTIVE", "%s is %s", name, t.Status)
			continue
		}
		said := len(out.all)
		dangers(f, t, name, out)
		if len(out.all) == said {
			out.ok("%s is %s, %s", name, t.Status, billing(t))
		}
		comforts(t, name, out)
	}
}

// dangers are properties of a table that break a fleet.
func dangers(f Facts, t Table, name string, out *findings) {
	if t.Asked && t.Expires != "" {
		out.fail("turn TTL off: towpath deletes what is over by itself", "%s deletes rows by the time in their attribute %s: a row that goes under its owner is made anew, and a finished one is read again", name, t.Expires)
	}
	if t.Role == dynamocheckpoint.RoleLeases {
		switch t.Index {
		case "ACTIVE":
		case "":
			out.note("%s has no index by owner, as KCL 2 makes none: each worker scans it every five seconds instead", name)
		default:
			out.note("%s: its index by owner is %s; until it is ACTIVE workers scan the table instead", name, t.Index)
		}
	}
	if t.Provisioned && t.Role == dynamocheckpoint.RoleSessions {
		if need := int64(len(f.Second.Sessions)); need > 0 && (t.WriteUnits < need || t.ReadUnits < 6*need) {
			out.warn("bill it by request, or provision more", "%s is provisioned with %d write and %d read units: %s alone ask for %d and %d a second", name, t.WriteUnits, t.ReadUnits, counted(int(need), "worker"), need, 6*need)
		}
	}
	if t.Infrequent {
		out.note("%s is of the class for infrequent access: its requests cost more, and it has many", name)
	}
}

// comforts are what makes a mistake less bad.
func comforts(t Table, name string, out *findings) {
	var lacks []string
	if t.Asked && !t.Recovers && t.Role != dynamocheckpoint.RoleSessions {
		lacks = append(lacks, "point-in-time recovery")
	}
	if !t.Protected {
		lacks = append(lacks, "protection against deletion")
	}
	if len(lacks) > 0 {
		out.note("%s has no %s", name, strings.Join(lacks, " and no "))
	}
}

func billing(t Table) string {
	if t.Provisioned {
		return fmt.Sprintf("provisioned with %d write and %d read units", t.WriteUnits, t.ReadUnits)
	}
	return "billed by request"
}

// checkClaim holds the stream that the tables belong to against the one that is
// read.
func checkClaim(f Facts, out *findings) {
	sessions, _ := f.table(dynamocheckpoint.RoleSessions)
	recreated := 0
	for _, row := range f.Second.Rows {
		if !row.StreamCreated.IsZero() && !f.Stream.CreatedAt.IsZero() && row.StreamCreated.Unix() != f.Stream.CreatedAt.Unix() {
			recreated++
		}
	}
	const anew = "begin anew with towpath reset, or under another name"
	switch {
	case f.Claimed.ARN == shard.ManyStreams && recreated == 0:
		out.note("the tables are of an application that reads many streams: looked at is what they have of this one, and %s of others", are(f.Others, "row"))
	case f.Claimed.ARN == shard.ManyStreams:
		out.fail(anew, "%s of an earlier stream of this name", counted(recreated, "row"))
	case f.Claimed.ARN != "" && f.Claimed.ARN != f.Stream.ARN:
		out.fail("name the stream that belongs to it, or another application", "the tables belong to %s, and this is %s: workers refuse to start", f.Claimed.ARN, f.Stream.ARN)
	case !f.Claimed.CreatedAt.IsZero() && !f.Stream.CreatedAt.IsZero() && f.Claimed.CreatedAt.Unix() != f.Stream.CreatedAt.Unix():
		out.fail(anew, "the stream was deleted and created again: the positions mean nothing in it, and workers refuse to start")
	case recreated > 0:
		out.fail(anew, "%s of an earlier stream of this name", counted(recreated, "row"))
	case f.Claimed.ARN != "":
		out.ok("the tables belong to this stream")
	case sessions.There && sessions.Misfit == nil && f.Apart > 0 && !f.ClaimUnread:
		out.note("the tables belong to no stream yet: the first worker claims them")
	}
}

func checkRows(f Facts, out *findings) {
	if len(f.Second.Rows) == 0 {
		if leases, _ := f.table(dynamocheckpoint.RoleLeases); leases.There && f.Apart > 0 {
			out.note("the lease table has no rows: the first worker makes them")
		}
		return
	}
	finished, free := 0, 0
	var bad []string // the first with its fault
	for _, row := range f.Second.Rows {
		switch {
		case row.Fault != nil:
			if len(bad) == 0 {
				bad = append(bad, row.Fault.Error())
			} else {
				bad = append(bad, row.Key)
			}
		case row.Finished():
			finished++
		case row.Owner == "":
			free++
		}
	}
	if len(bad) > 0 {
		out.fail("repair or delete the row by hand; its shard is left alone until then, and its children wait", "%s cannot be believed: %s", counted(len(bad), "row"), some(bad))
	} else {
		out.ok("%s: %d finished, %d free", counted(len(f.Second.Rows), "row"), finished, free)
	}
	if len(f.Attributes) > 0 {
		out.note("rows have attributes that are neither towpath's nor KCL's, which stay as they are: %s", some(slices.Sorted(maps.Keys(f.Attributes))))
	}
}
