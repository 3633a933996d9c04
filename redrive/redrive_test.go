package redrive_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/filedestination"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/redrive"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

const stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"

func TestLettersAreHandledInOrderAndRemoved(t *testing.T) {
	b, s := &box{}, &story{}
	b.put(t, "c", "k", destination.PayloadFull, 100, 101)
	b.put(t, "a", "k", destination.PayloadFull, 9)
	b.put(t, "a again", "k", destination.PayloadFull, 9)
	b.put(t, "b", "k", destination.PayloadFull, 10, 11)
	got, err := redrive.Run(t.Context(), redrive.Config{From: b, Handler: s})
	if err != nil {
		t.Fatal(err)
	}
	s.want(t, "9 10 11 100 101")
	slices.Sort(b.removed)
	if fmt.Sprint(b.removed) != "[a a again b c]" || len(b.returned) != 0 {
		t.Errorf("removed %q, returned %q", b.removed, b.returned)
	}
	if got.Letters[redrive.Handled] != 3 || got.Letters[redrive.Duplicate] != 1 || got.Records != 5 {
		t.Errorf("summary %+v", got)
	}
}

func TestWhatFailsStaysAndHoldsBackItsKeyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := &box{}, &story{fail: map[string]error{"2": errors.New("still down")}}
		b.put(t, "a", "ada", destination.PayloadFull, 1, 2, 3)
		b.put(t, "b", "bob", destination.PayloadFull, 4)
		b.put(t, "c", "ada", destination.PayloadFull, 5)
		b.letters = append(b.letters, destination.Letter{ID: "rubbish", Body: []byte("{}")})
		var fates []string
		began := time.Now()
		got, err := redrive.Run(t.Context(), redrive.Config{From: b, Handler: s, Attempts: 4, Report: func(f redrive.Fate) {
			fates = append(fates, f.Letter.ID+" "+string(f.Outcome))
			if f.Outcome == redrive.Failed && (f.Err == nil || !strings.Contains(f.Err.Error(), "still down")) {
				t.Errorf("fate %+v does not say why", f)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		s.want(t, "1 4") // the first is not handled again by the later attempts
		if want := "rubbish unreadable, a failed, b handled, c held back"; strings.Join(fates, ", ") != want {
			t.Errorf("fates %q, want %q", fates, want)
		}
		if slices.Sort(b.returned); fmt.Sprint(b.removed, b.returned) != "[b] [a c rubbish]" {
			t.Errorf("removed %q, returned %q", b.removed, b.returned)
		}
		if took := time.Since(began); took != 7*time.Second || got.Records != 1 {
			t.Errorf("four attempts took %v, want 1+2+4 seconds; summary %+v", took, got)
		}
	})
}

func TestWaitingBurnsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &box{}
		b.put(t, "a", "k", destination.PayloadFull, 1)
		calls := 0
		_, err := redrive.Run(t.Context(), redrive.Config{From: b, Attempts: 1, Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
			if calls++; calls < 10 {
				return batching.RetryAfter(time.Minute, errors.New("throttled"))
			}
			return nil
		})})
		if err != nil || calls != 10 || len(b.removed) != 1 {
			t.Errorf("%d calls, removed %q, error %v", calls, b.removed, err)
		}
	})
}

// What a destination can never accept is not tried again, letter by letter.
func TestWhatIsRefusedForGoodIsTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, calls, began := &box{}, 0, time.Now()
		for i := range 5 {
			b.put(t, fmt.Sprint(i), fmt.Sprint("k", i), destination.PayloadFull, i+1)
		}
		got, err := redrive.Run(t.Context(), redrive.Config{From: b, Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
			calls++
			return fmt.Errorf("put back: %w", &destination.PublishError{Destination: "s", Err: fmt.Errorf("%w: access denied", destination.ErrRefused)})
		})})
		if err != nil || calls != 5 || time.Since(began) > 0 || got.Letters[redrive.Failed] != 5 {
			t.Errorf("%d calls in %v, %+v, %v", calls, time.Since(began), got, err)
		}
	})
}

func TestADryRunTouchesNothing(t *testing.T) {
	b := &box{}
	b.put(t, "a", "k", destination.PayloadFull, 1)
	b.put(t, "b", "k", destination.PayloadNone, 2)
	b.put(t, "c", "other", destination.PayloadFull, 3)
	got, err := redrive.Run(t.Context(), redrive.Config{From: b, DryRun: true, Match: func(e *destination.Envelope) bool { return e.First != "3" }})
	if err != nil || len(b.removed) != 0 || len(b.returned) != 3 {
		t.Errorf("removed %q, returned %q, error %v", b.removed, b.returned, err)
	}
	if got.Letters[redrive.Ready] != 1 || got.Letters[redrive.Unreadable] != 1 || got.Letters[redrive.Skipped] != 1 {
		t.Errorf("summary %+v", got)
	}
}

