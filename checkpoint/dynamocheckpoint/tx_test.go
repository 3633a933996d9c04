package dynamocheckpoint_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
)

// put is a write of an item of a table that has the key id.
func put(id string, bytes int) types.Put {
	return types.Put{TableName: aws.String("clickstream-sessions"), Item: map[string]types.AttributeValue{
		"id": &types.AttributeValueMemberS{Value: id}, "body": &types.AttributeValueMemberB{Value: make([]byte, bytes)},
	}}
}

// What the service does not take at all is told from what may have been applied:
// the call fails, and nothing is sent again and again.
func TestEffectsThatCannotBeWrittenAreErrEffect(t *testing.T) {
	for name, add := range map[string]func(*dynamocheckpoint.TxBatch){
		"more than 4 MB": func(tx *dynamocheckpoint.TxBatch) {
			for i := range 11 {
				tx.Put(put("effect"+string(rune('a'+i)), 390_000))
			}
		},
		"two of one item": func(tx *dynamocheckpoint.TxBatch) {
			tx.Put(put("effect", 1))
			tx.Put(put("effect", 2))
		},
		"of a table that is not there": func(tx *dynamocheckpoint.TxBatch) {
			p := put("effect", 1)
			p.TableName = aws.String("clickstrean")
			tx.Put(p)
		},
		"an expression with an error": func(tx *dynamocheckpoint.TxBatch) {
			p := put("effect", 1)
			p.ConditionExpression = aws.String("attribute_not_exist(id)")
			tx.Put(p)
		},
		"the lease row itself": func(tx *dynamocheckpoint.TxBatch) {
			tx.Delete(types.Delete{TableName: aws.String("clickstream"), Key: map[string]types.AttributeValue{
				"leaseKey": &types.AttributeValueMemberS{Value: stateShard},
			}})
		},
		"nothing": func(tx *dynamocheckpoint.TxBatch) { tx.Add(types.TransactWriteItem{}) },
	} {
		t.Run(name, func(t *testing.T) {
			table, _, held := stateful(t)
			batch := &batching.Batch{}
			add(dynamocheckpoint.Tx(batch))
			_, err := table.Save(t.Context(), held, "anna", checkpoint.Progress{Position: shard.After("100", 0), Effects: batch.Call.Effects()})
			if !errors.Is(err, checkpoint.ErrEffect) || errors.Is(err, checkpoint.ErrFenced) {
				t.Fatalf("got error %v, want %v", err, checkpoint.ErrEffect)
			}
			if now, err := table.Get(t.Context(), stateShard); err != nil || now.Counter != held.Counter {
				t.Errorf("the row is %v, %v", now, err)
			}
		})
	}
}

func TestTxCountsWhatItIsGiven(t *testing.T) {
	batch := &batching.Batch{}
	tx := dynamocheckpoint.Tx(batch)
	key := map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "anna"}} // 6
	tx.Put(types.Put{Item: map[string]types.AttributeValue{
		"id": &types.AttributeValueMemberS{Value: "anna"},                                                     // 6
		"n":  &types.AttributeValueMemberN{Value: "12"},                                                       // 4
		"b":  &types.AttributeValueMemberB{Value: []byte("12")},                                               // 3
		"y":  &types.AttributeValueMemberBOOL{Value: true},                                                    // 2
		"ss": &types.AttributeValueMemberSS{Value: []string{"a", "bc"}},                                       // 5
		"l":  &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberNULL{}}},  // 6
		"m":  &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"a": key["id"], "bc": nil}}, // 1+3+2+(1+4)+(2+1)
	}})
	tx.Update(types.Update{Key: key, ExpressionAttributeValues: map[string]types.AttributeValue{":n": &types.AttributeValueMemberN{Value: "7"}}}) // 6 + 4
	tx.Delete(types.Delete{Key: key})
	tx.ConditionCheck(types.ConditionCheck{Key: key})
	if got, want := tx.Size(), 6+4+3+2+5+6+14+10+6+6; got != want || tx.Len() != 4 {
		t.Errorf("got %d writes of %d bytes, want 4 of %d", tx.Len(), got, want)
	}
	if n := len(batch.Call.Effects()); n != 4 {
		t.Errorf("%d effects were attached, want 4", n)
	}
}
