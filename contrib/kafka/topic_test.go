package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/towpath/towpath/contrib/kafka"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
)

// cluster is a Kafka in the process, on a loopback port, with a topic of three
// partitions.
func cluster(t testing.TB) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func client(t testing.TB, c *kfake.Cluster, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordDeliveryTimeout(5 * time.Second)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// readAll reads everything that lies in the topic, partition by partition.
func readAll(t *testing.T, c *kfake.Cluster) (all []*kgo.Record) {
	t.Helper()
	var missing int64
	starts := map[string]map[int32]kgo.Offset{"orders": {}}
	for p := range int32(3) {
		info := c.PartitionInfo("orders", p)
		missing += info.HighWatermark
		starts["orders"][p] = kgo.NewOffset().AtStart()
	}
	reader := client(t, c, kgo.ConsumePartitions(starts))
	defer reader.Close()
	for int64(len(all)) < missing {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		fetches := reader.PollFetches(ctx)
		cancel()
		if err := fetches.Err(); err != nil {
			t.Fatalf("read the topic: %v", err)
		}
		all = append(all, fetches.Records()...)
	}
	slices.SortStableFunc(all, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	return all
}

func headers(r *kgo.Record) map[string]string {
	all := map[string]string{}
	for _, h := range r.Headers {
		all[h.Key] = string(h.Value)
	}
	return all
}

// moody is a client that refuses what it is told to, as a broker would.
type moody struct {
	kafka.API
	mu     sync.Mutex
	refuse func(value []byte) bool
	calls  []destinationtest.Call
}

func (m *moody) set(refuse func([]byte) bool) (restore func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = refuse
	return func() { m.set(nil) }
}

func (m *moody) ProduceSync(ctx context.Context, records ...*kgo.Record) (results kgo.ProduceResults) {
	m.mu.Lock()
	refuse := m.refuse
	m.calls = append(m.calls, destinationtest.Call{Records: len(records)})
	m.mu.Unlock()
	var sent []*kgo.Record
	for _, r := range records {
		if refuse != nil && refuse(r.Value) {
			results = append(results, kgo.ProduceResult{Record: r, Err: kerr.PolicyViolation})
		} else {
			sent = append(sent, r)
		}
	}
	if len(sent) > 0 {
		results = append(results, m.API.ProduceSync(ctx, sent...)...)
	}
	slices.Reverse(results) // a client promises no order
	return results
}

func everything([]byte) bool { return true }

// besideFailure is what a sample's record counts beside value and headers.
func besideFailure() int {
	f := destinationtest.Sample(1)
	return 110 + len(f.Shard) + 10*len(f.Attributes())
}

func TestTopicIsADestination(t *testing.T) {
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		c := cluster(t)
		m := &moody{API: client(t, c)}
		return destinationtest.Rig{
			Destination: kafka.Open(m, "orders"),
			MaxBytes:    kafka.MaxBytes - besideFailure(),
			Attributed:  true,
			Accepted: func(t *testing.T) (all []destinationtest.Accepted) {
				for _, r := range readAll(t, c) {
					all = append(all, destinationtest.Accepted{Body: r.Value, Attributes: headers(r)})
				}
				return all
			},
			Refuse: func(*testing.T) func() { return m.set(everything) },
		}
	})
}

func TestTopicIsAPublisher(t *testing.T) {
	for name, unordered := range map[string]bool{"Ordered": false, "Unordered": true} {
		t.Run(name, func(t *testing.T) {
			destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
				c := cluster(t)
				m := &moody{API: client(t, c)}
				return destinationtest.PublisherRig{
					Publisher: kafka.Open(m, "orders", func(o *kafka.Options) { o.Unordered = unordered }),
					MaxBytes:  kafka.MaxBytes, BatchLimit: 500, Attributed: true, Free: unordered,
					Calls: func(*testing.T) []destinationtest.Call {
						m.mu.Lock()
						defer m.mu.Unlock()
						return slices.Clone(m.calls)
					},
					Published: func(t *testing.T) (all []destinationtest.Published) {
						for _, r := range readAll(t, c) {
							p := destinationtest.Unwrap(t, destination.FormBytes, r.Value, headers(r))
							p.Bytes = size(r)
							all = append(all, p)
						}
						return all
					},
					RefuseSome: func(_ *testing.T, refuse func([]byte) bool) func() { return m.set(refuse) },
					Refuse:     func(*testing.T) func() { return m.set(everything) },
				}
			})
		})
	}
}

// size counts as the topic's limit does.
func size(r *kgo.Record) int {
	n := 110 + len(r.Value) + len(r.Key)
	for _, h := range r.Headers {
		n += 10 + len(h.Key) + len("String") + len(h.Value)
	}
	return n
}

// What the reckoning takes for the largest record is one that the client and the
// broker take.
func TestLargestRecordThatIsReckonedIsTaken(t *testing.T) {
	c := cluster(t)
	topic := kafka.Open(client(t, c), "orders")
	e := destinationtest.SampleEmitted(1, 1)
	e[0].Data = make([]byte, kafka.MaxBytes-2000)
	if err := topic.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if all := readAll(t, c); len(all) != 1 || len(all[0].Value) != kafka.MaxBytes-2000 {
		t.Errorf("the topic holds %d records", len(all))
	}
}

func TestMissingTopicIsReadable(t *testing.T) {
	topic := kafka.Open(client(t, cluster(t), kgo.UnknownTopicRetries(1)), "missing")
	for _, err := range []error{topic.Send(t.Context(), destinationtest.Sample(1)), topic.Publish(t.Context(), destinationtest.SampleEmitted(1, 1))} {
		if err == nil || !strings.Contains(err.Error(), "there is no such topic in this cluster") || !strings.Contains(err.Error(), "kafka://missing") {
			t.Errorf("error %v, want one that says what is missing", err)
		}
	}
}

func TestValidateSaysAllAtOnce(t *testing.T) {
	topic := kafka.Open(nil, "kafka://orders", func(o *kafka.Options) { o.MaxBytes, o.Key = 100, nil })
	err := topic.Validate()
	for _, want := range []string{"the client is nil", `the topic is "kafka://orders"`, "Key is nil", "MaxBytes is 100"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := topic.Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Send: error %v, want ErrRefused", err)
	}
	if err := topic.Publish(t.Context(), destinationtest.SampleEmitted(1, 1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Publish: error %v, want ErrRefused", err)
	}
}

func ExampleOpen() {
	// In production the brokers are a cluster's.
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "failed"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordDeliveryTimeout(10*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	// Set as OnFailure of a consumer. Here a failure is sent by hand.
	onFailure := kafka.Open(client, "failed")
	fmt.Println(onFailure, onFailure.Send(context.Background(), destinationtest.Sample(2)))
	// Output: kafka://failed <nil>
}
