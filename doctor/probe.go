package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	ktypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/shard"
)

// probeKey is the key of a row that no shard and no worker has.
const probeKey = "towpath-doctor-probe"

// probe tries the calls that workers make.
func (g *gathering) probe(ctx context.Context) {
	name := func(role dynamocheckpoint.TableRole) string { n, _ := g.Table.NameOf(role); return n }
	modes := g.Modes
	if len(modes) == 0 {
		modes = []iam.Mode{iam.Polling, iam.Leases}
		switch {
		case g.Config.Changes != "":
			modes[0] = iam.Changes
		case g.Config.FanOut != "":
			modes[0] = iam.FanOut
		}
	}
	policy, err := iam.For(iam.Scope{
		Stream: g.Stream.ARN, Application: g.Config.Application, Consumer: g.Config.FanOut,
		Table: name(dynamocheckpoint.RoleLeases), Sessions: name(dynamocheckpoint.RoleSessions),
		States: name(dynamocheckpoint.RoleStates), Parked: name(dynamocheckpoint.RoleParked),
	}, modes...)
	if err != nil {
		g.unanswered("which permissions workers need", err)
		return
	}
	for _, st := range policy.Statement {
		for _, action := range st.Action {
			for _, resource := range st.Resource {
				g.probeOne(ctx, action, resource)
			}
		}
	}
	slices.Sort(g.Unprobed)
	g.Unprobed = slices.Compact(g.Unprobed)
}

// probeOne tries one action.
func (g *gathering) probeOne(ctx context.Context, action, resource string) {
	service, operation, _ := strings.Cut(action, ":")
	var err error
	tried := false
	switch {
	case service == "kinesis":
		tried, err = g.probeStream(ctx, operation)
	case service == "dynamodb" && strings.Contains(resource, "/stream/"):
		// The source asked for these to get this far.
		tried = operation == "DescribeStream" || operation == "ListStreams" || len(g.Lags) > 0
		if !tried {
			tried, err = g.probeChanges(ctx, operation)
		}
	case service == "dynamodb":
		tried, err = g.probeTable(ctx, operation, resource)
		if !tried {
			return // said already
		}
	}
	switch {
	case !tried && err != nil:
		g.unanswered("whether "+action+" is allowed", err)
		return
	case !tried:
		g.Unprobed = append(g.Unprobed, action)
		return
	case isAnswered(err):
		err = nil
	}
	_, on, _ := strings.Cut(resource, "/")
	on = strings.TrimSuffix(on, ":*")
	if slices.ContainsFunc(g.Permissions, func(p Permission) bool { return p.Action == action && p.On == on }) {
		return // a consumer, with and without the time of its creation
	}
	g.Permissions = append(g.Permissions, Permission{Action: action, On: on, Err: err})
}

// isAnswered reports whether a call got further than to the policies: the service
// looks at those first.
func isAnswered(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "ConditionalCheckFailedException", "TransactionCanceledException", "ValidationException", "ResourceNotFoundException":
		return true
	}
	return false
}

// What keeps a call from being tried.
var (
	errNoShard    = errors.New("the stream lists no shard")
	errNoIterator = errors.New("it needs an iterator, and none was given")
)

// probeChanges tries to read a stream of DynamoDB of which nothing was read yet.
func (g *gathering) probeChanges(ctx context.Context, operation string) (tried bool, err error) {
	if len(g.Shards) == 0 {
		return false, errNoShard
	}
	_, err = g.next(ctx, shard.Start{Stream: g.Stream, Shard: g.Shards[0].ID, After: shard.TrimHorizon()})
	var refused *smithy.OperationError
	switch {
	case !errors.As(err, &refused) || refused.OperationName == operation:
		return true, err
	case operation == "GetRecords":
		return false, errNoIterator
	}
	return true, nil // the iterator was given
}

