package dynamocheckpoint_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

const stateShard = "shardId-000000000000"

// stateful is a table with a row that anna holds, beside a bucket.
func stateful(t *testing.T, options ...func(*dynamocheckpoint.Options)) (*dynamocheckpoint.Table, *awsfake.AWS, shard.Lease) {
	t.Helper()
	fake := awsfake.New()
	fake.Handle("dynamodb", dynamofake.New(time.Now))
	if err := fake.S3().CreateBucket("states"); err != nil {
		t.Fatal(err)
	}
	table := openOver(fake, "anna", options...)
	if err := errors.Join(table.Prepare(t.Context(), shard.Stream{ARN: "arn:clicks"}), table.PrepareStates(t.Context())); err != nil {
		t.Fatal(err)
	}
	epoch, err := table.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Create(t.Context(), epoch, []shard.Lease{{Key: stateShard}}); err != nil {
		t.Fatal(err)
	}
	return table, fake, take(t, table, "anna")
}

func openOver(fake *awsfake.AWS, caller string, options ...func(*dynamocheckpoint.Options)) *dynamocheckpoint.Table {
	return dynamocheckpoint.Open(dynamodb.NewFromConfig(fake.Config(caller)), "clickstream", append([]func(*dynamocheckpoint.Options){
		func(o *dynamocheckpoint.Options) {
			o.CreateTables = true
			o.Overflow = dynamocheckpoint.S3Overflow(s3.NewFromConfig(fake.Config(caller)), "states", "clickstream")
		},
	}, options...)...)
}

func take(t *testing.T, table *dynamocheckpoint.Table, me string) shard.Lease {
	t.Helper()
	row, err := table.Get(t.Context(), stateShard)
	if err != nil {
		t.Fatal(err)
	}
	held, err := table.Take(t.Context(), row, me, "")
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// at is progress with one state.
func at(sequence string, state []byte) checkpoint.Progress {
	return checkpoint.Progress{Position: shard.After(sequence, 0), States: map[string][]byte{"": state}}
}

func save(t *testing.T, table *dynamocheckpoint.Table, held shard.Lease, p checkpoint.Progress) shard.Lease {
	t.Helper()
	now, err := table.Save(t.Context(), held, held.Owner, p)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func objectsIn(fake *awsfake.AWS) []string {
	return slices.Sorted(maps.Keys(fake.S3().Objects("states")))
}

func large(b byte) []byte { return bytes.Repeat([]byte{b}, 500_000) }

// A state that does not fit its item is an object, of which there is one: the
// one before it is deleted when the row that replaces it has been written.
func TestLargeStateIsOneObjectAtATime(t *testing.T) {
	table, fake, held := stateful(t)
	for i, b := range []byte{1, 2, 3} {
		held = save(t, table, held, at([]string{"100", "200", "300"}[i], large(b)))
		got, err := table.State(t.Context(), held, "")
		if err != nil || !bytes.Equal(got, large(b)) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
		if keys := objectsIn(fake); len(keys) != 1 || !strings.HasPrefix(keys[0], "clickstream/") {
			t.Fatalf("the bucket holds %v, want one object below the prefix", keys)
		}
	}
	// Another worker knows of the object from its reading of the state.
	other := openOver(fake, "bert")
	held = take(t, other, "bert")
	if got, err := other.State(t.Context(), held, ""); err != nil || !bytes.Equal(got, large(3)) {
		t.Fatalf("bert got %d bytes, %v", len(got), err)
	}
	held = save(t, other, held, at("400", []byte("small")))
	if keys := objectsIn(fake); len(keys) != 0 {
		t.Errorf("the bucket holds %v after a small state", keys)
	}
	save(t, other, held, at("500", large(4)))
	if err := table.DropStates(t.Context(), stateShard); err != nil {
		t.Fatal(err)
	}
	if keys := objectsIn(fake); len(keys) != 0 {
		t.Errorf("the bucket holds %v after the drop", keys)
	}
}

// What a worker writes that has lost the lease stands beside what the row refers
// to, and not over it; and it goes when the states are dropped.
func TestZombieCannotTouchTheObjectOfANewerRow(t *testing.T) {
	zombie, fake, old := stateful(t)
	old = save(t, zombie, old, at("100", large(1)))
	table := openOver(fake, "bert")
	held := save(t, table, take(t, table, "bert"), at("200", large(2)))
	if _, err := zombie.Save(t.Context(), old, "anna", at("200", large(3))); !errors.Is(err, checkpoint.ErrFenced) {
		t.Fatalf("got error %v, want %v", err, checkpoint.ErrFenced)
	}
	if got, err := table.State(t.Context(), held, ""); err != nil || !bytes.Equal(got, large(2)) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if err := table.DropStates(t.Context(), stateShard); err != nil {
		t.Fatal(err)
	}
	if keys := objectsIn(fake); len(keys) != 0 {
		t.Errorf("the bucket holds %v after the drop", keys)
	}
}

// An answer that was lost leaves an object that the row may refer to; it is
// deleted by the write that settles it.
func TestObjectOfALostAnswerIsKeptUntilTheNextWrite(t *testing.T) {
	for name, fault := range map[string]awsfake.Fault{"applied": awsfake.LoseAnswer(), "not applied": awsfake.Lose()} {
		t.Run(name, func(t *testing.T) {
			table, fake, held := stateful(t, func(o *dynamocheckpoint.Options) { o.Timeout = 200 * time.Millisecond })
			held = save(t, table, held, at("100", large(1)))
			remove := fake.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
				if c.Operation == "TransactWriteItems" {
					return fault
				}
				return awsfake.Fault{}
			})
			if _, err := table.Save(t.Context(), held, "anna", at("200", large(2))); err == nil || errors.Is(err, checkpoint.ErrFenced) {
				t.Fatalf("got error %v, want one that leaves it open", err)
			}
			remove()
			row, err := table.Get(t.Context(), stateShard)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string][]byte{"100": large(1), "200": large(2)}[row.Checkpoint.Sequence]
			if got, err := table.State(t.Context(), row, ""); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("at %v: got %d bytes, %v", row.Checkpoint, len(got), err)
			}
			save(t, table, row, at("300", large(3)))
			if keys := objectsIn(fake); len(keys) != 1 {
				t.Errorf("the bucket holds %v, want one object", keys)
			}
		})
	}
}

