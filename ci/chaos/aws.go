package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// reshardTime is how long the stream is UPDATING when its shards change.
const reshardTime = time.Second

// awsMain is the in-process AWS in a process of its own. It prints its address,
// enters every write of the lease table and every record that a queue accepts into
// a file, in their order, and ends when its standard input does.
func awsMain(args []string) int {
	flags := flag.NewFlagSet("aws", flag.ContinueOnError)
	path := flags.String("rows", "", "file for the writes of the lease table")
	table := flags.String("table", "", "name of the lease table")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	file, err := os.OpenFile(*path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, "open the file for rows:", err)
		return 2
	}
	defer file.Close()
	a := awsfake.New(awsfake.WithKinesis(kinesisfake.WithReshardTime(reshardTime)))
	a.DynamoDB().OnWrite(func(name string, before, after dynamofake.Item) {
		if name == *table {
			file.WriteString(rowLine(before, after)) // a full disk shows in the ledger too
		}
	})
	a.Trace(func(e awsfake.Exchange) { // before its sender knows
		if e.Service == "sqs" && e.Applied && e.Status == http.StatusOK {
			file.WriteString(givenLines(e.Body))
		}
	})
	url, stop, err := a.Serve()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer stop()
	fmt.Println(url)
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// givenLines are the records of the messages of a request to a queue: when, and
// which. What is no envelope is left out.
func givenLines(request []byte) string {
	var sent struct {
		MessageBody string
		Entries     []struct{ MessageBody string }
	}
	if json.Unmarshal(request, &sent) != nil {
		return ""
	}
	bodies := []string{sent.MessageBody}
	for _, entry := range sent.Entries {
		bodies = append(bodies, entry.MessageBody)
	}
	lines := ""
	for _, body := range bodies {
		if envelope, err := destination.ParseEnvelope([]byte(body)); err == nil && envelope.BatchSize == 1 {
			lines += fmt.Sprintf("%d\t%s\tgiven\t%s\n", int64(now()), envelope.Failure.Shard, envelope.First)
		}
	}
	return lines
}

// rowLine is one write of a lease row: when, which, and what stands there now. A
// row that was deleted has nothing behind its key.
func rowLine(before, after dynamofake.Item) string {
	fields := []string{fmt.Sprint(int64(now()))}
	if after == nil {
		return strings.Join(append(fields, before["leaseKey"].Text()), "\t") + "\n"
	}
	for _, name := range []string{"leaseKey", "leaseOwner", "checkpointOwner", "leaseCounter", "checkpoint", "checkpointSubSequenceNumber", "seekGen"} {
		fields = append(fields, after[name].Text())
	}
	return strings.Join(fields, "\t") + "\n"
}
