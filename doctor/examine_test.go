package doctor

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// well is an application of which there is nothing to say.
func well() Facts {
	low := shard.HashRange{Start: "0", End: "170141183460469231731687303715884105727"}
	high := shard.HashRange{Start: "170141183460469231731687303715884105728", End: "340282366920938463463374607431768211455"}
	look := func(beat int64) Look {
		row := func(id, owner string, load float64, h shard.HashRange) shard.Lease {
			return shard.Lease{Key: id, Shard: id, Owner: owner, Counter: 7, Checkpoint: shard.After("100", 0), Load: load, Hashes: h, StreamCreated: noon.Add(-time.Hour)}
		}
		return Look{
			Rows:     []shard.Lease{row("s0", "w1", 10, low), row("s1", "w2", 12, high)},
			Sessions: []shard.Session{{ID: "w1", Beat: beat, Version: 2}, {ID: "w2", Beat: beat + 5, Version: 2}},
		}
	}
	table := func(role dynamocheckpoint.TableRole, name string) Table {
		return Table{Role: role, Name: name, There: true, Status: "ACTIVE", Index: "ACTIVE", Asked: true, Recovers: true, Protected: true}
	}
	stream := shard.Stream{ARN: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks", Name: "clicks", CreatedAt: noon.Add(-time.Hour), Retention: 24 * time.Hour, Now: noon}
	return Facts{
		Application: "app", Stream: stream, HostNow: noon.Add(800 * time.Millisecond),
		Kinesis: &KinesisStream{Status: "ACTIVE", Mode: "PROVISIONED", Listed: true},
		Shards:  []shard.Shard{{ID: "s0", Hashes: low}, {ID: "s1", Hashes: high}},
		Tables:  []Table{table(dynamocheckpoint.RoleLeases, "app"), table(dynamocheckpoint.RoleSessions, "app-sessions")},
		Claimed: shard.Stream{ARN: stream.ARN, CreatedAt: stream.CreatedAt},
		First:   look(10), Second: look(13), Apart: 3 * time.Second,
		Lags:        []Lag{{Shard: "s0"}, {Shard: "s1", Behind: 20 * time.Second}},
		Permissions: []Permission{{Action: "kinesis:GetRecords", On: "clicks"}},
	}
}

var refused = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}

