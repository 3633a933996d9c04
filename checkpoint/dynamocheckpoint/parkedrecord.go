package dynamocheckpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/towpath/towpath/shard"
)

// packed is a record as it is kept: how long its description is, the description
// in JSON, the payload as it came.
func packed(r *shard.Record) ([]byte, error) {
	bare := *r
	bare.Data = nil
	about, err := json.Marshal(bare)
	if err != nil {
		return nil, fmt.Errorf("describe the record: %w", err)
	}
	out := binary.AppendUvarint(make([]byte, 0, len(about)+len(r.Data)+binary.MaxVarintLen32), uint64(len(about)))
	return append(append(out, about...), r.Data...), nil
}

var errNotPacked = errors.New("it is no record as it was parked")

// unpacked reads what packed wrote.
func unpacked(b []byte) (r shard.Record, err error) {
	n, head := binary.Uvarint(b)
	if head <= 0 || n > uint64(len(b)-head) {
		return r, errNotPacked
	}
	if err := json.Unmarshal(b[head:head+int(n)], &r); err != nil {
		return r, fmt.Errorf("%w: %w", errNotPacked, err)
	}
	r.Data = b[head+int(n):]
	return r, nil
}
