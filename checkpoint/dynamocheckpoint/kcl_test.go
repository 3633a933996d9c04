package dynamocheckpoint

import (
	"context"
	"errors"
	"maps"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// Rows as each version of KCL leaves them, and what is believed of them.
func TestRowsOfEveryKCLAreRead(t *testing.T) {
	const whole = "340282366920938463463374607431768211455"
	for name, c := range map[string]struct {
		row  item
		want shard.Lease
	}{
		"2.7, just created": {
			item{"leaseKey": text("shardId-1"), "leaseCounter": number(0), "checkpoint": text("TRIM_HORIZON"), "checkpointSubSequenceNumber": number(0),
				"ownerSwitchesSinceCheckpoint": number(0), "startingHashKey": text("0"), "endingHashKey": text(whole)},
			shard.Lease{Key: "shardId-1", Shard: "shardId-1", Checkpoint: shard.TrimHorizon(), Hashes: shard.HashRange{Start: "0", End: whole}},
		},
		"2.7, in the middle of an aggregate": {
			item{"leaseKey": text("shardId-1"), "leaseOwner": text("ip-10-0-0-1:5c2e"), "leaseCounter": number(812), "checkpoint": text("4960"),
				"checkpointSubSequenceNumber": number(17), "ownerSwitchesSinceCheckpoint": number(2), "parentShardId": set([]string{"shardId-0"})},
			shard.Lease{Key: "shardId-1", Shard: "shardId-1", Owner: "ip-10-0-0-1:5c2e", Counter: 812, Checkpoint: shard.After("4960", 17), OwnerSwitches: 2, Parents: []string{"shardId-0"}},
		},
		"an old one, before sub-sequences and switches": {
			item{"leaseKey": text("shardId-1"), "leaseOwner": text("a"), "leaseCounter": number(3), "checkpoint": text("4960")},
			shard.Lease{Key: "shardId-1", Shard: "shardId-1", Owner: "a", Counter: 3, Checkpoint: shard.After("4960", 0)},
		},
		"3.4, prepared, being handed over": {
			item{"leaseKey": text("shardId-1"), "leaseOwner": text("next"), "checkpointOwner": text("old"), "leaseCounter": number(9), "checkpoint": text("4960"),
				"checkpointSubSequenceNumber": number(0), "ownerSwitchesSinceCheckpoint": number(0), "throughputKBps": &avN{Value: "12.345678"},
				"pendingCheckpoint": text("4961"), "pendingCheckpointSubSequenceNumber": number(4), "pendingCheckpointState": &avB{Value: []byte{1}}},
			shard.Lease{Key: "shardId-1", Shard: "shardId-1", Owner: "next", CheckpointOwner: "old", Counter: 9, Load: 12.345678, Checkpoint: shard.After("4960", 0)},
		},
		"3.5, done, one of many streams": {
			item{"leaseKey": text("123456789012:clicks:1700000000:shardId-1"), "streamName": text("123456789012:clicks:1700000000"), "shardId": text("shardId-1"),
				"entityType": text("LEASE"), "leaseOwner": text("a"), "leaseCounter": number(70), "checkpoint": text("SHARD_END"), "checkpointSubSequenceNumber": number(0),
				"ownerSwitchesSinceCheckpoint": number(0), "parentShardId": set([]string{"shardId-b", "shardId-a"}), "childShardIds": set([]string{"shardId-3", "shardId-2"})},
			leaseOf(item{"leaseKey": text("123456789012:clicks:1700000000:shardId-1"), "leaseOwner": text("a"), "leaseCounter": number(70), "checkpoint": text("SHARD_END"),
				"parentShardId": set([]string{"shardId-a", "shardId-b"}), "childShardIds": set([]string{"shardId-2", "shardId-3"})}),
		},
	} {
		if got := leaseOf(c.row); !reflect.DeepEqual(got, c.want) || got.Fault != nil {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// kclTable is a table that begins with these rows, and what stands in it.
func kclTable(t *testing.T, rows ...item) (*Table, func(key string) item) {
	t.Helper()
	server := httptest.NewServer(dynamofake.New(time.Now))
	t.Cleanup(server.Close)
	client := dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: aws.AnonymousCredentials{}})
	table := Open(client, "app", func(o *Options) { o.CreateTables = true })
	if err := table.Prepare(t.Context(), shard.Stream{ARN: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"}); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table.leases, Item: row}); err != nil {
			t.Fatal(err)
		}
	}
	return table, func(key string) item {
		row, err := table.get(context.Background(), table.leases, "leaseKey", key)
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
}

// legal fails unless KCL can read the row: the attributes that it needs are
// there, with their types, and what it knows has no other type than its own.
func legal(t *testing.T, row item) {
	t.Helper()
	for name, kinds := range map[string]string{
		"leaseKey": "S", "leaseCounter": "N", "checkpoint": "S", "checkpointSubSequenceNumber": "N", "ownerSwitchesSinceCheckpoint": "N",
	} {
		if row[name] == nil {
			t.Errorf("the row lacks %s, which KCL needs: %v", name, row)
		} else if kind(row[name]) != kind(map[string]types.AttributeValue{"S": text("x"), "N": number(1)}[kinds]) {
			t.Errorf("%s is %s", name, kind(row[name]))
		}
	}
	for name, v := range row {
		want := ""
		switch name {
		case "leaseOwner", "checkpointOwner", "startingHashKey", "endingHashKey", "streamName", "shardId", "entityType", "pendingCheckpoint":
			want = kind(text("x"))
		case "parentShardId", "childShardIds":
			want = kind(set([]string{"x"}))
		}
		if want != "" && kind(v) != want {
			t.Errorf("%s is %s, want %s", name, kind(v), want)
		}
	}
}

// What a whole tenure leaves behind is a row that KCL reads, with everything that
// it and others have put there still in it; and so are the children's rows.
func TestWhatATenureLeavesIsLegalForKCL(t *testing.T) {
	ctx := t.Context()
	for _, prefix := range []string{"", "123456789012:clicks:1700000000:"} {
		key := prefix + "shardId-000000000001"
		theirs := item{"entityType": text("LEASE"), "x_mine": text("kept")}
		row := item{
			"leaseKey": text(key), "leaseCounter": number(41), "checkpoint": text("4960"), "checkpointSubSequenceNumber": number(2),
			"ownerSwitchesSinceCheckpoint": number(0), "leaseOwner": text("java"), "startingHashKey": text("0"), "endingHashKey": text("99"),
			"pendingCheckpoint": text("4961"), "pendingCheckpointSubSequenceNumber": number(0), "pendingCheckpointState": number(0),
		}
		maps.Copy(row, theirs)
		if prefix != "" {
			row["streamName"], row["shardId"] = text(strings.TrimSuffix(prefix, ":")), text("shardId-000000000001")
		}
		table, stands := kclTable(t, row)
		seen, err := table.Get(ctx, key)
		if err != nil || seen.Fault != nil {
			t.Fatal(err, seen.Fault)
		}
		held, err := table.Take(ctx, seen, "anna", "java")
		counter := int64(41)
		step := func(name string) item {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			now := stands(key)
			legal(t, now)
			for attribute, v := range theirs {
				if !reflect.DeepEqual(now[attribute], v) {
					t.Errorf("%s: %s is %v, want %v", name, attribute, now[attribute], v)
				}
			}
			if n := (&reading{row: now}).count("leaseCounter"); n <= counter {
				t.Errorf("%s: the counter went from %d to %d", name, counter, n)
			} else {
				counter = n
			}
			return now
		}
		if now := step("take"); now["pendingCheckpoint"] == nil {
			t.Error("a take has ended KCL's two-phase checkpoint")
		}
		held, err = table.Renew(ctx, held, "anna")
		if now := step("renew"); now["pendingCheckpoint"] == nil {
			t.Error("a renewal has ended KCL's two-phase checkpoint")
		}
		held, err = table.Save(ctx, held, "anna", checkpoint.Progress{Position: shard.After("4970", 3), Arrived: time.Now(), ReadUpTo: time.Now()})
		now := step("save")
		if now["pendingCheckpoint"] != nil || now["pendingCheckpointState"] != nil || now["pendingCheckpointSubSequenceNumber"] != nil {
			t.Error("a checkpoint has left KCL's two-phase checkpoint")
		}
		if r := (&reading{row: now}); r.text("checkpoint") != "4970" || r.count("checkpointSubSequenceNumber") != 3 || r.count("ownerSwitchesSinceCheckpoint") != 0 {
			t.Errorf("the checkpoint is %v", now)
		}
		held, err = table.Release(ctx, held, "anna", checkpoint.Progress{Position: shard.After("4971", 0)}, "")
		if now := step("release"); now["leaseOwner"] != nil || now["checkpointOwner"] != nil {
			t.Errorf("a released row names an owner: %v", now)
		}
		held, err = table.Take(ctx, held, "anna", "")
		step("take again")
		children := []shard.Shard{
			{ID: prefix + "shardId-000000000002", Parents: []string{key}, Hashes: shard.HashRange{Start: "0", End: "49"}},
			{ID: prefix + "shardId-000000000003", Parents: []string{key}, Hashes: shard.HashRange{Start: "50", End: "99"}},
		}
		_, err = table.End(ctx, held, "anna", children, false)
		if now := step("end"); (&reading{row: now}).text("checkpoint") != "SHARD_END" ||
			!slices.Equal((&reading{row: now}).words("childShardIds"), []string{"shardId-000000000002", "shardId-000000000003"}) {
			t.Errorf("the end is %v", now)
		}
		for _, c := range children {
			now := stands(c.ID)
			legal(t, now)
			r := &reading{row: now}
			if r.text("checkpoint") != "TRIM_HORIZON" || !slices.Equal(r.words("parentShardId"), []string{"shardId-000000000001"}) || r.text("startingHashKey") != c.Hashes.Start ||
				r.text("endingHashKey") != c.Hashes.End || now["leaseOwner"] != nil || r.count("leaseCounter") != 0 {
				t.Errorf("the child's row is %v", now)
			}
			if prefix != "" && (r.text("streamName") != strings.TrimSuffix(prefix, ":") || r.text("shardId") != strings.TrimPrefix(c.ID, prefix)) {
				t.Errorf("the child's row in a table of many streams is %v", now)
			}
		}
		epoch, err := table.Begin(ctx)
		if err == nil {
			err = table.Create(ctx, epoch, []shard.Lease{{Key: prefix + "shardId-000000000009", Checkpoint: shard.Latest(), CreatedFrom: "initial"}})
		}
		if err != nil {
			t.Fatal(err)
		}
		legal(t, stands(prefix+"shardId-000000000009"))
	}
}

// What KCL 3 keeps beside its leases is no lease, whichever way it is kept, and is
// read as what it is: in the lease table, and in the two tables that it had before.
func TestNeighboursAreReadFromWhereKCL3KeepsThem(t *testing.T) {
	metric := func(key string) item {
		return item{key: text("java-1"), "lut": number(1_767_323_045), "sts": &avM{Value: item{}}, "sup": number(1)}
	}
	lock := func(key string) item {
		return item{key: text("Leader"), "ownerName": text("java-1"), "recordVersionNumber": text("5f1c"), "leaseDuration": text("120000")}
	}
	migration := func(key string) item {
		return item{key: text("Migration3.0"), "cv": text("CLIENT_VERSION_3X"), "mb": text("java-1"), "mts": number(1)}
	}
	typed := func(row item, kind string) item { row["entityType"] = text(kind); return row }
	table, _ := kclTable(t, typed(metric("leaseKey"), "WORKER_METRIC_STATS"), typed(lock("leaseKey"), "LEADER"), migration("leaseKey"),
		item{"leaseKey": text("stream"), "entityType": text("STREAM")})
	client := table.client.(*dynamodb.Client)
	for name, side := range map[string]struct {
		key  string
		rows []item
	}{
		"app-CoordinatorState":  {"key", []item{lock("key"), migration("key")}},
		"app-WorkerMetricStats": {"wid", []item{metric("wid")}},
	} {
		if _, err := client.CreateTable(t.Context(), layout{name: name, key: side.key}.creation(nil)); err != nil {
			t.Fatal(err)
		}
		for _, row := range side.rows {
			if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: row}); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := table.Neighbours(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := func(where string) []checkpoint.Neighbour {
		at := time.Unix(1_767_323_045, 0).UTC()
		coordinator, metrics := "app", "app"
		if where == "side" {
			coordinator, metrics = "app-CoordinatorState", "app-WorkerMetricStats"
		}
		return []checkpoint.Neighbour{
			{Kind: checkpoint.NeighbourLeader, Row: "row Leader of table " + coordinator, Worker: "java-1", Sign: "5f1c", Every: 30 * time.Second},
			{Kind: checkpoint.NeighbourMigration, Row: "row Migration3.0 of table " + coordinator, Worker: "java-1", Mode: "CLIENT_VERSION_3X"},
			{Kind: checkpoint.NeighbourWorker, Row: "row java-1 of table " + metrics, Worker: "java-1", Sign: "1767323045", At: at, Every: 30 * time.Second},
		}
	}
	all := append(want("app"), want("side")...)
	for _, n := range all {
		if !slices.Contains(got, n) {
			t.Errorf("%+v is missing of %+v", n, got)
		}
		if n.Assigns() != (n.Kind == checkpoint.NeighbourMigration) {
			t.Errorf("%+v assigns: %v", n, n.Assigns())
		}
	}
	if len(got) != len(all) {
		t.Errorf("got %d neighbours, want %d: %+v", len(got), len(all), got)
	}
	rows, err := table.List(t.Context())
	if err != nil || len(rows) != 0 {
		t.Errorf("the table lists %v (%v), want no lease", rows, err)
	}
}

// A row without counter and checkpoint is a damaged lease all the same, unless
// it is one of those that KCL keeps.
func TestADamagedLeaseIsNotTakenForARowOfKCLs(t *testing.T) {
	if got := leaseOf(item{"leaseKey": text("shardId-1")}); got.Fault == nil || errors.Is(got.Fault, errNotLease) {
		t.Errorf("got %+v, want a faulty lease", got)
	}
}
