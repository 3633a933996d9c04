package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

const (
	keyCount      = 48 // on few shards, so that each has some
	keysPerPut    = 6
	betweenPuts   = 150 * time.Millisecond
	mostInOne     = 40              // user records of one aggregated record
	putPatience   = 2 * time.Minute // without an answer, behind which the server is taken for dead
	aggregateOdds = 0.2             // how many of the records put are aggregated ones
)

// producer puts numbered records of every key, in the order of their numbers: a
// record is put when the one before it was accepted.
type producer struct {
	client    *kinesis.Client
	stream    string
	random    *rand.Rand
	aggregate bool // some records are aggregated

	mu         sync.Mutex     // guards what follows
	accepted   map[string]int // the last number of each key that the stream has
	aggregates map[string]int // how many user records are in which sequence number, where it is an aggregate
	aggregated int            // user records in them
}

func newProducer(g *stage, random *rand.Rand) *producer {
	return &producer{client: g.kinesisAPI, stream: g.stream, random: random, aggregate: !g.plain, accepted: map[string]int{}, aggregates: map[string]int{}}
}

func keyNames() []string {
	keys := make([]string, keyCount)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%02d", i)
	}
	return keys
}

// run puts until ctx ends, and returns nil then: what is under way is put to its
// end. A stream that takes nothing for as long as putPatience is an error.
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

// put puts one record of each key, aggregated or plain, and again those that were
// refused. A request without an answer is put again as well: its records may then
// stand in the stream twice, which the audit recognises.
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
	for began := time.Now(); len(entries) > 0; {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		out, err := p.client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &p.stream, Records: entries})
		cancel()
		switch {
		case err != nil && time.Since(began) > putPatience:
			return fmt.Errorf("put records for %v: %w", putPatience, err)
		case err != nil:
			time.Sleep(200 * time.Millisecond) // between two requests over the network
			continue
		}
		var again []types.PutRecordsRequestEntry
		var againCounts []int
		p.mu.Lock()
		for i, answer := range out.Records {
			if answer.ErrorCode != nil {
				again, againCounts = append(again, entries[i]), append(againCounts, counts[i])
				continue
			}
			p.accepted[*entries[i].PartitionKey] += counts[i]
			if counts[i] > 1 {
				p.aggregates[*answer.SequenceNumber] = counts[i]
				p.aggregated += counts[i]
			}
		}
		p.mu.Unlock()
		entries, counts = again, againCounts
	}
	return nil
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