func TestAnErrorOfTheMailboxOrAnEndReturnsEveryLetter(t *testing.T) {
	b := &box{broken: errors.New("the road is closed")}
	b.put(t, "a", "k", destination.PayloadFull, 1)
	if _, err := redrive.Run(t.Context(), redrive.Config{From: b, Handler: &story{}}); !errors.Is(err, b.broken) || fmt.Sprint(b.returned) != "[a]" {
		t.Errorf("error %v, returned %q", err, b.returned)
	}
	ended, end := context.WithCancel(t.Context())
	b = &box{}
	b.put(t, "a", "k", destination.PayloadFull, 1)
	b.put(t, "b", "k", destination.PayloadFull, 2)
	b.put(t, "c", "other", destination.PayloadFull, 3)
	_, err := redrive.Run(ended, redrive.Config{From: b, Handler: consumer.HandlerFunc(func(ctx context.Context, _ *batching.Batch) error {
		end()
		return ctx.Err()
	})})
	if slices.Sort(b.returned); !errors.Is(err, context.Canceled) || fmt.Sprint(b.returned) != "[a b c]" || len(b.removed) != 0 {
		t.Errorf("error %v, returned %q, removed %q", err, b.returned, b.removed)
	}
}

// sluggish takes a second to take a letter back, and refuses some.
type sluggish struct {
	box
	refuses int
}

func (s *sluggish) Return(ctx context.Context, l destination.Letter) error {
	if err := clock.Sleep(ctx, time.Second); err != nil {
		return err
	}
	if s.refuses--; s.refuses >= 0 {
		return errors.New("not now")
	}
	return s.box.Return(ctx, l)
}

// However many letters there are, all are returned; only a run that was ended, or a
// mailbox that takes none, is not waited for without end.
func TestReturningTakesTheTimeThatItTakes(t *testing.T) {
	for _, c := range []struct {
		letters, refuses, returned int
		ended                      bool
	}{{500, 0, 500, false}, {500, 3, 497, false}, {500, 500, 0, false}, {500, 0, 31, true}} {
		synctest.Test(t, func(t *testing.T) {
			s := &sluggish{refuses: c.refuses}
			for i := range c.letters {
				s.put(t, fmt.Sprint(i), "k", destination.PayloadFull, i)
			}
			ctx, end := context.WithCancel(t.Context())
			defer end()
			_, err := redrive.Run(ctx, redrive.Config{From: s, DryRun: true, Report: func(redrive.Fate) {
				if c.ended {
					end()
				}
			}})
			if len(s.returned) != c.returned || (err == nil) != (c.returned == c.letters) {
				t.Errorf("%+v: returned %d, %v", c, len(s.returned), err)
			}
			if c.refuses == c.letters && !strings.Contains(err.Error(), "490 letters were not returned to box") {
				t.Errorf("a mailbox that takes none: %v", err)
			}
		})
	}
}

func TestHandlersThatARedriveCanNotServeSayWhy(t *testing.T) {
	for want, h := range map[string]func(b *batching.Batch) error{
		"deferred":                            func(b *batching.Batch) error { b.Defer(); return nil },
		"attached effects":                    func(b *batching.Batch) error { b.Attach(1); return nil },
		"emitted records, and Publish is not": func(b *batching.Batch) error { b.Emit(batching.Emitted{}); return nil },
		"handler panicked: boom":              func(*batching.Batch) error { panic("boom") },
		"never":                               func(b *batching.Batch) error { return batching.Reject(b.First(), errors.New("never")) },
	} {
		b := &box{}
		b.put(t, "a", "k", destination.PayloadFull, 1)
		var why error
		_, err := redrive.Run(t.Context(), redrive.Config{
			From: b, Attempts: 1, Report: func(f redrive.Fate) { why = f.Err },
			Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error { return h(b) }),
		})
		if err != nil || why == nil || !strings.Contains(why.Error(), want) || len(b.removed) != 0 {
			t.Errorf("error %v, fate %v, removed %q; want a fate of %q", err, why, b.removed, want)
		}
	}
}

