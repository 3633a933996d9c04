package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// box is a mailbox in memory.
type box struct {
	letters  []destination.Letter
	given    int
	removed  []string
	returned []string
	broken   error
}

func (b *box) Receive(_ context.Context, limit int) ([]destination.Letter, error) {
	n := min(limit, 3, len(b.letters)-b.given)
	b.given += n
	if n == 0 && b.broken != nil {
		return nil, b.broken
	}
	return b.letters[b.given-n : b.given], nil
}

func (b *box) Remove(_ context.Context, l destination.Letter) error {
	b.removed = append(b.removed, l.ID)
	return nil
}

func (b *box) Return(_ context.Context, l destination.Letter) error {
	b.returned = append(b.returned, l.ID)
	return nil
}

func (b *box) String() string { return "box" }

// put writes a letter of records with these sequence numbers, one key each.
func (b *box) put(t *testing.T, id, key string, mode destination.PayloadMode, sequences ...int) {
	t.Helper()
	f := failure(key, sequences...)
	body, err := f.Envelope(destination.EnvelopeOptions{Payload: mode})
	if err != nil {
		t.Fatal(err)
	}
	b.letters = append(b.letters, destination.Letter{ID: id, Body: body})
}

func failure(key string, sequences ...int) destination.Failure {
	f := destination.Failure{
		Application: "clickstream", Stream: stream, Shard: "shardId-000000000000",
		Condition: destination.RetryAttemptsExhausted, Attempts: 2, Err: errors.New("down"), At: time.Unix(1e9, 0),
	}
	for _, n := range sequences {
		f.Records = append(f.Records, shard.Record{
			Stream: stream, Shard: f.Shard, Sequence: fmt.Sprint(n), PartitionKey: key, Keyed: true,
			Data: fmt.Append(nil, n), ArrivedAt: time.Unix(1e9, 0),
		})
	}
	return f
}

// story handles records and notes what it was given.
type story struct {
	text []string
	fail map[string]error
}

func (s *story) Handle(_ context.Context, b *batching.Batch) error {
	for i := range b.Records {
		payload := string(b.Records[i].Data)
		if err := s.fail[payload]; err != nil {
			return batching.FailFrom(&b.Records[i], err)
		}
		s.text = append(s.text, payload)
	}
	return nil
}

func (s *story) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(s.text, " "); got != want {
		t.Errorf("handled %q, want %q", got, want)
	}
}
