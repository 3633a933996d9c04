package dynamocheckpoint

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/shard"
)

type (
	avS    = types.AttributeValueMemberS
	avN    = types.AttributeValueMemberN
	avB    = types.AttributeValueMemberB
	avL    = types.AttributeValueMemberL
	avM    = types.AttributeValueMemberM
	avSS   = types.AttributeValueMemberSS
	avNULL = types.AttributeValueMemberNULL
	avBOOL = types.AttributeValueMemberBOOL
)

// row is a row as KCL 3 writes it, changed.
func row(change func(item)) item {
	r := item{
		"leaseKey":                           &avS{Value: "shardId-000000000007"},
		"leaseOwner":                         &avS{Value: "anna"},
		"leaseCounter":                       &avN{Value: "41"},
		"checkpoint":                         &avS{Value: "49590338271490256608559692538361571095921575989136588898"},
		"checkpointSubSequenceNumber":        &avN{Value: "3"},
		"ownerSwitchesSinceCheckpoint":       &avN{Value: "1"},
		"parentShardId":                      &avSS{Value: []string{"shardId-b", "shardId-a"}},
		"startingHashKey":                    &avS{Value: "0"},
		"endingHashKey":                      &avS{Value: "340282366920938463463374607431768211455"},
		"throughputKBps":                     &avN{Value: "12.5"},
		"pendingCheckpoint":                  &avS{Value: "50"},
		"pendingCheckpointSubSequenceNumber": &avN{Value: "0"},
		"pendingCheckpointState":             &avN{Value: "0"},
	}
	if change != nil {
		change(r)
	}
	return r
}

func set1(name string, v types.AttributeValue) func(item) { return func(r item) { r[name] = v } }
func without(name string) func(item)                      { return func(r item) { delete(r, name) } }

