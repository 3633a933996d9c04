package dynamocheckpoint_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// The table of vmware-go-kcl says where each shard is. It is only read: a
// reposition.Mover's Fork takes it as the origin of a table of one's own.
func ExampleVMware() {
	cloud := awsfake.New()
	keyed(cloud, "old", "ShardID")
	for id, at := range map[string]string{"shardId-000000000000": "SHARD_END", "shardId-000000000001": "4959"} {
		putRow(cloud, "old", dynamofake.Item{"ShardID": dynamofake.S(id), "Checkpoint": dynamofake.S(at), "AssignedTo": dynamofake.S("host-7")})
	}
	list(dynamocheckpoint.VMware(dynamodb.NewFromConfig(cloud.Config("mover")), "old"))
	// Unordered output:
	// shardId-000000000000 SHARD_END
	// shardId-000000000001 4959
}

// The table of harlow/kinesis-consumer holds those of many applications.
func ExampleHarlow() {
	cloud := awsfake.New()
	keyed(cloud, "checkpoints", "namespace", "shard_id")
	for _, application := range []string{"clickstream", "another"} {
		putRow(cloud, "checkpoints", dynamofake.Item{
			"namespace": dynamofake.S(application + "-clicks"), "shard_id": dynamofake.S("shardId-000000000000"), "sequence_number": dynamofake.S("4959"),
		})
	}
	list(dynamocheckpoint.Harlow(dynamodb.NewFromConfig(cloud.Config("mover")), "checkpoints", "clickstream", "clicks"))
	// Output: shardId-000000000000 4959
}

func list(table *dynamocheckpoint.Foreign) {
	rows, err := table.List(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range rows {
		fmt.Println(row.Shard, row.Checkpoint)
	}
}

// keyed makes a table as another library has made it.
func keyed(cloud *awsfake.AWS, table string, keys ...string) {
	in := &dynamodb.CreateTableInput{TableName: &table, BillingMode: types.BillingModePayPerRequest}
	for i, kind := range []types.KeyType{types.KeyTypeHash, types.KeyTypeRange} {
		if i < len(keys) {
			in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: aws.String(keys[i]), KeyType: kind})
			in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String(keys[i]), AttributeType: types.ScalarAttributeTypeS})
		}
	}
	if _, err := dynamodb.NewFromConfig(cloud.Config("mover")).CreateTable(context.Background(), in); err != nil {
		log.Fatal(err)
	}
}

func putRow(cloud *awsfake.AWS, table string, row dynamofake.Item) {
	if err := cloud.DynamoDB().Put(table, row); err != nil {
		log.Fatal(err)
	}
}
