package dynamocheckpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// PrepareStates implements checkpoint.States: it looks at the state table as
// Prepare looks at the others, and creates it if Options.CreateTables is set.
func (t *Table) PrepareStates(ctx context.Context) error {
	return until(ctx, t.states, func(ctx context.Context) (bool, error) { return t.look(ctx, t.stateLayout()) })
}

// State implements checkpoint.States.
func (t *Table) State(ctx context.Context, row shard.Lease, handler string) ([]byte, error) {
	state, err := t.state(ctx, row, handler)
	if err != nil {
		return nil, t.failed("read the state of handler "+quoted(handler)+" beside", row.Key, t.states, err)
	}
	return state, nil
}

func (t *Table) state(ctx context.Context, row shard.Lease, handler string) ([]byte, error) {
	bounded, cancel := t.bounded(ctx)
	defer cancel()
	yes := true
	out, err := t.client.GetItem(bounded, &dynamodb.GetItemInput{
		TableName: &t.states, ConsistentRead: &yes, Key: stateRow(row.Key, handler),
	})
	if err != nil || len(out.Item) == 0 {
		return nil, err
	}
	e, err := open(out.Item)
	if err != nil {
		return nil, err
	}
	t.objects.note(objectsOf(row.Key, handler), e.Object)
	if !checkpoint.StateOf(row, handler, e.at(), e.SeekGen) {
		return nil, nil
	}
	payload := e.Payload
	if e.Object != "" {
		if t.options.Overflow == nil {
			return nil, fmt.Errorf("it is in the object %s: set Options.Overflow to where that is", e.Object)
		}
		if payload, err = t.options.Overflow.Get(bounded, e.Object); err != nil {
			return nil, err
		}
	}
	if err := e.verify(payload); err != nil {
		return nil, err
	}
	if payload == nil {
		payload = []byte{}
	}
	return payload, nil
}

// stateRow is the key of a state's row.
func stateRow(key, handler string) item {
	return item{"leaseKey": text(key), partKey: text(partOf(handler))}
}

// objectsOf names a state among the objects.
func objectsOf(key, handler string) string { return key + "\n" + handler }

func quoted(handler string) string { return fmt.Sprintf("%q", shorten(handler)) }

// enclosed are states made ready to be written beside a lease: their rows and the
// objects that the rows refer to, which are written here. Room is how many bytes
// there are for all rows; what does not fit its row goes to the overflow.
func (t *Table) enclosed(ctx context.Context, held shard.Lease, p checkpoint.Progress, room int) ([]types.TransactWriteItem, map[string]string, error) {
	var parts []types.TransactWriteItem
	refers := map[string]string{} // from handlers to objects, empty for what is in its row
	for _, handler := range slices.Sorted(maps.Keys(p.States)) {
		e := enclose(held, handler, p.At(handler), p.States[handler])
		if len(e.Payload) > min(inlineLimit, room) {
			if t.options.Overflow == nil {
				return nil, nil, fmt.Errorf("the state of handler %s has %d bytes, and its row has room for %d: set Options.Overflow, such as to S3Overflow",
					quoted(handler), e.Size, min(inlineLimit, room))
			}
			e.Payload, e.Object = nil, e.objectKey(held.Key)
			t.objects.note(objectsOf(held.Key, handler), e.Object)
			if err := t.options.Overflow.Put(ctx, e.Object, p.States[handler]); err != nil {
				return nil, nil, fmt.Errorf("the state of handler %s: %w", quoted(handler), err)
			}
		}
		row, err := e.row(held.Key)
		if err != nil {
			return nil, nil, fmt.Errorf("the state of handler %s: %w", quoted(handler), err)
		}
		room -= sizeOf(row)
		refers[handler] = e.Object
		parts = append(parts, types.TransactWriteItem{Put: &types.Put{TableName: &t.states, Item: row}})
	}
	return parts, refers, nil
}

// replaced deletes the objects that rows referred to before these were written.
// One that cannot be deleted now is deleted after the next write.
func (t *Table) replaced(ctx context.Context, key string, refers map[string]string) {
	if t.options.Overflow == nil {
		return
	}
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	for handler, object := range refers {
		state := objectsOf(key, handler)
		for _, old := range t.objects.others(state, object) {
			if t.options.Overflow.Delete(ctx, old) == nil {
				t.objects.forget(state, old)
			}
		}
	}
}

// DropStates implements checkpoint.States. A table that was never made has
// nothing to delete.
func (t *Table) DropStates(ctx context.Context, key string) error {
	var from item
	for {
		page, err := t.statePage(ctx, key, from)
		var missing *types.ResourceNotFoundException
		if errors.As(err, &missing) {
			break
		}
		if err != nil {
			return t.failed("look up the states beside", key, t.states, err)
		}
		for _, row := range page.Items {
			if err := t.dropState(ctx, key, row); err != nil {
				return t.failed("delete a state beside", key, t.states, err)
			}
		}
		if from = page.LastEvaluatedKey; len(from) == 0 {
			break
		}
	}
	if t.options.Overflow == nil {
		return nil
	}
	// Objects of writes that were cut short among them.
	left, err := t.options.Overflow.List(ctx, hashed(key)+"/")
	if err != nil {
		return fmt.Errorf("look up the states beside %s: %w", key, err)
	}
	for _, object := range left {
		if err := t.options.Overflow.Delete(ctx, object); err != nil {
			return fmt.Errorf("delete a state beside %s: %w", key, err)
		}
	}
	return nil
}

func (t *Table) statePage(ctx context.Context, key string, from item) (*dynamodb.QueryOutput, error) {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	yes, of, attributes := true, "leaseKey = :key", "leaseKey, "+partKey
	return t.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &t.states, ConsistentRead: &yes, ExclusiveStartKey: from, ProjectionExpression: &attributes,
		KeyConditionExpression: &of, ExpressionAttributeValues: item{":key": text(key)},
	})
}

func (t *Table) dropState(ctx context.Context, key string, row item) error {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &t.states, Key: item{"leaseKey": row["leaseKey"], partKey: row[partKey]},
	})
	if err != nil {
		return err
	}
	handler := strings.TrimPrefix((&reading{row: row}).text(partKey), partOf(""))
	for _, object := range t.objects.others(objectsOf(key, handler), "") {
		t.objects.forget(objectsOf(key, handler), object) // deleted with all others
	}
	return nil
}