// each case spoils one thing, and wants it to be found by its check.
var cases = []struct {
	name  string
	spoil func(*Facts)
	check string
	level Level
	found string
}{
	{"stream deleting", func(f *Facts) { f.Kinesis.Status = "DELETING" }, "stream", Failure, "is DELETING"},
	{"stream updating", func(f *Facts) { f.Kinesis.Status = "UPDATING" }, "stream", Note, "UPDATING"},
	{"changes disabled", func(f *Facts) { f.Kinesis, f.Changes = nil, &ChangesOf{} }, "stream", Failure, "disabled"},
	{"changes", func(f *Facts) { f.Kinesis, f.Changes = nil, &ChangesOf{Enabled: true, View: "NEW_IMAGE"} }, "stream", OK, "NEW_IMAGE"},
	{"uneven ranges", func(f *Facts) { f.Shards[0].Hashes.End = "34028236692093846346337460743176821145" }, "stream", Note, "s1 has 50 %"},
	{"own key", func(f *Facts) { f.Kinesis.Key = "arn:aws:kms:us-east-1:000000000000:key/1" }, "encryption", Note, "key/1"},
	{"key of Kinesis", func(f *Facts) { f.Kinesis.Key = "alias/aws/kinesis" }, "encryption", OK, "manages"},
	{"consumer missing", func(f *Facts) { f.FanOut = "app" }, "fan-out", Note, "not registered yet"},
	{"consumer cannot be made", func(f *Facts) { f.FanOut, f.Kinesis.Consumers = "app", slices.Repeat([]Consumer{{Name: "x"}}, 20) }, "fan-out", Failure, "20 of at most 20"},
	{"on demand has room", func(f *Facts) {
		f.FanOut, f.Kinesis.Consumers, f.Kinesis.Mode = "app", slices.Repeat([]Consumer{{Name: "x"}}, 20), "ON_DEMAND"
	}, "fan-out", Warning, "20 of at most 20 (50 with On-demand Advantage) are"},
	{"on demand has none", func(f *Facts) {
		f.FanOut, f.Kinesis.Consumers, f.Kinesis.Mode = "app", slices.Repeat([]Consumer{{Name: "x"}}, 50), "ON_DEMAND"
	}, "fan-out", Failure, "not registered"},
	{"stream not described", func(f *Facts) { f.Kinesis = nil }, "stream", Note, "whose state is not known"},
	{"consumer being made", func(f *Facts) { f.FanOut, f.Kinesis.Consumers = "app", []Consumer{{"app", "CREATING"}} }, "fan-out", Warning, "CREATING"},
	{"consumer paid for", func(f *Facts) { f.Kinesis.Consumers = []Consumer{{"app", "ACTIVE"}} }, "fan-out", Note, "is registered"},
	{"no lease table", func(f *Facts) { f.Tables[0].There = false }, "tables", Failure, "app is not there"},
	{"no sessions", func(f *Facts) { f.Tables[1].There = false }, "tables", Warning, "app-sessions is not there"},
	{"another table", func(f *Facts) { f.Tables[0].Misfit = errors.New("table app is another kind of table") }, "tables", Failure, "another kind"},
	{"table creating", func(f *Facts) { f.Tables[0].Status = "CREATING" }, "tables", Failure, "CREATING"},
	{"rows expire", func(f *Facts) { f.Tables[0].Expires = "ttl" }, "tables", Failure, "attribute ttl"},
	{"no index", func(f *Facts) { f.Tables[0].Index = "" }, "tables", Note, "no index"},
	{"index being made", func(f *Facts) { f.Tables[0].Index = "CREATING" }, "tables", Note, "index by owner is CREATING"},
	{"too little provisioned", func(f *Facts) { f.Tables[1].Provisioned, f.Tables[1].WriteUnits = true, 1 }, "tables", Warning, "2 workers alone ask for 2 and 12"},
	{"infrequent access", func(f *Facts) { f.Tables[0].Infrequent = true }, "tables", Note, "infrequent"},
	{"unprotected", func(f *Facts) { f.Tables[0].Protected, f.Tables[0].Recovers = false, false }, "tables", Note, "no point-in-time recovery and no protection"},
	{"other stream", func(f *Facts) { f.Claimed.ARN += "x" }, "claim", Failure, "belong to"},
	{"stream made anew", func(f *Facts) { f.Stream.CreatedAt = noon }, "claim", Failure, "created again"},
	{"rows of before", func(f *Facts) { f.Second.Rows[0].StreamCreated = noon }, "claim", Failure, "1 row of an earlier stream"},
	{"claimed by nobody", func(f *Facts) { f.Claimed = shard.Stream{} }, "claim", Note, "no stream yet"},
	{"many streams", func(f *Facts) { f.Claimed, f.Others = shard.Stream{ARN: shard.ManyStreams}, 7 }, "claim", Note, "7 rows are of others"},
	{"row not believed", func(f *Facts) { f.Second.Rows[0].Fault = errors.New("attribute checkpoint is odd") }, "rows", Failure, "checkpoint is odd"},
	{"no rows", func(f *Facts) { f.First.Rows, f.Second.Rows = nil, nil }, "rows", Note, "no rows"},
	{"strange attributes", func(f *Facts) { f.Attributes = map[string]int{"team": 2} }, "rows", Note, "team"},
	{"hole", func(f *Facts) { f.Second.Rows = f.Second.Rows[:1] }, "lineage", Failure, "s1"},
	{"shard gone", func(f *Facts) {
		f.Second.Rows = append(f.Second.Rows, shard.Lease{Key: "old", Shard: "old", Checkpoint: shard.After("1", 0)})
	}, "lineage", Failure, "1 shard is gone from the stream before it was read"},
	{"trimmed", func(f *Facts) { f.Second.Rows[0].Lost, f.Second.Rows[0].Checkpoint = true, shard.End() }, "lineage", Warning, "s0"},
	{"half the retention", func(f *Facts) { f.Lags[0].Behind = 13 * time.Hour }, "retention", Warning, "s0 is 13 h behind, 54 % of the 24 h"},
	{"most of the retention", func(f *Facts) { f.Lags[0].Behind = 20 * time.Hour }, "retention", Failure, "soon they are lost"},
	{"little of the retention", func(f *Facts) {}, "retention", OK, "s1 is 20s behind"},
	{"trimmed unread", func(f *Facts) { f.Lags[0].Loss = &shard.Loss{} }, "retention", Failure, "trimmed before they were read, of s0"},
	{"hot shard", func(f *Facts) { f.Arrivals = []Arrival{{"s0", 10, 900}, {"s1", 50, 500 << 10}, {"s2", 9, 800}} }, "distribution", Warning, "a hot shard: s1 has 100 %"},
	{"shard near its limit", func(f *Facts) { f.Second.Rows[0].Load = 900 }, "distribution", Warning, "near what a shard takes"},
	{"many small records", func(f *Facts) { f.Arrivals = []Arrival{{"s0", 900, 9000}, {"s1", 50, 900}} }, "distribution", Warning, "near what a shard takes"},
	{"many small records beside large ones", func(f *Facts) { f.Arrivals = []Arrival{{"s0", 900, 9000}, {"s1", 5, 90000}} }, "distribution", Warning, "s0 gets 900 records a second"},
	{"nothing came", func(f *Facts) { f.Arrivals = []Arrival{{Shard: "s0"}, {Shard: "s1"}} }, "distribution", Note, "nothing came"},
	{"a worker is silent", func(f *Facts) { f.Second.Sessions[0].Beat = f.First.Sessions[0].Beat }, "workers", Warning, "1 worker has not beat for 3s: w1"},
	{"watched too shortly", func(f *Facts) { f.Second.Sessions, f.Apart = f.First.Sessions, time.Millisecond }, "workers", Note, "too short"},
	{"nobody works", func(f *Facts) { f.First.Sessions, f.Second.Sessions = nil, nil }, "workers", Warning, "no worker"},
	{"a worker was revoked", func(f *Facts) { f.Second.Sessions[0].RevokedBy = "w2" }, "workers", Note, "declared dead"},
	{"a worker leaves", func(f *Facts) { f.Second.Sessions[0].Leaving = true }, "workers", Note, "1 worker is stopping: w1"},
	{"too many workers", func(f *Facts) {
		f.Second.Sessions = append(f.Second.Sessions, shard.Session{ID: "w3", Beat: 1, Version: 2})
	}, "workers", Note, "3 workers for 2 shards: 1 have nothing to do"},
	{"owner gone", func(f *Facts) { f.Second.Rows[0].Owner = "w9" }, "owners", Warning, "1 shard is owned by a worker without a session, and did not move for 3s: s0"},
	{"owner revoked", func(f *Facts) {
		for i := range f.Second.Sessions {
			f.Second.Sessions[i].RevokedBy = "w9"
		}
	}, "owners", Note, "2 shards are owned"},
	{"owner silent", func(f *Facts) { f.Second.Sessions = slices.Clone(f.First.Sessions) }, "owners", Warning, "2 shards are owned by a worker that does not beat: s0, s1"},
	{"shard left free", func(f *Facts) { f.First.Rows[0].Owner, f.Second.Rows[0].Owner = "", "" }, "owners", Warning, "nobody works 1 shard"},
	{"shard let go just now", func(f *Facts) { f.Second.Rows[0].Owner = "" }, "owners", OK, "every shard"},
	{"hand-over", func(f *Facts) {
		for _, l := range []*Look{&f.First, &f.Second} {
			l.Rows[0].Owner, l.Rows[0].CheckpointOwner = "w2", "w1"
		}
	}, "owners", Note, "1 shard is being handed over: s0"},
	{"poison", func(f *Facts) {
		f.Second.Rows[0].Suspect, f.Second.Rows[0].SuspectCrashes = shard.After("101", 0), 2
	}, "poison", Warning, "2 times: s0"},
	{"limit 0", func(f *Facts) { f.Second.Control = shard.Control{Gen: 1, Limited: true} }, "told", Warning, "limit is 0"},
	{"limited", func(f *Facts) { f.Second.Control = shard.Control{Gen: 1, Limited: true, Limit: 5} }, "told", Note, "5 calls"},
	{"paused", func(f *Facts) { f.Second.Control = shard.Control{Gen: 1, Pauses: []shard.Pause{{Shard: "s1"}}} }, "told", Warning, "shard s1"},
	{"move", func(f *Facts) { f.Second.Control.Move = shard.Move{ID: "1", What: "all shards to the tip", By: "ada"} }, "told", Warning, "all shards to the tip"},
	{"control row", func(f *Facts) { f.Second.ControlFault = errors.New("gen is missing") }, "told", Failure, "gen is missing"},
	{"KCL at work", func(f *Facts) { f.Second.Rows[0].Owner, f.Second.Rows[0].Counter = "kcl-1", 9 }, "KCL", Warning, "at work on the lease table: kcl-1"},
	{"leader of KCL 3", func(f *Facts) {
		f.First.Neighbours = []checkpoint.Neighbour{{Row: "r", Sign: "a", Worker: "kcl-1"}}
		f.Second.Neighbours = []checkpoint.Neighbour{{Row: "r", Sign: "b", Worker: "kcl-1"}}
	}, "KCL", Warning, "kcl-1"},
	{"KCL was here", func(f *Facts) {
		f.Second.Neighbours = []checkpoint.Neighbour{{Row: "r", Mode: "CLIENT_VERSION_3X"}}
	}, "KCL", Note, "(CLIENT_VERSION_3X)"},
	{"KCL 3 watched too shortly", func(f *Facts) {
		f.Second.Neighbours = []checkpoint.Neighbour{{Row: "r", Sign: "a", Worker: "kcl-1", Every: 30 * time.Second}}
		f.First.Neighbours = f.Second.Neighbours
	}, "KCL", Note, "KCL 3 was here, and nothing of it moved for 3s"},
	{"KCL 3 watched", func(f *Facts) {
		f.Second.Neighbours = []checkpoint.Neighbour{{Row: "r", Sign: "a", Worker: "kcl-1", Every: 30 * time.Second}}
		f.First.Neighbours, f.Apart = f.Second.Neighbours, 31*time.Second
	}, "KCL", Note, "is not at work now"},
	{"KCL stands still", func(f *Facts) { f.First.Sessions, f.Second.Sessions = nil, nil }, "KCL", Note, "held by workers without a session, and nothing of them moved for 3s: w1, w2"},
	{"refused", func(f *Facts) { f.Permissions[0].Err = refused }, "permissions", Failure, "kinesis:GetRecords on clicks is not allowed"},
	{"key refused", func(f *Facts) {
		f.Permissions[0].Err = &smithy.GenericAPIError{Code: "KMSAccessDeniedException", Message: "not authorized to use the key"}
	}, "permissions", Failure, "the key of the stream is refused"},
	{"key disabled", func(f *Facts) {
		f.Permissions[0].Err = &smithy.GenericAPIError{Code: "KMSDisabledException", Message: "disabled"}
	}, "permissions", Failure, "the key of the stream cannot be used (KMSDisabledException, disabled)"},
	{"key throttled", func(f *Facts) { f.Permissions[0].Err = &smithy.GenericAPIError{Code: "KMSThrottlingException"} }, "permissions", Note, "could not be tried: KMSThrottlingException"},
	{"stream called kms", func(f *Facts) {
		f.Permissions[0].Err = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized to perform kinesis:GetRecords on stream/kms-audit"}
	}, "permissions", Failure, "is not allowed"},
	{"throttled", func(f *Facts) { f.Permissions[0].Err = &smithy.GenericAPIError{Code: "ThrottlingException"} }, "permissions", Note, "could not be tried: ThrottlingException"},
	{"writes", func(f *Facts) { f.Unwritten = 7 }, "permissions", Note, "-probe-writes"},
	{"unprobed", func(f *Facts) { f.Unprobed = []string{"dynamodb:CreateTable"} }, "permissions", Note, "CreateTable"},
	{"clock", func(f *Facts) { f.HostNow = noon.Add(-2 * time.Minute) }, "clock", Warning, "-2m0s off"},
	{"clock a little", func(f *Facts) { f.HostNow = noon.Add(10 * time.Second) }, "clock", Note, "10s off"},
	{"versions", func(f *Facts) { f.Second.Sessions[0].Version = 1 }, "version", Note, "1 worker of protocol 1, 1 worker of protocol 2"},
	{"version", func(f *Facts) { f.Version = "v1.2.3" }, "version", Note, "v1.2.3"},
	{"not asked", func(f *Facts) { f.Unanswered = []Unanswered{{"whether rows expire", refused}} }, "not asked", Warning, "whether rows expire: not allowed"},
	{"not answered", func(f *Facts) { f.Unanswered = []Unanswered{{"the consumers", errors.New("no answer")}} }, "not asked", Warning, "the consumers: no answer"},
}

