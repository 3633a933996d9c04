package streamtest_test

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
)

// take is the lease taker: what is free or has expired up to the target, else one
// lease of whoever has most.
func (k *kcl2) take() {
	rows, err := k.scan()
	if err != nil {
		return
	}
	now := time.Now()
	counts := map[string]int{k.id: 0}
	var expired, open []kcl2Row
	k.mu.Lock()
	fresh := map[string]kclSeen{}
	for _, row := range rows {
		key, owner, counter := kclText(row, "leaseKey"), kclText(row, "leaseOwner"), kclNumber(row, "leaseCounter")
		was, known := k.seen[key]
		if !known || was.counter != counter || was.owner != owner {
			was = kclSeen{counter, owner, now}
		}
		fresh[key] = was
		if kclText(row, "checkpoint") == "SHARD_END" {
			continue
		}
		open = append(open, row)
		if owner == "" || owner != k.id && now.Sub(was.since) > k.failover {
			expired = append(expired, row)
			continue
		}
		counts[owner]++
	}
	k.seen = fresh
	k.mu.Unlock()
	target := 1
	if len(counts) < len(open) {
		target = (len(open) + len(counts) - 1) / len(counts)
	}
	need := target - counts[k.id]
	if need <= 0 {
		return
	}
	if len(expired) > 0 {
		k.dice.Shuffle(len(expired), func(i, j int) { expired[i], expired[j] = expired[j], expired[i] })
		for _, row := range expired[:min(need, len(expired))] {
			k.takeOne(row)
		}
		return
	}
	most := slices.MaxFunc(slices.Sorted(maps.Keys(counts)), func(a, b string) int { return counts[a] - counts[b] })
	over := counts[most] - target
	if over <= 0 && need > 1 && counts[most] >= target {
		over = 1
	}
	if most == k.id || over <= 0 {
		return
	}
	var theirs []kcl2Row
	for _, row := range open {
		if kclText(row, "leaseOwner") == most {
			theirs = append(theirs, row)
		}
	}
	if k.takeOne(theirs[k.dice.IntN(len(theirs))]) {
		k.mu.Lock()
		k.stolen++
		k.mu.Unlock()
	}
}

func (k *kcl2) takeOne(row kcl2Row) bool {
	key := kclText(row, "leaseKey")
	now, err := k.update(key, kclNumber(row, "leaseCounter"),
		", leaseOwner = :me, ownerSwitchesSinceCheckpoint = ownerSwitchesSinceCheckpoint + :one", "checkpointOwner",
		kcl2Row{":me": avS(k.id), ":one": avN(1)})
	if err != nil || k.ctx.Err() != nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.owned[key] = &kclLease{counter: kclNumber(now, "leaseCounter"), at: kclPosition(now), written: kclPosition(now), writing: make(chan struct{}, 1)}
	return true
}

// process is the consumers of all shards: some records each, a checkpoint now and
// then, and the end of a shard.
func (k *kcl2) process() {
	held := k.held()
	if len(held) == 0 {
		return
	}
	rows, err := k.scan()
	if err != nil {
		return
	}
	byKey := map[string]kcl2Row{}
	for _, row := range rows {
		byKey[kclText(row, "leaseKey")] = row
	}
	for _, key := range slices.Sorted(maps.Keys(held)) {
		l := held[key]
		if k.ctx.Err() != nil || !k.runs(byKey, key) {
			continue
		}
		k.processSome(key, l)
	}
}

// runs reports whether the parents of a shard that have rows are done.
func (k *kcl2) runs(rows map[string]kcl2Row, key string) bool {
	for _, parent := range kclSet(rows[key], "parentShardId") {
		if row, has := rows[parent]; has && kclText(row, "checkpoint") != "SHARD_END" {
			return false
		}
	}
	return rows[key] != nil
}