func TestProblemsOfTheConfigAreReportedAtOnce(t *testing.T) {
	_, err := redrive.Run(t.Context(), redrive.Config{Limit: -1, MaximumBytes: -1, Attempts: -1})
	for _, want := range []string{"From is missing", "Handler is missing", "Limit is -1", "MaximumBytes is -1", "Attempts is -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	wrong := redrive.Config{From: s3destination.OpenMailbox(nil, "s3://failures", ""), Handler: &consumer.Collect{}, Source: kinesisshards.Open(nil, "clicks")}
	_, err = redrive.Run(t.Context(), wrong)
	for _, want := range []string{"From: the client is nil", `From: the bucket is "s3://failures"`, "Handler: Flush is missing", "Source: client is nil"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	_, err = redrive.Run(t.Context(), redrive.Config{From: sqsdestination.OpenMailbox(nil, "arn:aws:sqs:us-east-1:1:failures"), DryRun: true})
	for _, want := range []string{"From: the client is nil", `From: the queue is "arn:aws:sqs:us-east-1:1:failures", an ARN`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if _, err = redrive.Run(t.Context(), redrive.Config{From: filedestination.OpenMailbox(""), DryRun: true}); err == nil || !strings.Contains(err.Error(), "From: the path is empty") {
		t.Errorf("error %v does not say that the path is empty", err)
	}
	m := sqsdestination.OpenMailbox(nil, "https://queue", func(o *sqsdestination.MailboxOptions) { o.Visibility = 0 })
	if _, err := redrive.Run(t.Context(), redrive.Config{From: m, Handler: &story{}}); err == nil || !strings.Contains(err.Error(), "From: Visibility is 0s") {
		t.Errorf("error %v", err)
	}
}

// Lambda's own letters, and those of a destination that keeps payloads out, have
// no payload. Their records are read again from the stream, the lanes of which
// may have mixed others among them.
func TestMetadataIsReadAgainFromTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := awsfake.New()
		if err := cloud.Kinesis().CreateStream("clicks", 1); err != nil {
			t.Fatal(err)
		}
		var sequences []string
		var shardID string
		for i := range 50 {
			id, sequence, err := cloud.Kinesis().Put("clicks", "k", fmt.Append(nil, i))
			if err != nil {
				t.Fatal(err)
			}
			shardID, sequences = id, append(sequences, sequence)
			time.Sleep(time.Second)
		}
		source := kinesisshards.Open(kinesis.NewFromConfig(cloud.Config("redrive")), "clicks")
		about, err := source.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		letter := func(id string, from, to int, arn string) destination.Letter {
			body, err := json.Marshal(map[string]any{
				"requestContext":  map[string]any{"requestId": "c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5", "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:f", "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 1},
				"responseContext": map[string]any{"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
				"version":         "1.0", "timestamp": time.Now(),
				"KinesisBatchInfo": map[string]any{
					"shardId": shardID, "startSequenceNumber": sequences[from], "endSequenceNumber": sequences[to], "batchSize": to - from + 1, "streamArn": arn,
					"approximateArrivalOfFirstRecord": time.Now().Add(time.Duration(from-50) * time.Second), "approximateArrivalOfLastRecord": time.Now().Add(time.Duration(to-50) * time.Second),
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			return destination.Letter{ID: id, Body: body}
		}
		b, s := &box{letters: []destination.Letter{letter("b", 48, 49, about.ARN), letter("a", 7, 10, about.ARN), letter("c", 1, 2, "arn:aws:kinesis:::stream/other")}}, &story{}
		if _, err := redrive.Run(t.Context(), redrive.Config{From: b, Handler: s, Source: source}); err != nil {
			t.Fatal(err)
		}
		s.want(t, "7 8 9 10 48 49")
		if fmt.Sprint(b.removed, b.returned) != "[a b] [c]" {
			t.Errorf("removed %q, returned %q, want the letter of another stream to stay", b.removed, b.returned)
		}

		// A day later retention has passed half of a letter's records.
		again := &box{letters: []destination.Letter{letter("old", 20, 30, about.ARN)}}
		time.Sleep(24*time.Hour - 25*time.Second)
		got, err := redrive.Run(t.Context(), redrive.Config{From: again, Handler: s, Source: source})
		if err != nil || got.Letters[redrive.Trimmed] != 1 || len(again.removed) != 0 {
			t.Errorf("summary %+v, removed %q, error %v; want it trimmed, and to stay", got, again.removed, err)
		}
	})
}

// A queue, a bucket and a file, each filled by its own destination.
func TestEveryMailboxGivesWhatItsDestinationTook(t *testing.T) {
	ctx := t.Context()
	cloud := awsfake.New()
	queues, buckets := sqs.NewFromConfig(cloud.Config("redrive")), s3.NewFromConfig(cloud.Config("redrive"), func(o *s3.Options) { o.UsePathStyle = true })
	made, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("failed")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := buckets.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("failed")}); err != nil {
		t.Fatal(err)
	}
	store := s3destination.Open(buckets, "failed", func(o *s3destination.Options) { o.Prefix = "claims" })
	path := filepath.Join(t.TempDir(), "failed.ndjson")
	for name, c := range map[string]struct {
		to   destination.Destination
		open func() destination.Mailbox
	}{
		"sqs": {
			sqsdestination.Open(queues, *made.QueueUrl, func(o *sqsdestination.Options) { o.Store = store }),
			func() destination.Mailbox {
				return sqsdestination.OpenMailbox(queues, *made.QueueUrl, func(o *sqsdestination.MailboxOptions) { o.Wait = 0 })
			},
		},
		"s3":   {s3destination.Open(buckets, "failed", func(o *s3destination.Options) { o.Prefix = "letters" }), func() destination.Mailbox { return s3destination.OpenMailbox(buckets, "failed", "letters/") }},
		"file": {filedestination.Open(path), func() destination.Mailbox { return filedestination.OpenMailbox(path) }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{30, 1, 20, 2} {
				f := failure("k", n)
				if n == 20 {
					f.Records[0].Data = []byte(strings.Repeat("x", 2<<20)) // a claim check, where there is a limit
				}
				if err := c.to.Send(ctx, f); err != nil {
					t.Fatal(err)
				}
			}
			s := &story{fail: map[string]error{"30": errors.New("down")}}
			run := func() redrive.Summary {
				got, err := redrive.Run(ctx, redrive.Config{From: c.open(), Handler: s, Load: s3destination.OpenLoader(buckets), Attempts: 1})
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			if got := run(); got.Letters[redrive.Handled] != 3 || got.Letters[redrive.Failed] != 1 || len(s.text) != 3 || s.text[0] != "1" || s.text[1] != "2" || len(s.text[2]) != 2<<20 {
				t.Fatalf("summary %+v, handled %.20q", got, s.text)
			}
			s.fail = nil
			if got := run(); got.Letters[redrive.Handled] != 1 || len(s.text) != 4 || s.text[3] != "30" {
				t.Fatalf("second run: summary %+v, handled %.20q", got, s.text)
			}
			if got := run(); len(got.Letters) != 0 {
				t.Fatalf("third run: summary %+v, want an empty mailbox", got)
			}
		})
	}
	if text, err := os.ReadFile(path); err != nil || strings.Count(string(text), "\n") != 4 {
		t.Errorf("the file was changed: %d lines, error %v", strings.Count(string(text), "\n"), err)
	}
}

func TestNotificationsOfATopicAreOpened(t *testing.T) {
	b, s := &box{}, &story{}
	b.put(t, "a", "k", destination.PayloadFull, 1)
	wrapped, err := json.Marshal(map[string]string{"Type": "Notification", "TopicArn": "arn:aws:sns:::t", "Message": string(b.letters[0].Body)})
	if err != nil {
		t.Fatal(err)
	}
	b.letters[0].Body = wrapped
	if _, err := redrive.Run(t.Context(), redrive.Config{From: b, Handler: s}); err != nil {
		t.Fatal(err)
	}
	s.want(t, "1")
}

// publisher notes what is put back.
type publisher struct{ got []batching.Emitted }

func (p *publisher) Publish(_ context.Context, records []batching.Emitted) error {
	p.got = append(p.got, records...)
	return nil
}

func (p *publisher) String() string { return "publisher" }

func TestRecordsArePutBackAsTheyWere(t *testing.T) {
	b, p := &box{}, &publisher{}
	b.put(t, "a", "ada", destination.PayloadFull, 1, 2)
	if _, err := redrive.Run(t.Context(), redrive.Config{From: b, Handler: redrive.PutBack(p)}); err != nil {
		t.Fatal(err)
	}
	if len(p.got) != 2 || p.got[1].Key != "ada" || string(p.got[1].Data) != "2" || p.got[1].ID != stream+"/shardId-000000000000/2" {
		t.Errorf("put back %+v", p.got)
	}
}

func ExampleRun() {
	b := &box{}
	f := failure("ada", 7)
	body, _ := f.Envelope(destination.EnvelopeOptions{})
	b.letters = append(b.letters, destination.Letter{ID: "1", Body: body})
	summary, err := redrive.Run(context.Background(), redrive.Config{
		From: b, // sqsdestination.OpenMailbox(client, queueURL) in a service
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			fmt.Println("again:", string(b.First().Data))
			return nil
		}),
	})
	fmt.Println(summary.Records, "record handled,", summary.Letters[redrive.Failed], "letters failed,", err)
	// Output:
	// again: 7
	// 1 record handled, 0 letters failed, <nil>
}
