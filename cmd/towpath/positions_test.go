package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// served is an AWS on loopback that the environment leads to, with a stream of two
// shards, and an application that has handled half of what is in it.
func served(t *testing.T) (*awsfake.AWS, *dynamocheckpoint.Table) {
	t.Helper()
	fake := awsfake.New()
	url, stop, err := fake.Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "USER": "ada",
	} {
		t.Setenv(name, value)
	}
	if err := fake.Kinesis().CreateStream("clicks", 2); err != nil {
		t.Fatal(err)
	}
	var sixth string
	for i := range 12 {
		_, sequence, err := fake.Kinesis().Put("clicks", "key", []byte{byte(i)}) // of the first shard
		if err != nil {
			t.Fatal(err)
		}
		if i == 5 {
			sixth = sequence
		}
	}
	cfg := fake.Config("test")
	table := dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), "clickstream", func(o *dynamocheckpoint.Options) { o.CreateTables = true })
	stream, err := kinesisshards.Open(kinesis.NewFromConfig(cfg), "clicks").Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Prepare(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	epoch, err := table.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows := []shard.Lease{
		{Key: "shardId-000000000000", Checkpoint: shard.After(sixth, 0), StreamCreated: stream.CreatedAt},
		{Key: "shardId-000000000001", Checkpoint: shard.TrimHorizon(), StreamCreated: stream.CreatedAt},
	}
	if err := table.Create(t.Context(), epoch, rows); err != nil {
		t.Fatal(err)
	}
	return fake, table
}

// times and sequence numbers differ from run to run.
var varies = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z|\d{50,}`)

// positions are where the rows stand.
func positions(t *testing.T, table checkpoint.Leases) map[string]shard.Position {
	t.Helper()
	rows, err := table.List(context.Background())
	if err != nil && !errors.Is(err, checkpoint.ErrNoTable) {
		t.Fatal(err)
	}
	at := map[string]shard.Position{}
	for _, row := range rows {
		at[row.Shard] = row.Checkpoint
	}
	return at
}

// A plan is printed and nothing is written; with -yes it is done.
func TestSeekPrintsItsPlanAndWaitsForYes(t *testing.T) {
	_, table := served(t)
	before := positions(t, table)
	call := []string{"seek", "-application", "clickstream", "-stream", "clicks", "-to", "horizon"}
	status, out, errs := tool(t, "", nil, call...)
	want := `seek every shard to TRIM_HORIZON, planned T: 2 rows are written
