package takeover

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// row is a row of words; a name that begins with # is a number's.
func row(words ...string) Row {
	r := Row{}
	for i := 0; i < len(words); i += 2 {
		if name, number := strings.CutPrefix(words[i], "#"); number {
			r[name] = &types.AttributeValueMemberN{Value: words[i+1]}
		} else {
			r[words[i]] = &types.AttributeValueMemberS{Value: words[i+1]}
		}
	}
	return r
}

func lease(key, checkpoint string, more ...string) Row {
	return row(append([]string{"leaseKey", key, "#leaseCounter", "5", "checkpoint", checkpoint}, more...)...)
}

func kcl(rows ...Row) Facts {
	return Facts{Table: "app", Application: "app", Keys: []string{"leaseKey"}, First: rows, Second: rows, Now: time.Unix(1_800_000_000, 0)}
}

func TestVersionsOfKCLAreTold(t *testing.T) {
	withIndex, withNeighbours := kcl(lease("s", "1")), kcl(lease("s", "1"))
	withIndex.Indexes = []string{"LeaseOwnerToLeaseKeyIndex"}
	withNeighbours.After = []checkpoint.Neighbour{{Kind: checkpoint.NeighbourWorker, Row: "row w of table app-WorkerMetricStats"}}
	for name, c := range map[string]struct {
		facts   Facts
		library Library
		version string
	}{
		"1.x":               {kcl(lease("s", "1")), KCL, "1.x, or an early 2.x"},
		"2.x":               {kcl(lease("s", "1", "startingHashKey", "0")), KCL, "1.14 or later, or 2.x"},
		"3.x by load":       {kcl(lease("s", "1", "#throughputKBps", "3")), KCL, "3.x"},
		"3.x by index":      {withIndex, KCL, "3.x"},
		"3.x by its tables": {withNeighbours, KCL, "3.x"},
		"3.5":               {kcl(lease("s", "1", "entityType", "LEASE")), KCL, "3.5 or later"},
		"ours":              {kcl(lease("s", "1", "createdFrom", "initial", "entityType", "LEASE")), Towpath, ""},
		"no rows":           {kcl(), KCL, ""},
		"vmware":            {Facts{Keys: []string{"ShardID"}}, VMware, "1 or 2"},
		// Version 1 has claims since 1.5, as version 2 has.
		"vmware with a claim": {Facts{Keys: []string{"ShardID"}, Second: []Row{row("ShardID", "s", "ClaimRequest", "w")}}, VMware, "1 or 2"},
		"harlow":              {Facts{Keys: []string{"namespace", "shard_id"}}, Harlow, ""},
		"else":                {Facts{Keys: []string{"id"}}, Unknown, ""},
	} {
		if r := Read(c.facts); r.Library != c.library || r.Version != c.version || r.Why == "" {
			t.Errorf("%s: it is %s %q, as %s", name, r.Library, r.Version, r.Why)
		}
	}
}

// Where each position goes on is what docs/kcl.md says.
func TestFatesAreToldAsTheyAre(t *testing.T) {
	f := kcl(lease("a", "4960"), lease("b", "4960", "#checkpointSubSequenceNumber", "17"), lease("c", "TRIM_HORIZON"), lease("d", "LATEST"),
		lease("e", "AT_TIMESTAMP"), lease("f", "SHARD_END"), lease("g", "4960"), lease("h", "LATEST", "#startAtMs", "1700000000000"), lease("i", "nonsense"),
		lease("j", "4960", "pendingCheckpoint", "4961", "#pendingCheckpointSubSequenceNumber", "2"), lease("k", "1", "leaseOwner", "new", "checkpointOwner", "old"))
	f.Listed = true
	for _, id := range strings.Split("abcdefhijk", "") {
		f.Shards = append(f.Shards, shard.Shard{ID: id})
	}
	r := Read(f)
	want := []string{"behind this record", "behind its user record 17", "oldest record", "tip of when", "StartingPosition", "done",
		"told as a loss", "2023-11-14T22:13:20Z", "left alone", "prepared checkpoint is dropped", "being handed over to new"}
	for i, s := range r.Shards {
		if !strings.Contains(s.Fate, want[i]) {
			t.Errorf("%s at %s: %q, want it to say %q", s.ID, s.Position, s.Fate, want[i])
		}
	}
	if r.Leases != 11 || r.Finished != 1 || r.Shards[9].Pending != "4961/2" || r.Shards[10].Owner != "old" || r.Shards[1].Position != "4960/17" {
		t.Errorf("got %+v", r)
	}
	if len(r.Against) != 1 || !strings.Contains(r.Against[0].What, "i (attribute checkpoint is no position") {
		t.Errorf("against it stands %+v", r.Against)
	}
}

