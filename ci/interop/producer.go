package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/ci/traffic"
)

const (
	keyCount      = 48 // on few shards, so that each has some
	keysPerPut    = 6
	betweenPuts   = 150 * time.Millisecond
	mostInOne     = 40  // user records of one aggregated record
	aggregateOdds = 0.2 // how many of the records put are aggregated ones
)

// producer puts numbered records of every key, in the order of their numbers: a
// record is put when the one before it was accepted.
type producer struct {
	stream    traffic.Stream
	random    *rand.Rand
	aggregate bool // some records are aggregated

	mu         sync.Mutex     // guards what follows
	accepted   map[string]int // the last number of each key that the stream has
	aggregates map[string]int // how many user records are in which sequence number, where it is an aggregate
	aggregated int            // user records in them
}

func newProducer(g *stage, random *rand.Rand) *producer {
	return &producer{stream: g.stream, random: random, aggregate: !g.plain, accepted: map[string]int{}, aggregates: map[string]int{}}
}

func keyNames() []string {
	keys := make([]string, keyCount)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%02d", i)
	}
	return keys
}

// run puts until ctx ends, and returns nil then: what is under way is put to its
// end.
func (p *producer) run(ctx context.Context) error {
	keys := keyNames()
	for next := 0; ; next = (next + keysPerPut) % len(keys) {
		if pause(ctx, betweenPuts) != nil {
			return nil
		}
		if err := p.put(keys[next : next+keysPerPut]); err != nil {
			return err
		}
	}
}

// put puts one record of each key, aggregated or plain.
func (p *producer) put(keys []string) error {
	entries := make([]types.PutRecordsRequestEntry, len(keys))
	counts := make([]int, len(keys))
	for i, key := range keys {
		counts[i] = 1
		if p.aggregate && p.random.Float64() < aggregateOdds {
			counts[i] = 2 + p.random.IntN(mostInOne-1)
		}
		payloads := make([][]byte, counts[i])
		for j := range payloads {
			payloads[j] = []byte(fmt.Sprintf("%s %d", key, p.accepted[key]+1+j))
		}
		entries[i].PartitionKey = &key
		if entries[i].Data = payloads[0]; counts[i] > 1 {
			entries[i].Data = aggregated(key, payloads)
		}
	}
	return p.stream.Put(entries, func(i int, at types.PutRecordsResultEntry) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.accepted[keys[i]] += counts[i]
		if counts[i] > 1 {
			p.aggregates[*at.SequenceNumber] = counts[i]
			p.aggregated += counts[i]
		}
	})
}

// known is what the stream has accepted so far: the last number of each key.
func (p *producer) known() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.accepted)
}

// inside is whether a position lies in the middle of an aggregated record: behind
// one of its user records that is not the last.
func (p *producer) inside(sequence string, sub int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.aggregates[sequence]
	return ok && sub < int64(n-1)
}

// describe is the producer's part of the result.
func (p *producer) describe(r *result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Aggregated = p.aggregated
	for _, n := range p.accepted {
		r.Records += n
	}
}