func TestRowOfKCLIsRead(t *testing.T) {
	want := shard.Lease{
		Key: "shardId-000000000007", Shard: "shardId-000000000007", Owner: "anna", Counter: 41,
		Checkpoint: shard.After("49590338271490256608559692538361571095921575989136588898", 3),
		Load:       12.5, OwnerSwitches: 1, Parents: []string{"shardId-a", "shardId-b"},
		Hashes: shard.HashRange{Start: "0", End: "340282366920938463463374607431768211455"},
	}
	if got := leaseOf(row(nil)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, change := range []func(item){
		set1("pendingCheckpointState", &avB{Value: []byte("state")}), // the update path of KCL writes binary, its create path a number
		set1("entityType", &avS{Value: "LEASE"}),
		set1("somebodys", &avL{}),
	} {
		if got := leaseOf(row(change)); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// A damaged row is set aside. It never becomes a position from which somebody
// could start by mistake.
func TestDamagedRowIsNeverAPosition(t *testing.T) {
	for name, change := range map[string]func(item){
		"no counter":                 without("leaseCounter"),
		"counter is a string":        set1("leaseCounter", &avS{Value: "41"}),
		"counter is negative":        set1("leaseCounter", &avN{Value: "-1"}),
		"counter is a fraction":      set1("leaseCounter", &avN{Value: "4.1"}),
		"counter is beyond 64 bits":  set1("leaseCounter", &avN{Value: "9223372036854775808"}),
		"no checkpoint":              without("checkpoint"),
		"checkpoint is empty":        set1("checkpoint", &avS{Value: ""}),
		"checkpoint is -1":           set1("checkpoint", &avS{Value: "-1"}),
		"checkpoint in Arabic":       set1("checkpoint", &avS{Value: "١٢٣"}),
		"checkpoint of 10 kB":        set1("checkpoint", &avS{Value: strings.Repeat("7", 10_000)}),
		"checkpoint unknown word":    set1("checkpoint", &avS{Value: "TRIM_HORIZONT"}),
		"checkpoint in lower case":   set1("checkpoint", &avS{Value: "latest"}),
		"checkpoint is a number":     set1("checkpoint", &avN{Value: "100"}),
		"checkpoint is null":         set1("checkpoint", &avNULL{Value: true}),
		"index is a string":          set1("checkpointSubSequenceNumber", &avS{Value: "3"}),
		"index is negative":          set1("checkpointSubSequenceNumber", &avN{Value: "-3"}),
		"owner is empty":             set1("leaseOwner", &avS{Value: ""}),
		"owner is a number":          set1("leaseOwner", &avN{Value: "1"}),
		"checkpoint owner is a list": set1("checkpointOwner", &avL{}),
		"parents are a list":         set1("parentShardId", &avL{}),
		"children are a string":      set1("childShardIds", &avS{Value: "shardId-1"}),
		"hash is no number":          set1("startingHashKey", &avS{Value: "0x12"}),
		"hash of 50 digits":          set1("endingHashKey", &avS{Value: strings.Repeat("9", 50)}),
		"seek generation":            set1("seekGen", &avS{Value: "2"}),
		"time beyond all times":      set1("lastArrivalMs", &avN{Value: "9223372036854775807"}),
		"lost is a string":           set1("lost", &avS{Value: "true"}),
		"suspect is no position":     set1("suspect", &avS{Value: "x"}),
		"entity type is a number":    set1("entityType", &avN{Value: "1"}),
		"marks are a string":         set1("marks", &avS{Value: "100"}),
		"a mark is a number":         set1("marks", &avM{Value: item{"a": &avN{Value: "100"}}}),
		"a mark is empty":            set1("marks", &avM{Value: item{"a": &avS{}}}),
		"a mark is no position":      set1("marks", &avM{Value: item{"a": &avS{Value: "100"}, "b": &avS{Value: "10O"}}}),
		"a mark's index is none":     set1("marks", &avM{Value: item{"a": &avS{Value: "100/x"}}}),
		"a mark's index is negative": set1("marks", &avM{Value: item{"a": &avS{Value: "100/-1"}}}),
		"a mark is pinned to a word": set1("marks", &avM{Value: item{"a": &avS{Value: "LATEST@noon"}}}),
		"a record is pinned":         set1("marks", &avM{Value: item{"a": &avS{Value: "100@1700000000000"}}}),
	} {
		got := leaseOf(row(change))
		if got.Fault == nil {
			t.Errorf("%s: the row is believed: %+v", name, got)
			continue
		}
		if got.Key != "shardId-000000000007" || got.Shard != got.Key {
			t.Errorf("%s: the row lost its key: %+v", name, got)
		}
		if got.Checkpoint.Validate() == nil {
			t.Errorf("%s: somebody could start at %v", name, got.Checkpoint)
		}
		if len(got.Fault.Error()) > 1000 {
			t.Errorf("%s: the fault has %d characters", name, len(got.Fault.Error()))
		}
	}
}

func TestRowsOfOtherKindsAreNotLeases(t *testing.T) {
	for _, kind := range []string{"LEADER", "STREAM", "WORKER_METRIC_STATS", "CLIENT_VERSION_MIGRATION", "TABLE_MIGRATION"} {
		got := leaseOf(item{"leaseKey": &avS{Value: "Leader"}, "entityType": &avS{Value: kind}})
		if !errors.Is(got.Fault, errNotLease) {
			t.Errorf("%s: got %+v, want it set aside as no lease", kind, got)
		}
	}
}

// KCL does not write the time of AT_TIMESTAMP, so that such a row is believed,
// without a time.
func TestWordsWithoutTimesAreBelieved(t *testing.T) {
	at := time.UnixMilli(1_767_323_045_678).UTC()
	for _, c := range []struct {
		word, startAt string
		want          shard.Position
	}{
		{"AT_TIMESTAMP", "", shard.Position{Sequence: "AT_TIMESTAMP"}},
		{"AT_TIMESTAMP", "1767323045678", shard.AtTime(at)},
		{"LATEST", "", shard.Latest()},
		{"LATEST", "1767323045678", shard.Position{Sequence: "LATEST", At: at}},
		{"TRIM_HORIZON", "1767323045678", shard.TrimHorizon()},
		{"SHARD_END", "", shard.End()},
	} {
		got := leaseOf(row(func(r item) {
			r["checkpoint"], r["checkpointSubSequenceNumber"] = &avS{Value: c.word}, &avN{Value: "0"}
			if c.startAt != "" {
				r["startAtMs"] = &avN{Value: c.startAt}
			}
		}))
		if got.Fault != nil || got.Checkpoint != c.want {
			t.Errorf("%s %s: got %v (%v), want %v", c.word, c.startAt, got.Checkpoint, got.Fault, c.want)
		}
	}
}

func TestKeysOfManyStreamsAreTakenApart(t *testing.T) {
	for key, want := range map[string]string{
		"shardId-000000000001":                                  "shardId-000000000001",
		"123456789012:clicks:1700000000:shardId-000000000001":   "shardId-000000000001",
		"123456789012:clicks:17000x0000:shardId-000000000001":   "123456789012:clicks:17000x0000:shardId-000000000001",
		"12345:clicks:1700000000:shardId-000000000001":          "12345:clicks:1700000000:shardId-000000000001",
		"123456789012:clicks:1700000000:":                       "123456789012:clicks:1700000000:",
		"a:123456789012:clicks:1700000000:shardId-000000000001": "a:123456789012:clicks:1700000000:shardId-000000000001",
	} {
		if _, got := splitKey(key); got != want {
			t.Errorf("shard of %q: got %q, want %q", key, got, want)
		}
	}
}

// FuzzRow wants of any row: no panic, and either a fault with no usable
// position, or a lease that comes back the same when it is written.
func FuzzRow(f *testing.F) {
	f.Add("shardId-1", "41", "100", "3", "anna", byte(0), "")
	f.Add("123456789012:s:1:shardId-1", "0", "LATEST", "0", "", byte(1), "1767323045678")
	f.Add("shardId-1", "-1", "AT_TIMESTAMP", "1e3", "x", byte(7), "-5")
	f.Add("", "9223372036854775807", "١٢٣", "", "\xff", byte(255), "99999999999999999")
	f.Fuzz(func(t *testing.T, key, counter, checkpoint, sub, owner string, kinds byte, ms string) {
		as := func(bit int, number bool, s string) types.AttributeValue {
			if (kinds>>bit)&1 == 1 {
				number = !number
			}
			if number {
				return &avN{Value: s}
			}
			return &avS{Value: s}
		}
		r := item{
			"leaseKey": as(0, false, key), "leaseCounter": as(1, true, counter), "checkpoint": as(2, false, checkpoint),
			"checkpointSubSequenceNumber": as(3, true, sub), "startAtMs": as(5, true, ms), "suspect": as(6, false, checkpoint),
			"childShardIds": &avSS{Value: []string{owner, key}}, "lost": &avBOOL{Value: kinds > 100},
		}
		if owner != "" {
			r["leaseOwner"] = as(4, false, owner)
		}
		l := leaseOf(r)
		if l.Fault != nil {
			if l.Checkpoint.Validate() == nil {
				t.Fatalf("a faulty row is at %v", l.Checkpoint)
			}
			return
		}
		if again := leaseOf(rowOf(l)); !reflect.DeepEqual(again, l) {
			t.Fatalf("got %+v, want %+v", again, l)
		}
	})
}

// The rows of many streams are KCL's: the key is account:stream:epoch:shard,
// streamName is what stands before the shard, and shardId, parents and children
// are as the service names them. The engine knows all of them by their keys.
func TestRowsOfManyStreamsAreKCLs(t *testing.T) {
	const stream = "123456789012:clicks:1700000000"
	id := func(n int) string { return fmt.Sprintf("%s:shardId-%012d", stream, n) }
	lease := shard.Lease{
		Key: id(2), Shard: id(2), Parents: []string{id(0), id(1)}, Children: []string{id(3)},
		Checkpoint: shard.After("4959", 0), Counter: 7, Hashes: shard.HashRange{Start: "0", End: "99"},
	}
	want := item{
		"leaseKey": &avS{Value: id(2)}, "streamName": &avS{Value: stream}, "shardId": &avS{Value: "shardId-000000000002"},
		"parentShardId":   &types.AttributeValueMemberSS{Value: []string{"shardId-000000000000", "shardId-000000000001"}},
		"childShardIds":   &types.AttributeValueMemberSS{Value: []string{"shardId-000000000003"}},
		"startingHashKey": &avS{Value: "0"}, "endingHashKey": &avS{Value: "99"},
		"checkpoint": &avS{Value: "4959"}, "checkpointSubSequenceNumber": &avN{Value: "0"},
		"leaseCounter": &avN{Value: "7"}, "ownerSwitchesSinceCheckpoint": &avN{Value: "0"},
	}
	if got := rowOf(lease); !reflect.DeepEqual(got, want) {
		t.Errorf("written as\n%v, want\n%v", got, want)
	}
	if got := leaseOf(want); !reflect.DeepEqual(got, lease) {
		t.Errorf("read as\n%+v, want\n%+v", got, lease)
	}
}
