package towpath_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/codec"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The front door, read as a story. A shop's clicks lie on a stream of two
// shards. A worker is started and works them; a second one joins and is given
// its share; a shard is split while clicks keep coming; one of them is no JSON
// and goes to a queue. The first worker is deployed anew: it stops, hands its
// shards over, and comes back. In the end every click was stored, each visitor's
// in order, and nothing was stored twice.
func TestFrontDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := awsfake.New(awsfake.WithLatency(5 * time.Millisecond))
		cfg := cloud.Config("shop")
		frontDoor(t, place{
			kinesis: kinesis.NewFromConfig(cfg), dynamodb: dynamodb.NewFromConfig(cfg), sqs: sqs.NewFromConfig(cfg),
		})
	})
}

// TestServerFrontDoor is the same story against real servers.
func TestServerFrontDoor(t *testing.T) {
	frontDoor(t, place{
		kinesis:  kinesis.NewFromConfig(servertest.Config(t, "kinesis")),
		dynamodb: dynamodb.NewFromConfig(servertest.Config(t, "dynamodb")),
		sqs:      sqs.NewFromConfig(servertest.Config(t, "aws")),
	})
}

// place is where the story happens.
type place struct {
	kinesis  *kinesis.Client
	dynamodb *dynamodb.Client
	sqs      *sqs.Client
}

type visit struct {
	Visitor string
	Page    int
}

func frontDoor(t *testing.T, p place) {
	name := fmt.Sprintf("clicks-%d", time.Now().UnixNano()%1e9)
	shop := &shop{t: t, place: p, stream: name, pages: map[string][]int{}}
	shop.open(2)
	defer shop.close()

	// A worker is started, and works what is there.
	shop.visits(200)
	first := shop.work("first")
	shop.await("the first visits", 200)

	// A second one joins, and is given its share.
	second := shop.work("second")
	shop.until("the second worker has a shard", func() bool { return len(second.Status().Shards) == 1 })

	// A shard is split while visits keep coming.
	shop.visits(100)
	shop.split()
	shop.visits(100)
	shop.put("nobody", "this is no JSON")
	shop.visits(100)
	shop.await("the visits around the split", 500)
	shop.until("the click that is no JSON is in the queue", func() bool { return len(shop.queued()) == 1 })

	// The first worker is deployed anew.
	shop.stop(first)
	shop.visits(100)
	shop.await("the visits during the deploy", 600)
	third := shop.work("third")
	shop.visits(100)
	shop.await("the visits after the deploy", 700)
	shop.stop(second)
	shop.stop(third)

	// Nothing is left behind, and nothing happens twice.
	last := shop.work("last", func(c *consumer.Config) { c.Until = consumer.CaughtUp() })
	<-last.done
	shop.check(700)
}

// shop is what the story is about: a stream of visits, and a database behind the
// handler that notes each visitor's pages.
type shop struct {
	place
	t      *testing.T
	stream string
	queue  string
	count  int

	mu      sync.Mutex
	pages   map[string][]int
	stored  int
	failed  []string
	workers []*clerk
}

const visitors = 13

func (s *shop) open(shards int32) {
	s.t.Helper()
	ctx := s.t.Context()
	if _, err := s.kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &s.stream, ShardCount: &shards}); err != nil {
		s.t.Fatal(err)
	}
	s.active()
	queue, err := s.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(s.stream + "-failed")})
	if err != nil {
		s.t.Fatal(err)
	}
	s.queue = *queue.QueueUrl
}

func (s *shop) active() {
	s.t.Helper()
	s.until("the stream is active", func() bool {
		d, err := s.kinesis.DescribeStreamSummary(s.t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &s.stream})
		return err == nil && d.StreamDescriptionSummary.StreamStatus == kinesistypes.StreamStatusActive
	})
}

func (s *shop) close() {
	for _, w := range s.workers {
		s.stop(w)
	}
	ctx := context.WithoutCancel(s.t.Context())
	_, _ = s.kinesis.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: &s.stream})
	for _, table := range []string{s.stream, s.stream + "-sessions"} {
		_, _ = s.dynamodb.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &table})
	}
}

