package lambdahandler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// errReported is why a batch fails that a function answered for.
var errReported = errors.New("the function reported failed items")

// read says what an answer means for the batch, by the rules of
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html.
func read(b *batching.Batch, answer []byte) error {
	answer = bytes.TrimSpace(answer)
	switch string(answer) {
	case "", "null", `""`, "[]":
		return nil
	}
	var a struct {
		Failures []json.RawMessage `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("the function's answer is no object with batchItemFailures: %w", err)
	}
	if len(a.Failures) == 0 {
		return nil
	}
	var lowest *shard.Record
	records := bySequence(b)
	for i, raw := range a.Failures {
		var item struct {
			Identifier *string `json:"itemIdentifier"`
		}
		if err := json.Unmarshal(raw, &item); err != nil || item.Identifier == nil || *item.Identifier == "" {
			return fmt.Errorf("%w, and item %d names no itemIdentifier, so that all count as failed", errReported, i)
		}
		r := records[*item.Identifier]
		if r == nil {
			return fmt.Errorf("%w, and item %d names %q, which is not in the batch, so that all count as failed", errReported, i, cut(*item.Identifier))
		}
		if lowest == nil || r.Position().Compare(lowest.Position()) < 0 {
			lowest = r
		}
	}
	return batching.FailFrom(lowest, errReported)
}

// bySequence is the batch by sequence number: of the records of one aggregate
// the first counts.
func bySequence(b *batching.Batch) map[string]*shard.Record {
	records := make(map[string]*shard.Record, len(b.Records))
	for i := range b.Records {
		if r := &b.Records[i]; records[r.Sequence] == nil {
			records[r.Sequence] = r
		}
	}
	return records
}

// cut bounds what is shown of an answer.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
