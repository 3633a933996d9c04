package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// makeStream makes the stream and the queue, and returns the queue's URL.
func (g *stage) makeStream(ctx context.Context) (string, error) {
	if err := g.stream.Make(ctx, g.shards); err != nil {
		return "", err
	}
	queue, err := g.sqsAPI.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("given-up")})
	if err != nil {
		return "", fmt.Errorf("make the queue: %w", err)
	}
	return *queue.QueueUrl, nil
}

// reshard splits or merges, so that there are about as many shards as at the
// start; choose is below 1.
func (g *stage) reshard(ctx context.Context, choose float64) (string, error) {
	slack := max(1, g.shards/8)
	return g.stream.Reshard(ctx, g.shards-slack, g.shards+slack, choose)
}

// A lease whose owner is dead is made again by the maintenance run, which may take
// minutes; a short run deletes those of the living.
const longRun = 10 * time.Minute

// deleteRow deletes a session or a lease by hand.
func (w *weather) deleteRow(ctx context.Context, r *rand.Rand) error {
	table, key := applicationName+"-sessions", "id"
	if r.IntN(2) == 0 {
		table, key = applicationName, "leaseKey"
	}
	choose := r.Float64()
	if key == "id" && w.kind == "kcl" {
		return nil // it keeps no sessions
	}
	out, err := w.dynamoAPI.Scan(ctx, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	var ids []string
	for _, item := range out.Items {
		id, _ := item[key].(*dynamotypes.AttributeValueMemberS)
		at, _ := item["checkpoint"].(*dynamotypes.AttributeValueMemberS)
		owner, _ := item["leaseOwner"].(*dynamotypes.AttributeValueMemberS)
		if key == "leaseKey" && w.duration < longRun && (owner == nil || !w.fleet.lives(owner.Value)) {
			continue
		}
		if id != nil && id.Value != "control" && (at == nil || at.Value != "SHARD_END") {
			ids = append(ids, id.Value)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	id := ids[int(choose*float64(len(ids)))]
	if key == "id" {
		name, _, _ := strings.Cut(id, "/")
		heal := w.watch.harm(name, now())
		w.after(leaseDuration, func(context.Context) error { heal(now()); return nil })
	} else {
		w.watch.upset[id] = now() + 3*leaseDuration
	}
	w.result.RowsDeleted++
	w.sayf("deleted %s of %s", id, table)
	_, err = w.dynamoAPI.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: map[string]dynamotypes.AttributeValue{
		key: &dynamotypes.AttributeValueMemberS{Value: id}}})
	if err != nil {
		return fmt.Errorf("delete %s of %s: %w", id, table, err)
	}
	return nil
}
