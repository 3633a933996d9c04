package main

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/ci/traffic"
)

const (
	keysPerShard = 2                      // at the start, each in a part of its range
	everyKey     = 200 * time.Millisecond // each has a record so often
	putsAtOnce   = 4                      // turns in which the keys have theirs
	poisonEvery  = 2000                   // of the records of a key
	poisonMark   = " poison"
)

// producer puts numbered records of every key, in the order of their numbers: a
// record is put when the one before it was accepted.
type producer struct {
	stream traffic.Stream
	keys   []string
	every  time.Duration // for each key
	poison bool          // some records are refused by every handler
	ledger *bufio.Writer
	file   *os.File

	mu       sync.Mutex        // guards what follows
	accepted map[string]int    // the last number of each key that the stream has
	poisoned map[string]string // which record is poison, by shard and sequence number
	fresh    []put             // accepted since they were asked for
}

func newProducer(stream traffic.Stream, s settings, path string) (*producer, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("make the producer's ledger: %w", err)
	}
	return &producer{
		stream: stream, keys: spread(keysPerShard * s.shards), every: everyKey, poison: s.poison, file: file, ledger: bufio.NewWriter(file),
		accepted: map[string]int{}, poisoned: map[string]string{},
	}, nil
}

// spread is n keys whose hashes lie in n equal parts of the range, so that no
// shard is without any.
func spread(n int) []string {
	keys := make([]string, n)
	for i, left := 0, n; left > 0; i++ {
		key := fmt.Sprintf("key-%05d", i)
		sum := md5.Sum([]byte(key))
		slot := int(uint64(binary.BigEndian.Uint32(sum[:])) * uint64(n) >> 32)
		if keys[slot] == "" {
			keys[slot] = key
			left--
		}
	}
	return keys
}

// isPoison is whether a record of a key is one that every handler refuses. They
// are at different numbers for different keys.
func isPoison(key string, number int) bool {
	sum := md5.Sum([]byte(key))
	return number%poisonEvery == int(binary.BigEndian.Uint32(sum[4:])%poisonEvery)
}

// run puts until ctx ends, and returns nil then: what is under way is put to its
// end.
func (p *producer) run(ctx context.Context) error {
	defer p.file.Close()
	defer p.ledger.Flush()
	part := (len(p.keys) + putsAtOnce - 1) / putsAtOnce
	tick := time.NewTicker(p.every / putsAtOnce)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		from := turn % putsAtOnce * part
		if from >= len(p.keys) {
			continue
		}
		if err := p.put(p.keys[from:min(from+part, len(p.keys))]); err != nil {
			return err
		}
	}
}

// put puts one record of each key, and notes where it stands.
func (p *producer) put(keys []string) error {
	entries := make([]types.PutRecordsRequestEntry, len(keys))
	numbers := make([]int, len(keys))
	for i := range keys {
		numbers[i] = p.accepted[keys[i]] + 1
		payload := fmt.Sprintf("%s %d", keys[i], numbers[i])
		if p.poison && isPoison(keys[i], numbers[i]) {
			payload += poisonMark
		}
		entries[i] = types.PutRecordsRequestEntry{PartitionKey: &keys[i], Data: []byte(payload)}
	}
	return p.stream.Put(entries, func(i int, at types.PutRecordsResultEntry) {
		key, number := keys[i], numbers[i]
		p.mu.Lock()
		defer p.mu.Unlock()
		p.accepted[key] = number
		stored := put{key: key, shard: *at.ShardId, sequence: *at.SequenceNumber, number: number, poison: p.poison && isPoison(key, number)}
		p.fresh = append(p.fresh, stored)
		if stored.poison {
			p.poisoned[stored.shard+"/"+stored.sequence] = fmt.Sprintf("%s %d", key, number)
		}
		fmt.Fprintf(p.ledger, "%s\t%d\t%s\t%s\t%d\n", key, number, stored.shard, stored.sequence, int64(now()))
	})
}

// known is what the stream has accepted so far: the last number of each key.
func (p *producer) known() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.accepted)
}

// news are the records that were accepted since it was last asked.
func (p *producer) news() []put {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := p.fresh
	p.fresh = nil
	return fresh
}

// refusals are the records that are poison so far, by shard and sequence number.
func (p *producer) refusals() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.poisoned)
}