func TestEachFaultIsFound(t *testing.T) {
	for _, c := range cases {
		f := well()
		c.spoil(&f)
		r := Examine(f)
		found := slices.ContainsFunc(r.Findings, func(g Finding) bool {
			return g.Check == c.check && g.Level == c.level && strings.Contains(g.Found, c.found)
		})
		if !found {
			t.Errorf("%s: no %s of %s says %q:\n%+v", c.name, c.level, c.check, c.found, r.Findings)
		}
		for _, g := range r.Findings {
			if (g.Level == Failure || g.Level == Warning) && g.Do == "" && g.Check != "not asked" && g.Check != "fan-out" {
				t.Errorf("%s: nobody is told what to do about %q", c.name, g.Found)
			}
		}
	}
}

func TestNothingIsSaidOfWhatIsWell(t *testing.T) {
	r := Examine(well())
	for _, f := range r.Findings {
		if f.Level != OK {
			t.Errorf("%s, %s: %s", f.Level, f.Check, f.Found)
		}
	}
	if got := r.String(); got != "0 failures, 0 warnings" {
		t.Errorf("the sum is %q", got)
	}
}

// Every check is reached by a case, and facts of nothing at all say nothing that
// is not so.
func TestEveryCheckHasACase(t *testing.T) {
	for _, c := range checks {
		if !slices.ContainsFunc(cases, func(one struct {
			name  string
			spoil func(*Facts)
			check string
			level Level
			found string
		}) bool {
			return one.check == c.name
		}) {
			t.Errorf("check %s has no case", c.name)
		}
	}
	for _, f := range Examine(Facts{Application: "app"}).Findings {
		if f.Level == Failure || f.Level == Warning {
			t.Errorf("of nothing it says: %s, %s", f.Check, f.Found)
		}
	}
}