func TestStateThatCannotBeKeptOrBelievedIsSaid(t *testing.T) {
	says := func(t *testing.T, err error, words ...string) {
		t.Helper()
		if err == nil {
			t.Fatal("there is no error")
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("error %q does not say %q", err, word)
			}
		}
	}
	none := func(o *dynamocheckpoint.Options) { o.Overflow = nil }
	t.Run("too large without an overflow", func(t *testing.T) {
		table, _, held := stateful(t, none)
		_, err := table.Save(t.Context(), held, "anna", at("100", large(1)))
		says(t, err, "Options.Overflow", "500000 bytes", stateShard)
		if now, err := table.Get(t.Context(), stateShard); err != nil || now.Counter != held.Counter {
			t.Errorf("the row is %v, %v", now, err)
		}
	})
	t.Run("an object, without the overflow it is in", func(t *testing.T) {
		table, fake, held := stateful(t)
		held = save(t, table, held, at("100", large(1)))
		_, err := openOver(fake, "bert", none).State(t.Context(), held, "")
		says(t, err, "Options.Overflow", stateShard)
	})
	t.Run("an object that is gone", func(t *testing.T) {
		table, fake, held := stateful(t)
		held = save(t, table, held, at("100", large(1)))
		overflow := dynamocheckpoint.S3Overflow(s3.NewFromConfig(fake.Config("hand")), "states", "clickstream")
		if err := overflow.Delete(t.Context(), strings.TrimPrefix(objectsIn(fake)[0], "clickstream/")); err != nil {
			t.Fatal(err)
		}
		_, err := table.State(t.Context(), held, "")
		says(t, err, "s3://states/clickstream/", "get")
	})
	t.Run("an object that was changed", func(t *testing.T) {
		table, fake, held := stateful(t)
		held = save(t, table, held, at("100", large(1)))
		overflow := dynamocheckpoint.S3Overflow(s3.NewFromConfig(fake.Config("hand")), "states", "clickstream")
		if err := overflow.Put(t.Context(), strings.TrimPrefix(objectsIn(fake)[0], "clickstream/"), large(2)); err != nil {
			t.Fatal(err)
		}
		_, err := table.State(t.Context(), held, "")
		says(t, err, "SHA-256")
	})
	t.Run("a row that was changed by hand", func(t *testing.T) {
		table, fake, held := stateful(t)
		held = save(t, table, held, at("100", []byte("seven")))
		client := dynamodb.NewFromConfig(fake.Config("hand"))
		key := map[string]types.AttributeValue{
			"leaseKey": &types.AttributeValueMemberS{Value: stateShard}, "part": &types.AttributeValueMemberS{Value: "handler/"},
		}
		row, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("clickstream-state"), Key: key})
		if err != nil {
			t.Fatal(err)
		}
		was := row.Item["state"].(*types.AttributeValueMemberB).Value
		for what, body := range map[string][]byte{
			"SHA-256":       bytes.Replace(was, []byte("seven"), []byte("eight"), 1),
			"format 2":      bytes.Replace(was, []byte("format\x01"), []byte("format\x02"), 1),
			"no envelope":   was[:len(was)/2],
			"no envelope: ": bytes.Repeat([]byte{0x91}, 1000),
		} {
			row.Item["state"] = &types.AttributeValueMemberB{Value: body}
			if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("clickstream-state"), Item: row.Item}); err != nil {
				t.Fatal(err)
			}
			_, err := table.State(t.Context(), held, "")
			says(t, err, what, stateShard)
		}
	})
}

// Several states share what one transaction may hold: those that come last in
// the order of their names go to the overflow.
func TestStatesShareTheRoomOfATransaction(t *testing.T) {
	table, fake, held := stateful(t)
	p := checkpoint.Progress{Position: shard.After("100", 0), States: map[string][]byte{}}
	for i := range 14 {
		p.States[string(rune('a'+i))] = large(byte(i))[:350_000]
	}
	held = save(t, table, held, p)
	for handler, want := range p.States {
		if got, err := table.State(t.Context(), held, handler); err != nil || !bytes.Equal(got, want) {
			t.Errorf("handler %s: got %d bytes, %v", handler, len(got), err)
		}
	}
	if n := len(objectsIn(fake)); n < 2 || n > 5 {
		t.Errorf("the bucket holds %d objects, want the few that had no room", n)
	}
}
