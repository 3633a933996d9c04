package kinesisfake

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	account = "000000000000"
	region  = "us-east-1"
)

// stream is one data stream. All of it is guarded by the service's mutex.
type stream struct {
	name      string
	account   string // that owns it
	birth     uint64 // of the stream itself; tells namesakes apart
	created   time.Time
	retention time.Duration
	onDemand  bool
	kms       string // key of KMS, as it was given; empty if records are not encrypted

	shards []*shard // every shard there ever was, by number
	open   []*shard // those that take records, by hash key

	trimmed time.Time // nothing that arrived before it can be read any more
	stamp   time.Time // of the last birth or end of a shard
	change  *change   // the resharding under way, or nil

	consumers     map[string]*enhanced // registered for fan-out, by name
	named         map[string]int64     // the second in the last ARN of each name
	registrations int64                // how many there were
}

// change is a resharding that was accepted and takes effect when it is ready.
type change struct {
	ready time.Time
	apply func(now time.Time)
}

// shard is one shard, open or closed.
type shard struct {
	number  int
	id      string
	birth   uint64
	low     hashKey
	high    hashKey
	parents []*shard // none, one, or two after a merge: parent, then adjacent parent
	heirs   []*shard // the children
	created time.Time
	closed  time.Time // zero while open
	ending  string    // the ending sequence number, once closed

	records []record // only ever appended to; the index of a record is its place + 1
	trimmed int      // records a test trimmed
	gone    bool     // a test trimmed all there will ever be

	reads, iterators, writes window
	readBytes, writeBytes    budget

	emptyPages  int // how many of the next pages a test wants empty
	rejectedPut int // how many of the next puts a test wants rejected

	feeds []*feed // of the consumers that have subscribed to it
}

// record is one record as it was put.
type record struct {
	sequence string
	arrival  time.Time
	key      string
	keyed    bool
	data     []byte
}

// size is what limits count: the data and the partition key.
func (r record) size() int { return len(r.data) + len(r.key) }

func (t *stream) arn() string {
	return "arn:aws:kinesis:" + region + ":" + t.account + ":stream/" + t.name
}

// key is what the service keeps a stream under: its name, and that of another
// account under the account, too.
func (t *stream) key() string { return keyOf(t.account, t.name) }

func keyOf(owner, name string) string {
	if owner == account {
		return name
	}
	return owner + "/" + name
}

// newStream makes a stream of n equal shards.
func (s *Service) newStream(owner, name string, n int, onDemand bool) *stream {
	now := s.now()
	t := &stream{
		name: name, account: owner, birth: s.generation(now), created: now.Truncate(time.Millisecond),
		retention: 24 * time.Hour, onDemand: onDemand,
		consumers: map[string]*enhanced{}, named: map[string]int64{},
	}
	t.stamp = t.created
	starts := uniform(n)
	for i, low := range starts {
		high := lastHashKey
		if i+1 < n {
			high = starts[i+1].before()
		}
		t.addShard(t.birth, t.created, low, high)
	}
	return t
}

// addShard opens a shard.
func (t *stream) addShard(birth uint64, created time.Time, low, high hashKey, parents ...*shard) *shard {
	n := &shard{
		number: len(t.shards), id: fmt.Sprintf("shardId-%012d", len(t.shards)),
		birth: birth, low: low, high: high, parents: parents, created: created,
	}
	t.shards = append(t.shards, n)
	at, _ := slices.BinarySearchFunc(t.open, low, func(o *shard, k hashKey) int { return o.low.compare(k) })
	t.open = slices.Insert(t.open, at, n)
	for _, p := range parents {
		p.heirs = append(p.heirs, n)
	}
	return n
}

// close ends a shard: it takes no more records.
func (t *stream) close(d *shard, at time.Time) {
	d.closed = at
	d.ending = sequence{d.birth, endIndex, uint64(at.Unix()), uint32(d.number)}.String()
	t.open = slices.DeleteFunc(t.open, func(o *shard) bool { return o == d })
	d.wake()
}