// spoil are all obstacles, each alone.
func TestEveryObstacleIsTold(t *testing.T) {
	moving := kcl(lease("s", "1", "leaseOwner", "w"))
	moving.First = []Row{row("leaseKey", "s", "#leaseCounter", "4", "checkpoint", "1", "leaseOwner", "w")}
	moving3 := kcl(lease("s", "1", "leaseOwner", "w", "entityType", "LEASE"))
	moving3.First = moving.First
	leader := kcl(lease("s", "1"))
	leader.Before = []checkpoint.Neighbour{{Row: "r", Kind: checkpoint.NeighbourLeader, Worker: "w", Sign: "1"}}
	leader.After = []checkpoint.Neighbour{{Row: "r", Kind: checkpoint.NeighbourLeader, Worker: "w", Sign: "2"}}
	misfit := kcl(lease("s", "1"))
	misfit.Misfit = errors.New("table app is replicated over Regions")
	back := kcl(lease("s", "2", "leaseOwner", "ip-10-0-0-1:5c2e", "createdFrom", "initial"))
	back.First = []Row{row("leaseKey", "s", "#leaseCounter", "4", "checkpoint", "1", "leaseOwner", "ip-10-0-0-1:5c2e")}
	const many = "123456789012:clicks:1700000000:"
	mixed := kcl(lease("s", "1"), lease(many+"s", "1"))
	wrong := kcl(lease(many+"s", "1"))
	wrong.Listed, wrong.Stream.ARN = true, "arn:aws:kinesis:us-east-1:1:stream/clicks"
	vmware := Facts{Table: "app", Application: "app", Keys: []string{"ShardID"}, First: []Row{row("ShardID", "s", "AssignedTo", "w", "LeaseTimeout", "2026-01-01T00:00:00Z")},
		Second: []Row{row("ShardID", "s", "AssignedTo", "w", "LeaseTimeout", "2026-01-01T00:00:05Z")}}
	harlow := Facts{Table: "store", Application: "app", Stream: shard.Stream{Name: "clicks"}, Keys: []string{"namespace", "shard_id"},
		First:  []Row{row("namespace", "app-clicks", "shard_id", "s", "sequence_number", "1")},
		Second: []Row{row("namespace", "app-clicks", "shard_id", "s", "sequence_number", "2")}}
	bad := Facts{Keys: []string{"ShardID"}, Second: []Row{row("ShardID", "s", "Checkpoint", "later")}}
	for name, c := range map[string]struct {
		facts    Facts
		what, do string
	}{
		"KCL 2 lives":      {moving, "a fleet of KCL is at work: w", "BesideKCL2"},
		"KCL 3 lives":      {moving3, "a fleet of KCL 3 is at work: w", "refuses to start"},
		"KCL lives again":  {back, "not towpath's, as after a way back to KCL: ip-10-0-0-1:5c2e", "stop them"},
		"its leader lives": {leader, "a fleet of KCL 3 is at work: w", "stop it"},
		"misfit":           {misfit, "replicated over Regions", "fork"},
		"many and single":  {mixed, "1 rows are of many streams and 1 of a single one", "delete"},
		"of many":          {wrong, "of many streams, and a single one is named", "docs/streams.md"},
		"vmware lives":     {vmware, "at work: w (its lease of s moved)", "stop it first"},
		"harlow lives":     {harlow, "the position of s moved", "stop it first"},
		"harlow's groups": {Facts{Application: "x", Keys: []string{"namespace", "shard_id"}, Second: []Row{row("namespace", "x#clicks", "shard_id", "LEASE#s", "lease_owner", "w")}},
			"lease table of a consumer group", "group's store"},
		"harlow of others":  {Facts{Application: "x", Keys: []string{"namespace", "shard_id"}, Second: harlow.Second}, "no rows of namespace x-", "-application"},
		"vmware's nonsense": {bad, "s (its position is neither", "repair"},
		"something else":    {Facts{Keys: []string{"id"}}, "none of the libraries", "-table"},
	} {
		r := Read(c.facts)
		if !slices.ContainsFunc(r.Against, func(o Obstacle) bool {
			return strings.Contains(o.What, c.what) && strings.Contains(o.Do, c.do)
		}) {
			t.Errorf("%s: against it stands %+v", name, r.Against)
		}
	}
	own := kcl(lease("s", "2", "leaseOwner", "w1/0123456789abcdef", "createdFrom", "initial"))
	own.First = []Row{row("leaseKey", "s", "#leaseCounter", "4", "checkpoint", "1", "leaseOwner", "w1/0123456789abcdef")}
	if r := Read(own); len(r.Against) != 0 || !r.Workers[0].AtWork {
		t.Errorf("a fleet of one's own: %+v", r)
	}
	if r := Read(kcl(lease("s", "1", "leaseOwner", "w"))); len(r.Against) != 0 || r.Workers[0].AtWork {
		t.Errorf("a fleet that stands still: %+v", r)
	}
}

