package dynamocheckpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/towpath/towpath/shard"
)

// A row of the state table has three attributes: leaseKey and part, which are
// its key, and state, which is an envelope in MessagePack.
const (
	partKey  = "part"
	stateKey = "state"
)

// partOf is the sort key of a handler's state. A handler may have no name, and a
// key may not be empty.
func partOf(handler string) string { return "handler/" + handler }

// inlineLimit is how large a state may be that stands in its item. An item has
// at most 400 KB, names and key included; the key has at most 3 KB, and the rest
// of what is left is the envelope's.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const inlineLimit = 390_000

// format is the version of the envelope. One that is greater was written by a
// later version of this package and is not guessed at.
const format = 1

// envelope is a state with what is known of it.
type envelope struct {
	Format   int    `msgpack:"format"`
	Handler  string `msgpack:"handler"`
	Counter  int64  `msgpack:"counter"` // of the lease, after the write
	Sequence string `msgpack:"sequence"`
	Sub      int64  `msgpack:"sub"`
	SeekGen  int64  `msgpack:"seekGen"` // of the lease
	Size     int    `msgpack:"size"`
	SHA256   []byte `msgpack:"sha256"`
	Payload  []byte `msgpack:"payload"`
	Object   string `msgpack:"object"` // where the payload is, if it is not here
}

// enclose is the envelope of a state that a lease's next write puts at a
// position.
func enclose(held shard.Lease, handler string, at shard.Position, state []byte) envelope {
	sum := sha256.Sum256(state)
	return envelope{
		Format: format, Handler: handler, Counter: held.Counter + 1, SeekGen: held.SeekGen,
		Sequence: sequenceOf(at), Sub: at.Sub, Size: len(state), SHA256: sum[:], Payload: state,
	}
}

// at is the position that the state belongs to.
func (e envelope) at() shard.Position { return shard.Position{Sequence: e.Sequence, Sub: e.Sub} }

// objectKey names the object of a state that does not fit its item. No two
// writes have the same one unless they write the same: whoever has lost the
// lease cannot overwrite what a later row refers to.
func (e envelope) objectKey(leaseKey string) string {
	return fmt.Sprintf("%s/%s/%020d-%s", hashed(leaseKey), hashed(e.Handler), e.Counter, hex.EncodeToString(e.SHA256))
}

// hashed is a name as part of an object's key, whatever is in it.
func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// row is the item that holds the envelope.
func (e envelope) row(leaseKey string) (item, error) {
	body, err := msgpack.Marshal(&e)
	if err != nil {
		return nil, err
	}
	return item{
		"leaseKey": text(leaseKey), partKey: text(partOf(e.Handler)),
		stateKey: &types.AttributeValueMemberB{Value: body},
	}, nil
}

// open reads an envelope.
func open(row item) (envelope, error) {
	var e envelope
	body, ok := row[stateKey].(*types.AttributeValueMemberB)
	if !ok {
		return e, fmt.Errorf("attribute %s is not binary", stateKey)
	}
	if err := msgpack.Unmarshal(body.Value, &e); err != nil {
		return e, fmt.Errorf("attribute %s is no envelope: %w", stateKey, err)
	}
	if e.Format != format {
		return e, fmt.Errorf("attribute %s is in format %d, and this program reads %d", stateKey, e.Format, format)
	}
	return e, nil
}

// verify wants the payload to be what was written.
func (e envelope) verify(payload []byte) error {
	sum := sha256.Sum256(payload)
	if len(payload) != e.Size || !bytes.Equal(sum[:], e.SHA256) {
		return fmt.Errorf("it has %d bytes and another SHA-256 than the %d that were written", len(payload), e.Size)
	}
	return nil
}