// visits puts n visits, each visitor's pages numbered one after the other.
func (s *shop) visits(n int) {
	s.t.Helper()
	for range n {
		v := visit{Visitor: "visitor-" + strconv.Itoa(s.count%visitors), Page: s.count / visitors}
		data, _ := json.Marshal(v)
		s.put(v.Visitor, string(data))
		s.count++
	}
}

func (s *shop) put(key, data string) {
	s.t.Helper()
	_, err := s.kinesis.PutRecord(s.t.Context(), &kinesis.PutRecordInput{StreamName: &s.stream, PartitionKey: &key, Data: []byte(data)})
	if err != nil {
		s.t.Fatal(err)
	}
}

// split splits the first open shard in its middle.
func (s *shop) split() {
	s.t.Helper()
	ctx := s.t.Context()
	shards, err := s.kinesis.ListShards(ctx, &kinesis.ListShardsInput{StreamName: &s.stream})
	if err != nil {
		s.t.Fatal(err)
	}
	// A quarter of all hashes, the middle of the first of two shards.
	middle := "85070591730234615865843651857942052863"
	_, err = s.kinesis.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: &s.stream, ShardToSplit: shards.Shards[0].ShardId, NewStartingHashKey: &middle})
	if err != nil {
		s.t.Fatal(err)
	}
	s.active()
}

// store is the handler: it writes the visitor's page down.
func (s *shop) store(_ context.Context, _ *shard.Record, v visit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[v.Visitor] = append(s.pages[v.Visitor], v.Page)
	s.stored++
	return nil
}

// clerk is one worker.
type clerk struct {
	*consumer.Consumer
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run; valid after done
}

func (s *shop) work(name string, change ...func(*consumer.Config)) *clerk {
	s.t.Helper()
	cfg := consumer.Config{
		Name:   s.stream,
		Source: kinesisshards.Open(s.kinesis, s.stream),
		Leases: dynamocheckpoint.Open(s.dynamodb, s.stream, func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
		// Each visit is decoded, and stored.
		Handler:              consumer.EachRecord(codec.JSON, s.store),
		OnFailure:            sqsdestination.Open(s.sqs, s.queue),
		BatchSize:            50,
		BisectBatchOnError:   true,
		MaximumRetryAttempts: batching.AtMost(2),
		LeaseDuration:        3 * time.Second,
		CheckpointInterval:   time.Second,
		WorkerPrefix:         name,
		Logger:               slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := consumer.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	w := &clerk{Consumer: c, cancel: cancel, done: make(chan struct{})}
	s.workers = append(s.workers, w)
	go func() {
		defer close(w.done)
		w.err = c.Run(ctx)
	}()
	return w
}

// stop stops a worker gently, if it still runs, and wants that it ended well.
func (s *shop) stop(w *clerk) {
	s.t.Helper()
	w.cancel()
	<-w.done
	if w.err != nil {
		s.t.Errorf("a worker ended with %v", w.err)
	}
}

// until waits for something, two minutes at most.
func (s *shop) until(what string, cond func() bool) {
	s.t.Helper()
	for began := time.Now(); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			s.t.Fatalf("after two minutes, still not: %s", what)
		}
	}
}

func (s *shop) await(what string, n int) {
	s.t.Helper()
	s.until(what, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.stored >= n
	})
}

// queued are the envelopes in the queue so far.
func (s *shop) queued() []string {
	out, err := s.sqs.ReceiveMessage(s.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &s.queue, MaxNumberOfMessages: 10})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range out.Messages {
		s.failed = append(s.failed, *m.Body)
	}
	return s.failed
}

func (s *shop) check(visits int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stored != visits {
		s.t.Errorf("%d visits were stored, want %d, each once", s.stored, visits)
	}
	for visitor, pages := range s.pages {
		if !slices.IsSorted(pages) {
			s.t.Errorf("the pages of %s were stored out of order: %v", visitor, pages)
		}
	}
	envelope, err := destination.ParseEnvelope([]byte(s.failed[0]))
	if err != nil {
		s.t.Fatalf("the envelope in the queue: %v", err)
	}
	failure := envelope.Failure
	if failure.Condition != destination.Rejected || len(failure.Records) != 1 || string(failure.Records[0].Data) != "this is no JSON" {
		s.t.Errorf("the queue holds %d records given up for %s, want the click that is no JSON, %s",
			len(failure.Records), failure.Condition, destination.Rejected)
	}
}