func (k *kcl2) processSome(key string, l *kclLease) {
	var behind []string
	for _, r := range k.rig.AWS.Kinesis().Records(streamtest.Stream) {
		if r.ShardID == key && shard.After(r.SequenceNumber, 0).Compare(l.at) > 0 {
			behind = append(behind, r.SequenceNumber)
		}
	}
	slices.SortFunc(behind, shard.CompareSequences)
	all := len(behind) <= 20
	for _, sequence := range behind[:min(20, len(behind))] {
		time.Sleep(time.Millisecond)
		if k.ctx.Err() != nil {
			return
		}
		k.rig.Ledger.Finish(key, sequence, 0)
		l.at = shard.After(sequence, 0)
	}
	if l.at.IsRecord() && l.at.Compare(l.written) != 0 && k.dice.IntN(3) > 0 {
		if !k.write(key, l, ", checkpoint = :seq, checkpointSubSequenceNumber = :zero, ownerSwitchesSinceCheckpoint = :zero", "pendingCheckpoint",
			kcl2Row{":seq": avS(l.at.Sequence), ":zero": avN(0)}) {
			return
		}
		l.written = l.at
	}
	if all {
		k.endShard(key, l)
	}
}

// endShard is KCL's ShutdownTask of a shard that is closed and read to its end.
func (k *kcl2) endShard(key string, l *kclLease) {
	shards := k.rig.AWS.Kinesis().Shards(streamtest.Stream)
	i := slices.IndexFunc(shards, func(s kclShard) bool { return s.ID == key })
	if i < 0 || shards[i].EndingSequenceNumber == "" || len(shards[i].Children) == 0 {
		return
	}
	for _, r := range k.rig.AWS.Kinesis().Records(streamtest.Stream) {
		if r.ShardID == key && shard.After(r.SequenceNumber, 0).Compare(l.at) > 0 {
			return // it came while the rest was processed
		}
	}
	rows, err := k.scan()
	if err != nil {
		return
	}
	has := map[string]bool{}
	for _, row := range rows {
		has[kclText(row, "leaseKey")] = true
	}
	table, missing := streamtest.Application, "attribute_not_exists(leaseKey)"
	for _, child := range shards[i].Children {
		c := shards[slices.IndexFunc(shards, func(s kclShard) bool { return s.ID == child })]
		if !has[child] && slices.ContainsFunc(c.Parents, func(p string) bool { return !has[p] }) {
			return // the other parent of a merge has no lease yet: KCL tries again later
		}
		_, err := k.db.PutItem(k.ctx, &dynamodb.PutItemInput{TableName: &table, ConditionExpression: &missing, Item: kcl2Row{
			"leaseKey": avS(child), "leaseCounter": avN(0), "checkpoint": avS("TRIM_HORIZON"), "checkpointSubSequenceNumber": avN(0),
			"ownerSwitchesSinceCheckpoint": avN(0), "parentShardId": &types.AttributeValueMemberSS{Value: c.Parents},
			"startingHashKey": avS(c.StartingHashKey), "endingHashKey": avS(c.EndingHashKey),
		}})
		var exists *types.ConditionalCheckFailedException
		if err != nil && !errors.As(err, &exists) {
			return
		}
	}
	ended := k.write(key, l, ", checkpoint = :end, checkpointSubSequenceNumber = :zero, ownerSwitchesSinceCheckpoint = :zero, childShardIds = :children", "",
		kcl2Row{":end": avS("SHARD_END"), ":zero": avN(0), ":children": &types.AttributeValueMemberSS{Value: shards[i].Children}})
	if ended {
		k.drop(key, l)
	}
}

// cleanUp deletes what is finished when all its children have begun, without any
// condition, as KCL does.
func (k *kcl2) cleanUp() {
	rows, err := k.scan()
	if err != nil {
		return
	}
	at := map[string]string{}
	for _, row := range rows {
		at[kclText(row, "leaseKey")] = kclText(row, "checkpoint")
	}
	for _, row := range rows {
		key, children := kclText(row, "leaseKey"), kclSet(row, "childShardIds")
		if at[key] != "SHARD_END" || kclText(row, "leaseOwner") != k.id || len(children) == 0 {
			continue
		}
		begun := !slices.ContainsFunc(children, func(c string) bool { return at[c] == "" || at[c] == "TRIM_HORIZON" })
		if begun && !slices.ContainsFunc(kclSet(row, "parentShardId"), func(p string) bool { return at[p] != "" }) {
			table := streamtest.Application
			_, _ = k.db.DeleteItem(k.ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: kcl2Row{"leaseKey": avS(key)}})
		}
	}
}
