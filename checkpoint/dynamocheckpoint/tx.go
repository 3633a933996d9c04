package dynamocheckpoint

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/batching"
)

// TxBatch collects writes to the user's own tables that are applied in one
// transaction with the checkpoint behind a batch: all of it or nothing, and
// never by a worker that has lost the shard. So each record has its effect
// exactly once, whatever is repeated.
//
// The tables are in the account and the Region of the lease table. A transaction
// has at most 100 items and 4 MB; one item is the lease row, and one is the state
// of each handler that keeps one. No two may be about one item. What does not
// fit fails the call with checkpoint.ErrEffect before anything is sent, so that a
// consumer with BisectBatchOnError makes it in parts. A write in a transaction
// costs twice the capacity.
//
// The tables' permissions are those of the single writes: PutItem, UpdateItem,
// DeleteItem, ConditionCheckItem.
type TxBatch struct {
	batch *batching.Batch
	count int
	size  int
}

// Effect is one write of a TxBatch, as it is attached to a batch.
type Effect struct {
	item types.TransactWriteItem
	size int
}

// Tx is the transaction of a batch. A handler that calls it several times adds to
// the same one.
func Tx(batch *batching.Batch) *TxBatch { return &TxBatch{batch: batch} }

// Put writes an item, if its condition holds.
func (t *TxBatch) Put(p types.Put) { t.Add(types.TransactWriteItem{Put: &p}) }

// Update changes an item, if its condition holds.
func (t *TxBatch) Update(u types.Update) { t.Add(types.TransactWriteItem{Update: &u}) }

// Delete deletes an item, if its condition holds.
func (t *TxBatch) Delete(d types.Delete) { t.Add(types.TransactWriteItem{Delete: &d}) }

// ConditionCheck writes nothing, and refuses the whole transaction if its
// condition does not hold.
func (t *TxBatch) ConditionCheck(c types.ConditionCheck) {
	t.Add(types.TransactWriteItem{ConditionCheck: &c})
}

// Add attaches a write of any of the four kinds.
func (t *TxBatch) Add(w types.TransactWriteItem) {
	e := Effect{item: w, size: effectSize(w)}
	t.count++
	t.size += e.size
	t.batch.Attach(e)
}

// Len is how many writes were added with this TxBatch.
func (t *TxBatch) Len() int { return t.count }

// Size is how many bytes they bring, as DynamoDB counts items. What an update
// finds in its item is not known here, and counts towards DynamoDB's limit too.
func (t *TxBatch) Size() int { return t.size }

// effectSize is how many bytes a write brings.
func effectSize(w types.TransactWriteItem) int {
	switch {
	case w.Put != nil:
		return sizeOf(w.Put.Item)
	case w.Update != nil:
		return sizeOf(w.Update.Key) + sizeOf(w.Update.ExpressionAttributeValues)
	case w.Delete != nil:
		return sizeOf(w.Delete.Key)
	case w.ConditionCheck != nil:
		return sizeOf(w.ConditionCheck.Key)
	}
	return 0
}

// sizeOf is the size of an item in bytes, as DynamoDB counts it. Numbers are
// counted by their digits, which is never too little.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func sizeOf(it item) int {
	n := 0
	for name, v := range it {
		n += len(name) + valueSize(v)
	}
	return n
}

func valueSize(v types.AttributeValue) int {
	n := 0
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return len(v.Value) + 1
	case *types.AttributeValueMemberSS:
		for _, s := range v.Value {
			n += len(s)
		}
	case *types.AttributeValueMemberNS:
		for _, s := range v.Value {
			n += len(s) + 1
		}
	case *types.AttributeValueMemberBS:
		for _, b := range v.Value {
			n += len(b)
		}
	case *types.AttributeValueMemberL:
		n = 3 + len(v.Value)
		for _, e := range v.Value {
			n += valueSize(e)
		}
	case *types.AttributeValueMemberM:
		n = 3 + len(v.Value) + sizeOf(v.Value)
	default:
		return 1
	}
	return n
}
