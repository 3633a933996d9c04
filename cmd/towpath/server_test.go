package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// Every command that reads does so from servers that are not this module's own,
// after a fleet that was there: a document on standard output and nothing on
// standard error. What is not there is status 3 in their words, too.
func TestCommandsReadFromServer(t *testing.T) {
	name := leftByFleet(t)
	for _, args := range [][]string{
		{"leases", "-a", name},
		{"shards", "-a", name, "-s", name},
		{"workers", "-a", name, "-for", "0"},
		{"lag", "-a", name, "-s", name, "-for", "0"},
		{"doctor", "-a", name, "-s", name, "-watch", "1ms", "-sample", "-probe-writes"},
		{"cost", "-a", name, "-s", name, "-records", "5"}, // told what comes in, or it says that no row does
		{"migrate", "-a", name, "-s", name, "-watch", "1ms"},
	} {
		status, out, errs := called(t, append([]string{"-timeout", "30s", "-output", "json"}, args...)...)
		var document any
		if err := json.Unmarshal([]byte(out), &document); status != exitDone || errs != "" || err != nil {
			t.Errorf("%s ended with %d (%v): %s%s", args[0], status, err, errs, out)
		}
	}
	for _, args := range [][]string{
		{"tail", "-s", name, "-from", "horizon", "-until", "tip"},
		{"record", "-s", name, "-from", "horizon", "-n", "20"},
	} {
		status, out, errs := called(t, append([]string{"-timeout", "30s", "-output", "json"}, args...)...)
		if lines := strings.Count(out, "\n"); status != exitDone || lines < 20 {
			t.Errorf("%s ended with %d and %d lines: %s%s", args[0], status, lines, errs, out)
		}
	}
	for _, args := range [][]string{
		{"leases", "-a", "no-" + name},
		{"doctor", "-a", name, "-s", "no-" + name},
		{"doctor", "-a", "no-" + name, "-s", name, "-watch", "1ms"},
		{"migrate", "-a", "no-" + name, "-s", name},
		{"cost", "-a", "no-" + name},
	} {
		status, _, errs := called(t, append([]string{"-timeout", "30s"}, args...)...)
		if status != exitMissing || strings.Count(errs, "\n") != 1 || strings.Contains(errs, "RequestID") {
			t.Errorf("%v ended with %d, want %d and one line: %s", args, status, exitMissing, errs)
		}
	}
}

// called runs a command in this process.
func called(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var answer, said bytes.Buffer
	status = run(t.Context(), append([]string{"towpath"}, args...), strings.NewReader(""), &answer, &said)
	return status, answer.String(), said.String()
}

// leftByFleet is the name of a stream on the servers, and of an application that
// has read it to its tips and gone. The environment leads there.
func leftByFleet(t *testing.T) string {
	t.Helper()
	ctx, name := t.Context(), "towpath-"+strings.ToLower(rand.Text()[:12])
	k, d := servertest.Config(t, "kinesis"), servertest.Config(t, "dynamodb")
	streams, tables := kinesis.NewFromConfig(k), dynamodb.NewFromConfig(d)
	for variable, value := range map[string]string{
		"AWS_ENDPOINT_URL_KINESIS": *k.BaseEndpoint, "AWS_ENDPOINT_URL_DYNAMODB": *d.BaseEndpoint, "AWS_REGION": k.Region,
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	} {
		t.Setenv(variable, value)
	}
	if _, err := streams.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx) // the test's own has ended by now
		if _, err := streams.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: &name}); err != nil {
			t.Error(err)
		}
		for _, table := range []string{name, name + "-sessions"} {
			if _, err := tables.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &table}); err != nil {
				t.Error(err)
			}
		}
	})
	waiter := kinesis.NewStreamExistsWaiter(streams, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay, o.MaxDelay = 1e8, 1e9 })
	if err := waiter.Wait(ctx, &kinesis.DescribeStreamInput{StreamName: &name}, 60e9); err != nil {
		t.Fatal(err)
	}
	var entries []types.PutRecordsRequestEntry
	for i := range 20 {
		entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint("key-", i)), Data: []byte("{}")})
	}
	if _, err := streams.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &name, Records: entries}); err != nil {
		t.Fatal(err)
	}
	c, err := consumer.New(consumer.Config{
		Name: name, Source: kinesisshards.Open(streams, name), StartingPosition: shard.TrimHorizon(), Until: consumer.CaughtUp(),
		Leases:  dynamocheckpoint.Open(tables, name, func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err == nil {
		err = c.Run(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}