// owner is the open shard a hash key falls to, or nil if that was closed
// without children.
func (t *stream) owner(k hashKey) *shard {
	i := sort.Search(len(t.open), func(i int) bool { return t.open[i].low.compare(k) > 0 })
	if i == 0 || t.open[i-1].high.compare(k) < 0 {
		return nil
	}
	return t.open[i-1]
}

// horizon is the oldest moment the stream still has records of.
func (t *stream) horizon(now time.Time) time.Time {
	h := t.created
	if at := now.Add(-t.retention); at.After(h) {
		h = at
	}
	if t.trimmed.After(h) {
		h = t.trimmed
	}
	return h
}

// expired reports whether a shard has left the stream: it was closed, and
// retention has passed its end.
func (d *shard) expired(horizon time.Time) bool {
	return d.gone || !d.closed.IsZero() && d.closed.Before(horizon)
}

// first is the place of the oldest record of a shard that can be read.
func (d *shard) first(horizon time.Time) int {
	return max(d.trimmed, d.since(horizon))
}

// since is the place of the first record that arrived at a time or after it.
func (d *shard) since(at time.Time) int {
	return sort.Search(len(d.records), func(i int) bool { return !d.records[i].arrival.Before(at) })
}

// starting is the starting sequence number.
func (d *shard) starting() string {
	return sequence{d.birth, startIndex, uint64(d.created.Unix()), uint32(d.number)}.String()
}

// settle lets a resharding take effect whose time has come.
func (t *stream) settle(now time.Time) {
	if c := t.change; c != nil && !now.Before(c.ready) {
		t.change = nil
		c.apply(c.ready)
	}
}

func (t *stream) status() string {
	if t.change != nil {
		return "UPDATING"
	}
	return "ACTIVE"
}

// named is how requests name a stream. One of another account has to be named by
// its ARN.
type named struct {
	StreamName string
	StreamARN  string
}

// naming is how a test names a stream: by its name, or by its ARN.
func naming(stream string) named {
	if strings.HasPrefix(stream, "arn:") {
		return named{StreamARN: stream}
	}
	return named{StreamName: stream}
}

// find is the stream a request names, brought up to date.
func (s *Service) find(n named) (*stream, error) {
	name, owner := n.StreamName, account
	if n.StreamARN != "" {
		resource, ok := streamOfARN(n.StreamARN)
		if !ok {
			return nil, invalid("StreamARN %q is not the ARN of a stream", n.StreamARN)
		}
		if name != "" && name != resource {
			return nil, invalid("StreamARN %q and StreamName %q differ", n.StreamARN, name)
		}
		name, owner = resource, strings.Split(n.StreamARN, ":")[4]
	}
	if name == "" {
		return nil, invalid("Either StreamARN or StreamName must be given.")
	}
	t := s.streams[keyOf(owner, name)]
	if t == nil {
		return nil, notFound("Stream %s under account %s not found.", name, owner)
	}
	t.settle(s.now())
	return t, nil
}

// streamOfARN takes the name of the stream from its ARN or from that of one of
// its consumers: arn:aws:kinesis:region:account:stream/name/consumer/other:time.
func streamOfARN(arn string) (string, bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[2] != "kinesis" {
		return "", false
	}
	path := strings.Split(parts[5], "/")
	if len(path) < 2 || path[0] != "stream" || path[1] == "" {
		return "", false
	}
	return path[1], true
}

// find is the shard with an id, if it is still there.
func (t *stream) find(id string, now time.Time) (*shard, error) {
	n, err := t.number(id)
	if err != nil {
		return nil, err
	}
	if t.shards[n].expired(t.horizon(now)) {
		return nil, t.noShard(id)
	}
	return t.shards[n], nil
}

// number is the number in a shard's id. The shard need not be there any more.
func (t *stream) number(id string) (int, error) {
	digits, _ := strings.CutPrefix(id, "shardId-")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n >= len(t.shards) || t.shards[n].id != id {
		return 0, t.noShard(id)
	}
	return n, nil
}

func (t *stream) noShard(id string) error {
	return notFound("Shard %s in stream %s under account %s does not exist", id, t.name, account)
}