// The next commands name what they are about, whatever the table is called.
func TestNextCommandsAreWhole(t *testing.T) {
	own := kcl(lease("s", "AT_TIMESTAMP"))
	own.Table, own.Stream = "leases", shard.Stream{Name: "clicks", ARN: "arn:aws:kinesis:us-east-1:1:stream/clicks"}
	harlow := Facts{Table: "store", Application: "app", Stream: own.Stream, Keys: []string{"namespace", "shard_id"},
		Second: []Row{row("namespace", "app-clicks", "shard_id", "s", "sequence_number", "2")}}
	for want, f := range map[string]Facts{
		"towpath fork -application app-trial -from app -from-table leases -stream clicks -at TIME":                  own,
		"towpath iam -mode polling,leases,beside-kcl -stream " + own.Stream.ARN + " -application app -table leases": own,
		"towpath doctor -application app -table leases -stream clicks":                                              own,
		"towpath fork -application app-towpath -from app -from-kind vmware -stream STREAM":                          {Table: "app", Application: "app", Keys: []string{"ShardID"}},
		"towpath fork -application app -from app -from-table store -from-kind harlow -stream clicks":                harlow,
	} {
		r := Read(f)
		if !slices.ContainsFunc(r.Next, func(s Step) bool { return s.Command == want }) {
			t.Errorf("no step is %q: %+v", want, r.Next)
		}
	}
}

// Nobody is told to copy or to begin without being told to stop first, whatever
// moved: a store that is written once a minute stands still in most looks.
func TestStopComesBeforeAnythingIsCopiedOrBegun(t *testing.T) {
	harlow := Facts{Table: "store", Application: "app", Stream: shard.Stream{Name: "clicks"}, Keys: []string{"namespace", "shard_id"}, Apart: 10 * time.Second,
		Second: []Row{row("namespace", "app-clicks", "shard_id", "s", "sequence_number", "2")}}
	vmware := Facts{Table: "app", Application: "app", Keys: []string{"ShardID"}, Second: []Row{row("ShardID", "s")}}
	for name, f := range map[string]Facts{"harlow": harlow, "vmware": vmware, "KCL": kcl(lease("s", "1", "leaseOwner", "w"))} {
		stopped := false
		for _, s := range Read(f).Next {
			stopped = stopped || strings.Contains(s.Do, "processes of the old fleet are gone")
			if !stopped && !strings.Contains(s.Do, "To try it beside") {
				t.Errorf("%s: before the old fleet is stopped comes %q", name, s.Do)
			}
		}
		if !stopped {
			t.Errorf("%s: nobody is told to stop the old fleet", name)
		}
	}
	quiet := kcl(lease("s", "1", "leaseOwner", "w"))
	quiet.Apart = 10 * time.Second
	if r := Read(quiet); len(r.Beside) != 1 || !strings.Contains(r.Beside[0], "nothing moved for 10s") {
		t.Errorf("of owners that stand still it says %q", r.Beside)
	}
}

