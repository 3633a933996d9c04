package consumer

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// Collected is what a Collect has flushed at once: records of one shard, in its
// order.
type Collected struct {
	// Stream is the ARN of the stream and Shard the id of the shard.
	Stream, Shard string
	// Handler is the handler's name where a consumer has several, else empty.
	Handler string
	// Records are the records in the order of the shard, never none.
	Records []shard.Record
	// Bytes is the sum of their sizes, as shard.Record.Size counts them.
	Bytes int64
	// Token is the tenure's fencing token; see batching.Batch.Fence.
	Token batching.Fence
	// Held reports whether the lease is still this worker's to act on. The
	// engine sets it; nil means yes. See Valid.
	Held func() bool
}

// First and Last are the first and last record.
func (c *Collected) First() *shard.Record { return &c.Records[0] }

// Last is the last record.
func (c *Collected) Last() *shard.Record { return &c.Records[len(c.Records)-1] }

// Fence is the tenure's fencing token.
func (c *Collected) Fence() batching.Fence { return c.Token }

// Valid reports whether the worker may still act on the shard, by its own clock.
func (c *Collected) Valid() bool { return c.Held == nil || c.Held() }

// Name names just these records, for an object's key:
//
//	<shard>-<first>-<last>
//	<shard>-<first>-<last>-<digest>
//
// with the sequence numbers of the first and last record, .<index> behind it
// within an aggregate, and of several records 64 bits of the SHA-256 of all. A
// repeat of the same records has the same name and overwrites, by whichever
// worker; other records have another name, so that a worker which has lost its
// lease without noticing can not replace an object by one with less in it. That
// is what the digest is for: two lanes can make {1, 2, 5} and {1, 4, 5} of the
// same shard.
//
// After a crash the records behind the checkpoint are collected again, from the
// checkpoint on and so perhaps in other parts. Their objects then stand beside
// those that the crashed worker wrote, and have records in common. Who reads
// them all tells a repeat by shard.Record.ID; nothing is missing.
func (c *Collected) Name() string {
	name := c.Shard + "-" + positionName(c.First()) + "-" + positionName(c.Last())
	if len(c.Records) == 1 {
		return name
	}
	h := sha256.New()
	for i := range c.Records {
		// A hash's Write does not fail.
		_, _ = io.WriteString(h, c.Records[i].Position().String()+"\n")
	}
	return name + "-" + hex.EncodeToString(h.Sum(nil)[:8])
}

func positionName(r *shard.Record) string {
	return strings.Replace(r.Position().String(), "/", ".", 1)
}
