package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
)

// kcl2 is a worker of KCL 2.x as far as others see it: what it writes to the
// lease table, on which conditions, and when. It reads the records from the stream
// in the process and finishes them in the ledger.
type kcl2 struct {
	id       string
	rig      *streamtest.Rig
	db       *dynamodb.Client
	failover time.Duration
	dice     *rand.Rand

	ctx    context.Context
	cancel context.CancelFunc
	loops  sync.WaitGroup

	mu     sync.Mutex
	owned  map[string]*kclLease // by lease key
	seen   map[string]kclSeen   // what the taker has seen of every row
	stolen int
}

// kclLease is a lease that the worker believes to hold.
type kclLease struct {
	counter int64
	at      shard.Position // processed
	written shard.Position // checkpointed
	writing chan struct{}  // filled by the one write under way: a channel, as the bubble waits for it
}

// kclSeen is when the counter of a row was last seen to have moved.
type kclSeen struct {
	counter int64
	owner   string
	since   time.Time
}

// kclEpsilon is epsilonMillis.
const kclEpsilon = 25 * time.Millisecond

func startKCL2(rig *streamtest.Rig, id string, failover time.Duration, seed uint64) *kcl2 {
	k := &kcl2{
		id: id, rig: rig, db: dynamodb.NewFromConfig(rig.AWS.Config(id)), failover: failover,
		dice: rand.New(rand.NewPCG(seed, 7)), owned: map[string]*kclLease{}, seen: map[string]kclSeen{},
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	for _, loop := range []struct {
		every time.Duration
		do    func()
	}{
		{failover/3 - kclEpsilon, k.renewAll},
		{2 * (failover + kclEpsilon), k.take},
		{300 * time.Millisecond, k.process},
		{10 * time.Second, k.cleanUp}, // a minute, in KCL
	} {
		k.loops.Go(func() { // ends with kill
			for {
				loop.do()
				select {
				case <-k.ctx.Done():
					return
				case <-time.After(loop.every):
				}
			}
		})
	}
	return k
}

// kill ends the worker without a word, which in KCL 2 a gentle stop is, too: it
// releases nothing.
func (k *kcl2) kill() {
	k.cancel()
	k.loops.Wait()
}

type kcl2Row = map[string]types.AttributeValue

func kclText(row kcl2Row, name string) string {
	s, _ := row[name].(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func kclNumber(row kcl2Row, name string) int64 {
	n, _ := row[name].(*types.AttributeValueMemberN)
	if n == nil {
		return 0
	}
	i, _ := strconv.ParseInt(n.Value, 10, 64)
	return i
}

func kclSet(row kcl2Row, name string) []string {
	s, _ := row[name].(*types.AttributeValueMemberSS)
	if s == nil {
		return nil
	}
	return s.Value
}

func kclPosition(row kcl2Row) shard.Position {
	return shard.After(kclText(row, "checkpoint"), kclNumber(row, "checkpointSubSequenceNumber"))
}

func avS(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func avN(n int64) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(n)} }

// scan is KCL's listLeases. A row without a counter is what an old KCL dies of.
func (k *kcl2) scan() (rows []kcl2Row, err error) {
	table := streamtest.Application
	out, err := k.db.Scan(k.ctx, &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		return nil, err
	}
	for _, row := range out.Items {
		if row["leaseCounter"] == nil || row["checkpoint"] == nil || row["ownerSwitchesSinceCheckpoint"] == nil || row["checkpointSubSequenceNumber"] == nil {
			panic(fmt.Sprintf("KCL cannot read %v", row))
		}
	}
	return out.Items, nil
}

// update is a write on the condition that the counter is the one last seen, which
// is all that KCL 2 asks.
func (k *kcl2) update(key string, counter int64, set string, remove string, values kcl2Row) (kcl2Row, error) {
	table := streamtest.Application
	condition, update := "leaseCounter = :c", "SET leaseCounter = :n"+set
	if remove != "" {
		update += " REMOVE " + remove
	}
	all := kcl2Row{":c": avN(counter), ":n": avN(counter + 1)}
	maps.Copy(all, values)
	out, err := k.db.UpdateItem(k.ctx, &dynamodb.UpdateItemInput{
		TableName: &table, Key: kcl2Row{"leaseKey": avS(key)}, ConditionExpression: &condition,
		UpdateExpression: &update, ExpressionAttributeValues: all, ReturnValues: types.ReturnValueAllNew,
	})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// write makes one write of a lease that is held, and reports whether it still is.
// After a failure it looks whether its own write has landed, as KCL does.
func (k *kcl2) write(key string, l *kclLease, set, remove string, values kcl2Row) bool {
	l.writing <- struct{}{}
	defer func() { <-l.writing }()
	_, err := k.update(key, l.counter, set, remove, values)
	if err == nil {
		l.counter++
		return true
	}
	if k.ctx.Err() != nil {
		return false
	}
	table, yes := streamtest.Application, true
	out, readErr := k.db.GetItem(k.ctx, &dynamodb.GetItemInput{TableName: &table, Key: kcl2Row{"leaseKey": avS(key)}, ConsistentRead: &yes})
	if readErr == nil && kclText(out.Item, "leaseOwner") == k.id && kclNumber(out.Item, "leaseCounter") == l.counter+1 {
		l.counter++
		return true
	}
	var refused *types.ConditionalCheckFailedException
	if errors.As(err, &refused) {
		k.drop(key, l)
	}
	return false
}

func (k *kcl2) drop(key string, l *kclLease) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owned[key] == l {
		delete(k.owned, key)
	}
}

func (k *kcl2) held() map[string]*kclLease {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.owned)
}

// renewAll is the lease renewer.
func (k *kcl2) renewAll() {
	var all sync.WaitGroup
	for key, l := range k.held() {
		all.Go(func() { k.write(key, l, "", "", nil) })
	}
	all.Wait()
}