// A row of KCL's at LATEST begins at the tip of when it is taken. What came before
// is lost to those who are not told.
func TestRowsAtLatestAreToldHowToLoseNothing(t *testing.T) {
	f := kcl(lease("a", "LATEST"), lease("c", "LATEST"), lease("d", "4960"), lease("e", "LATEST"))
	f.Stream = shard.Stream{Name: "clicks", ARN: "arn:aws:kinesis:us-east-1:1:stream/clicks"}
	var commands []string
	for _, s := range Read(f).Next {
		if strings.Contains(s.Command, "seek") {
			commands = append(commands, s.Command)
		}
		if strings.Contains(s.Do, "more at LATEST") {
			t.Errorf("there are no more: %q", s.Do)
		}
	}
	want := []string{
		"towpath seek -application app -stream clicks -shard a -to TIME", "towpath seek -application app -stream clicks -shard c -to TIME",
		"towpath seek -application app -stream clicks -shard e -to TIME",
	}
	if !slices.Equal(commands, want) {
		t.Errorf("got %q, want %q", commands, want)
	}
	f.First = append(f.First, lease("g", "LATEST"))
	f.Second = f.First
	if r := Read(f); !slices.ContainsFunc(r.Next, func(s Step) bool { return s.Do == "The same for 1 more at LATEST." }) {
		t.Errorf("the fourth is not told of: %+v", r.Next)
	}
}

// The commands for a table whose changes are read name it as they have to.
func TestNextCommandsReadChangesOfATable(t *testing.T) {
	f := kcl(lease("s", "AT_TIMESTAMP"))
	f.Stream = shard.Stream{Name: "orders", ARN: "arn:aws:dynamodb:us-east-1:1:table/orders/stream/2026-05-04T12:00:00.000"}
	r := Read(f)
	for _, want := range []string{
		"towpath fork -application app-trial -from app -changes-of orders -at TIME",
		"towpath iam -mode changes,leases,beside-kcl -stream " + f.Stream.ARN + " -application app",
		"towpath doctor -application app -changes-of orders",
	} {
		if !slices.ContainsFunc(r.Next, func(s Step) bool { return s.Command == want }) {
			t.Errorf("no step is %q: %+v", want, r.Next)
		}
	}
	if !slices.ContainsFunc(r.Next, func(s Step) bool { return strings.Contains(s.Do, "StartingPosition shard.AtTime") }) {
		t.Errorf("nobody is told to give the time of AT_TIMESTAMP: %+v", r.Next)
	}
}

// Rows of many streams are held against the listing of their own stream alone.
func TestRowsOfOtherStreamsAreNotCalledLost(t *testing.T) {
	const mine, other = "123456789012:clicks:1700000000:", "123456789012:orders:1700000000:"
	f := kcl(lease(mine+"s1", "1"), lease(mine+"gone", "1"), lease(other+"s9", "1"))
	f.Listed, f.Stream = true, shard.Stream{ARN: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks", Name: "clicks"}
	f.Shards = []shard.Shard{{ID: "s1"}}
	want := map[string]string{mine + "s1": "goes on", mine + "gone": "told as a loss", other + "s9": "goes on"}
	for _, s := range Read(f).Shards {
		if !strings.Contains(s.Fate, want[s.Key]) {
			t.Errorf("%s %s", s.Key, s.Fate)
		}
	}
}
