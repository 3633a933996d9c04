package kinesisshards_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// A fleet that starts registers one consumer, reads by polling until it can be
// used, and then by subscriptions.
func TestAFleetRegistersItsConsumerOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.put(5)
		var readers []*tail
		for i := range 5 {
			source := w.worker(fmt.Sprint("worker", i))
			readers = append(readers, w.listen(source, shard.Start{}), w.listen(source, shard.Start{}))
		}
		var reading sync.WaitGroup
		for i, r := range readers {
			reading.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				r.until(5).run(time.Minute).has(w.names...)
			})
		}
		reading.Wait()
		out, err := w.client().ListStreamConsumers(t.Context(), &kinesis.ListStreamConsumersInput{StreamARN: &w.stream.ARN})
		must(t, err)
		if len(out.Consumers) != 1 || *out.Consumers[0].ConsumerName != application {
			t.Errorf("the stream has the consumers %+v, want one", out.Consumers)
		}
		if n := len(w.fake.Subscriptions(clicks)); n != 1 {
			t.Errorf("%d subscriptions to the shard, want 1", n)
		}
	}, kinesisfake.WithConsumerTime(7*time.Second))
}

// Of two readers of a shard in one process, such as those of two handlers of
// which one lags, one subscribes; they would end each other's subscription.
func TestASecondReaderOfAShardPolls(t *testing.T) {
	subscribing(t, func(t *testing.T, w *world, told *events) {
		w.put(3)
		one := w.listen(w.source, shard.Start{}).until(3)
		two := w.listen(w.source, shard.Start{}).until(3)
		w.put(3)
		one.until(6).has(w.names...)
		two.until(6).has(w.names...)
		if n := told.count(kinesisshards.FanOutSubscribed); n != 1 || w.count("GetRecords") == 0 {
			t.Errorf("%d subscriptions and %d reads by polling, want 1 and some", n, w.count("GetRecords"))
		}
		one.close()
		two.run(12 * time.Second)
		if n := told.count(kinesisshards.FanOutSubscribed); n != 2 || len(w.fake.Subscriptions(clicks)) != 1 {
			t.Errorf("%d subscriptions were made in all, want the second by the other reader", n)
		}
	}, neverPoll)
}

// A consumer that somebody deletes is registered again if it is known by its
// name; otherwise the error names it, and records come by polling.
func TestADeletedConsumerIsRegisteredAgainOrNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(w *world, f *kinesisshards.FanOut)
		again  bool
	}{
		{"by name", func(*world, *kinesisshards.FanOut) {}, true},
		{"by name, existing", func(_ *world, f *kinesisshards.FanOut) { f.Existing = true }, false},
		{"by ARN", func(w *world, f *kinesisshards.FanOut) {
			out, err := w.client().DescribeStreamConsumer(w.t.Context(), &kinesis.DescribeStreamConsumerInput{StreamARN: &w.stream.ARN, ConsumerName: aws.String(application)})
			must(w.t, err)
			f.Consumer = *out.ConsumerDescription.ConsumerARN
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			subscribing(t, func(t *testing.T, w *world, told *events) {
				source := w.worker("tester", told.tell, func(f *kinesisshards.FanOut) { c.change(w, f) })
				r := w.listen(source, shard.Start{})
				w.put(3)
				r.until(3).run(10 * time.Second)
				must(t, w.fake.DeregisterConsumer(clicks, application))
				w.put(3)
				r.until(6).run(time.Minute)
				w.put(3)
				began := time.Now()
				r.until(9).has(w.names...)
				if took := time.Since(began); took > 1100*time.Millisecond {
					t.Errorf("a record took %s, want what polling takes", took)
				}
				if n := len(w.fake.Subscriptions(clicks)); (n == 1) != c.again {
					t.Errorf("%d subscriptions, want one: %t", n, c.again)
				}
				named := slices.ContainsFunc(r.errs, func(err error) bool {
					return errors.Is(err, kinesisshards.ErrNoConsumer) && strings.Contains(err.Error(), application)
				})
				if !c.again && !named {
					t.Errorf("no error says which consumer is missing: %v", r.errs)
				}
			}, nil, kinesisfake.WithConsumerTime(3*time.Second))
		})
	}
}

func TestFanOutOptionsThatCannotWorkAreToldTogether(t *testing.T) {
	var client kinesis.Client
	for _, c := range []struct {
		name   string
		client kinesisshards.Client
		stream string
		change func(*kinesisshards.FanOut)
		want   []string
	}{
		{"nothing wrong", &client, clicks, func(*kinesisshards.FanOut) {}, nil},
		{"ARN", &client, clicks, func(f *kinesisshards.FanOut) {
			f.Consumer = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks/consumer/a:1"
		}, nil},
		{"all", &client, clicks, func(f *kinesisshards.FanOut) {
			f.Consumer, f.Silence, f.Fallback = "", time.Second, 7
		}, []string{"FanOut.Consumer", "FanOut.Silence is 1s", "FanOut.Fallback is 7"}},
		{"client", &script{}, clicks, func(*kinesisshards.FanOut) {}, []string{"SubscribeToShard"}},
		{"another stream's", &client, clicks, func(f *kinesisshards.FanOut) {
			f.Consumer = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders/consumer/a:1"
		}, []string{"orders", "clicks"}},
		{"no consumer's ARN", &client, clicks, func(f *kinesisshards.FanOut) {
			f.Consumer = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
		}, []string{"FanOut.Consumer", "/consumer/"}},
	} {
		err := kinesisshards.Open(c.client, c.stream, fanOut(c.change)).Validate()
		if (err == nil) != (len(c.want) == 0) {
			t.Errorf("%s: got %v", c.name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %q", c.name, err, want)
			}
		}
	}
}