// In a table of many streams the rows of this one are told from the others'.
func TestRowsOfOtherStreamsAreLeftOut(t *testing.T) {
	const mine, other = "000000000000:clicks:1700000000:", "000000000000:orders:1700000000:"
	own, others := ofStream([]shard.Lease{
		{Key: mine + "s1", Shard: mine + "s1", Parents: []string{mine + "s0"}}, {Key: other + "s1", Shard: other + "s1"}, {Key: "s2", Shard: "s2"},
	}, well().Stream)
	if others != 1 || len(own) != 2 || own[0].Shard != "s1" || own[0].Parents[0] != "s0" || own[0].Key != mine+"s1" || own[1].Shard != "s2" {
		t.Errorf("got %v and %d others", own, others)
	}
}

// Where nobody could look, nobody says that all is well: not of rows, claims,
// workers or KCL, nor that there are none.
func TestWhatWasNotLookedAtIsNotCalledWell(t *testing.T) {
	for name, spoil := range map[string]func(*Facts){
		"the lease table is another": func(f *Facts) {
			f.Tables[0].Misfit = errors.New("another kind of table")
			f.First, f.Second, f.Apart, f.Claimed = Look{}, Look{}, 0, shard.Stream{}
		},
		"KCL's rows are unread at the first look":  func(f *Facts) { f.First.NeighboursUnread = true },
		"KCL's rows are unread at the second look": func(f *Facts) { f.Second.NeighboursUnread = true },
		"the claim is unread":                      func(f *Facts) { f.Claimed, f.ClaimUnread = shard.Stream{}, true },
		"the session table is another": func(f *Facts) {
			f.Tables[1].Misfit, f.Claimed = errors.New("another kind of table"), shard.Stream{}
		},
	} {
		f := well()
		spoil(&f)
		for _, g := range Examine(f).Findings {
			about := map[string]bool{"rows": f.Apart == 0, "workers": f.Apart == 0, "owners": f.Apart == 0, "KCL": f.Apart == 0 || !f.ClaimUnread && f.Tables[1].Misfit == nil, "claim": f.Claimed.ARN == ""}
			if about[g.Check] {
				t.Errorf("%s: %s says %q", name, g.Check, g.Found)
			}
		}
	}
}