SHARD                 DO    FROM  TO  REPEATS  SKIPS  OWNER
shardId-000000000000  move  T  TRIM_HORIZON  6  -  -
shardId-000000000001  move  TRIM_HORIZON  TRIM_HORIZON  -  -  -
warning: 1 shards repeat records, or may: effects of handlers are not taken back
nothing is written: add -yes to do it
`
	squeeze := func(s string) string {
		return regexp.MustCompile(` +`).ReplaceAllString(varies.ReplaceAllString(s, "T"), " ")
	}
	if status != 0 || squeeze(out) != squeeze(want) {
		t.Fatalf("got status %d, %s and\n%s\nwant\n%s", status, errs, squeeze(out), want)
	}
	if now := positions(t, table); now["shardId-000000000000"] != before["shardId-000000000000"] {
		t.Errorf("a dry run moved the position to %v", now)
	}
	status, out, errs = tool(t, "", nil, append(call, "-yes")...)
	if status != 0 || !strings.HasSuffix(out, "done\n") || !strings.Contains(out, "by ada on ") {
		t.Fatalf("got status %d, %s and\n%s", status, errs, out)
	}
	if now := positions(t, table); !now["shardId-000000000000"].IsTrimHorizon() {
		t.Errorf("the positions are %v", now)
	}
	status, out, errs = tool(t, "", nil, "seek", "-a", "clickstream", "-s", "clicks", "-shard", "shardId-000000000001", "-to", "tip", "-y")
	if status != 0 || !positions(t, table)["shardId-000000000001"].IsLatest() {
		t.Errorf("got status %d, %s and\n%s", status, errs, out)
	}
	status, _, errs = tool(t, "", nil, "reset", "-a", "clickstream", "-s", "clicks", "-to", "2020-01-01T00:00:00Z", "-y")
	if now := positions(t, table); status != 0 || !now["shardId-000000000001"].IsAtTime() {
		t.Errorf("after a reset (%d, %s) the positions are %v", status, errs, now)
	}
}

// A shadow begins where the application is, and not twice.
func TestForkCopiesPositionsOnce(t *testing.T) {
	fake, table := served(t)
	call := []string{"fork", "-application", "shadow", "-stream", "clicks", "-from", "clickstream"}
	shadow := dynamocheckpoint.Open(dynamodb.NewFromConfig(fake.Config("test")), "shadow")
	status, out, errs := tool(t, "", nil, call...)
	if status != 0 || len(positions(t, shadow)) != 0 {
		t.Fatalf("a dry run: got status %d, %s and\n%s", status, errs, out)
	}
	if status, out, errs = tool(t, "", nil, append(call, "-yes")...); status != 0 {
		t.Fatalf("got status %d, %s and\n%s", status, errs, out)
	}
	want, got := positions(t, table), positions(t, shadow)
	if len(got) != 2 || got["shardId-000000000000"] != want["shardId-000000000000"] {
		t.Errorf("the shadow is at %v, want %v", got, want)
	}
	if status, _, errs = tool(t, "", nil, append(call, "-yes")...); status != 1 || !strings.Contains(errs, "has positions already") {
		t.Errorf("a second fork: got status %d and %s", status, errs)
	}
	if status, _, errs = tool(t, "", nil, append(call, "-yes", "-force")...); status != 0 {
		t.Errorf("with force: got status %d and %s", status, errs)
	}
}

// Positions of other libraries' tables are taken over as they stand there.
func TestForkReadsOtherLibrariesTables(t *testing.T) {
	fake, table := served(t)
	at := positions(t, table)["shardId-000000000000"].Sequence
	client := dynamodb.NewFromConfig(fake.Config("test"))
	for _, c := range []struct {
		kind, table, key, sort string
		row                    map[string]string
	}{
		{"vmware", "old", "ShardID", "", map[string]string{"ShardID": "shardId-000000000000", "Checkpoint": at, "AssignedTo": "w"}},
		{"harlow", "store", "namespace", "shard_id", map[string]string{"namespace": "old-clicks", "shard_id": "shardId-000000000000", "sequence_number": at}},
	} {
		create := &dynamodb.CreateTableInput{
			TableName: &c.table, BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &c.key, AttributeType: types.ScalarAttributeTypeS}},
			KeySchema:            []types.KeySchemaElement{{AttributeName: &c.key, KeyType: types.KeyTypeHash}},
		}
		if c.sort != "" {
			create.AttributeDefinitions = append(create.AttributeDefinitions, types.AttributeDefinition{AttributeName: &c.sort, AttributeType: types.ScalarAttributeTypeS})
			create.KeySchema = append(create.KeySchema, types.KeySchemaElement{AttributeName: &c.sort, KeyType: types.KeyTypeRange})
		}
		if _, err := client.CreateTable(t.Context(), create); err != nil {
			t.Fatal(err)
		}
		item := map[string]types.AttributeValue{}
		for name, v := range c.row {
			item[name] = &types.AttributeValueMemberS{Value: v}
		}
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &c.table, Item: item}); err != nil {
			t.Fatal(err)
		}
		status, out, errs := tool(t, "", nil, "fork", "-a", "new-"+c.kind, "-s", "clicks", "-from", "old", "-from-table", c.table, "-from-kind", c.kind, "-yes")
		if status != 0 {
			t.Fatalf("%s: got status %d, %s and\n%s", c.kind, status, errs, out)
		}
		got := positions(t, dynamocheckpoint.Open(client, "new-"+c.kind))
		if got["shardId-000000000000"].Sequence != at {
			t.Errorf("%s: the new application is at %v, want %s", c.kind, got, at)
		}
	}
}

// A wrong call names everything that is wrong with it; what fails names the thing
// and the place.
func TestSeekSaysWhatIsWrong(t *testing.T) {
	served(t)
	for _, c := range []struct {
		args   string
		status int
		says   []string
	}{
		{"seek", 2, []string{"-application", "-stream", `-to "" is no place`}},
		{"seek -a x -s y -to tomorrow", 2, []string{`-to "tomorrow" is no place: want horizon`}},
		{"seek -a x -s y -to 7/x -shard z", 2, []string{`-to "7/x"`}},
		{"seek -a x -s y -to 7", 2, []string{"needs -shard"}},
		{"seek -a x -s y -to tip -changes-of z", 2, []string{"one of them"}},
		{"seek -a x -s y -resume -abort", 2, []string{"not both"}},
		{"seek -a x -s y -resume -to tip", 2, []string{"take no -to"}},
		{"seek -a x -s y -to tip more", 2, []string{"takes no arguments"}},
		{"seek -a x -s y -too tip", 2, []string{"too"}},
		{"reset -a x -s y -to 7", 2, []string{"use seek"}},
		{"fork -a x -s y -at horizon", 2, []string{"-from NAME", `-at "horizon" is no time`}},
		{"seek -a nobody -s clicks -to tip", 3, []string{"nobody-sessions", "no such table"}},
		{"seek -a clickstream -s nothing -to tip", 3, []string{"nothing", "no such stream"}},
		{"seek -a clickstream -s clicks -to tip -shard shardId-7", 3, []string{"no shard shardId-7"}},
		{"seek -a clickstream -s clicks -resume", 1, []string{"no move is under way"}},
		{"seek -a clickstream -s clicks -to 2999-01-01T00:00:00Z", 1, []string{"in the future"}},
		{"fork -a x -s y -from z -from-kind ours", 2, []string{`-from-kind "ours"`, "vmware"}},
		{"fork -a x -s y -from z -from-kind harlow", 2, []string{"-from-table"}},
		{"fork -a shadow -s clicks -from nobody -from-kind vmware", 3, []string{"nobody", "no such table"}},
		{"fork -a shadow -s clicks -from nobody", 3, []string{"rows of nobody", "no such table"}},
	} {
		status, _, errs := tool(t, "", nil, strings.Fields(c.args)...)
		if status != c.status {
			t.Errorf("%s: got status %d and %s, want %d", c.args, status, errs, c.status)
		}
		for _, says := range c.says {
			if !strings.Contains(errs, says) {
				t.Errorf("%s: got %q, want it to say %q", c.args, errs, says)
			}
		}
	}
}

// Names in tables are not ours: nothing of them reaches a terminal that it would
// obey, in plans and in documents.
func TestNamesInTablesAreHarmless(t *testing.T) {
	fake, _ := served(t)
	_, err := dynamodb.NewFromConfig(fake.Config("test")).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: new("clickstream"), Key: map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: "shardId-000000000000"}},
		UpdateExpression:          new("SET leaseOwner = :o"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":o": &types.AttributeValueMemberS{Value: "w\x1b[2J\u009b31m\u202e1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{
		"leases -a clickstream", "leases -a clickstream -o json", "shards -a clickstream", "workers -a clickstream -for 0 -o json",
		"seek -a clickstream -s clicks -to tip", "seek -a clickstream -s clicks -to tip -o json",
	} {
		status, out, errs := tool(t, "", nil, strings.Fields(call)...)
		hidden := func(r rune) bool { return r != '\n' && isHidden(r) }
		if status != 0 || !strings.Contains(out+errs, "31m") || strings.IndexFunc(out+errs, hidden) >= 0 {
			t.Errorf("%s: status %d, %q, %q", call, status, out, errs)
		}
	}
}