// probeStream tries a read of a stream of Kinesis; false is one that has an effect,
// or with an error one that something else keeps from being tried.
func (g *gathering) probeStream(ctx context.Context, operation string) (tried bool, err error) {
	client, arn := g.Config.Kinesis, &g.Stream.ARN
	switch operation {
	case "DescribeStreamSummary":
		_, err = client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamARN: arn})
	case "ListShards":
		_, err = client.ListShards(ctx, &kinesis.ListShardsInput{StreamARN: arn, MaxResults: aws.Int32(1)})
	case "DescribeStreamConsumer":
		name := cmp.Or(g.Config.FanOut, g.Config.Application) // as the policy has it; an empty name is refused before the policy is asked
		_, err = client.DescribeStreamConsumer(ctx, &kinesis.DescribeStreamConsumerInput{StreamARN: arn, ConsumerName: &name})
	case "GetShardIterator", "GetRecords":
		if len(g.Shards) == 0 {
			return false, errNoShard
		}
		var at *kinesis.GetShardIteratorOutput
		at, err = client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamARN: arn, ShardId: &g.Shards[0].ID, ShardIteratorType: ktypes.ShardIteratorTypeTrimHorizon})
		if err != nil && operation == "GetRecords" {
			return false, errNoIterator
		}
		if operation == "GetRecords" {
			_, err = client.GetRecords(ctx, &kinesis.GetRecordsInput{StreamARN: arn, ShardIterator: at.ShardIterator, Limit: aws.Int32(1)})
		}
	default:
		return false, nil
	}
	return true, err
}

// probeTable tries a call on a table, or on its index.
func (g *gathering) probeTable(ctx context.Context, operation, resource string) (tried bool, err error) {
	_, of, _ := strings.Cut(resource, ":table/")
	table, index, onIndex := strings.Cut(of, "/index/")
	keys := g.keysOf(table)
	switch {
	case keys != nil || operation == "DescribeTable" && g.isUndescribed(table):
	case g.isUndescribed(table):
		g.unanswered("what else is allowed on table "+table, errors.New("without its description it is not known how its rows are named"))
		return false, nil
	default:
		return false, nil // it is not there, or another table, which is said of the tables
	}
	key := map[string]types.AttributeValue{}
	for _, k := range keys { // none is needed to describe it
		key[k] = &types.AttributeValueMemberS{Value: probeKey}
	}
	switch operation {
	case "DescribeTable":
		_, err = g.Dynamo.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
	case "GetItem":
		_, err = g.Dynamo.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key})
	case "Scan":
		_, err = g.Dynamo.Scan(ctx, &dynamodb.ScanInput{TableName: &table, Limit: aws.Int32(1)})
	case "Query":
		in := &dynamodb.QueryInput{
			TableName: &table, Limit: aws.Int32(1), KeyConditionExpression: aws.String("#k = :k"),
			ExpressionAttributeNames: map[string]string{"#k": keys[0]}, ExpressionAttributeValues: map[string]types.AttributeValue{":k": key[keys[0]]},
		}
		if onIndex {
			in.IndexName, in.ExpressionAttributeNames = &index, map[string]string{"#k": "leaseOwner"}
		}
		_, err = g.Dynamo.Query(ctx, in)
	case "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem":
		if !g.ProbeWrites {
			g.Unwritten++
			return false, nil
		}
		err = g.attempt(ctx, operation, table, key, keys[0])
	default:
		g.Unprobed = append(g.Unprobed, "dynamodb:"+operation)
		return false, nil
	}
	return true, err
}

// keysOf are the key attributes of a table that is there.
func (g *gathering) keysOf(table string) []string {
	for _, t := range g.Tables {
		if isNamed(t.Name, table) && t.There && t.Misfit == nil {
			return g.keys[t.Role]
		}
	}
	return nil
}

// isUndescribed reports whether a table may not be described.
func (g *gathering) isUndescribed(table string) bool {
	return slices.ContainsFunc(g.undescribed, func(given string) bool { return isNamed(given, table) })
}

// isNamed reports whether a table, given by name or ARN, has a name.
func isNamed(given, table string) bool {
	return given == table || strings.HasSuffix(given, ":table/"+table)
}

// attempt is a write that cannot take effect: its condition contradicts itself. An
// answer without an error would be a fault of the service.
func (g *gathering) attempt(ctx context.Context, operation, table string, key map[string]types.AttributeValue, name string) (err error) {
	never, names := aws.String("attribute_exists(#k) AND attribute_not_exists(#k)"), map[string]string{"#k": name}
	switch operation {
	case "PutItem":
		_, err = g.Dynamo.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: key, ConditionExpression: never, ExpressionAttributeNames: names})
	case "DeleteItem":
		_, err = g.Dynamo.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: key, ConditionExpression: never, ExpressionAttributeNames: names})
	case "UpdateItem":
		_, err = g.Dynamo.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: &table, Key: key, ConditionExpression: never, ExpressionAttributeNames: names,
			UpdateExpression: aws.String("REMOVE probe")})
	default:
		_, err = g.Dynamo.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{
			ConditionCheck: &types.ConditionCheck{TableName: &table, Key: key, ConditionExpression: never, ExpressionAttributeNames: names},
		}}})
	}
	if err == nil {
		return fmt.Errorf("%s on table %s was applied against its condition", operation, table)
	}
	return err
}