// A stream of DynamoDB keeps records for a day, whatever one would like.
func TestRetentionThatCannotBeChangedIsNotToBeChanged(t *testing.T) {
	f := well()
	f.Kinesis, f.Changes = nil, &ChangesOf{Enabled: true}
	f.Lags = []Lag{{Shard: "s0", Behind: 20 * time.Hour, Loss: &shard.Loss{}}}
	for _, g := range Examine(f).Findings {
		if strings.Contains(g.Do, "Retention") || strings.Contains(g.Do, "keep records longer") {
			t.Errorf("%q: %s", g.Found, g.Do)
		}
	}
}

// An aggregate counts as the one record that it is, and the memory that a record
// takes beside its payload does not count at all.
func TestArrivalsAreCountedAsTheShardCountsThem(t *testing.T) {
	records, bytes := arrived(shard.Chunk{Records: []shard.Record{
		{Sequence: "1", Sub: 0, PartitionKey: "a", Data: make([]byte, 9)}, {Sequence: "1", Sub: 1, PartitionKey: "b", Data: make([]byte, 9)},
		{Sequence: "2", PartitionKey: "a", Data: make([]byte, 79)},
	}})
	if records != 2 || bytes != 100 {
		t.Errorf("got %d records of %d bytes, want 2 of 100", records, bytes)
	}
}

// Nothing is concluded of workers that could not be seen.
func TestWorkersThatCannotBeSeenAreNotCalledDead(t *testing.T) {
	f := well()
	f.First.Sessions, f.Second.Sessions, f.Second.Blind = nil, nil, true
	f.Second.Rows[0].Counter++
	f.Unanswered = []Unanswered{{"the workers' signs of life", refused}}
	for _, g := range Examine(f).Findings {
		if g.Check == "workers" || g.Check == "owners" || g.Check == "KCL" {
			t.Errorf("%s says %q", g.Check, g.Found)
		}
	}
}
