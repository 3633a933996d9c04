package dynamofake_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

func Example() {
	tables := dynamofake.New(time.Now)
	a := awsfake.New()
	a.Handle("dynamodb", tables)
	client := dynamodb.NewFromConfig(a.Config("me"))

	ctx := context.Background()
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            aws.String("visits"),
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("page"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("page"), AttributeType: types.ScalarAttributeTypeS}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	tables.OnWrite(func(table string, before, after dynamofake.Item) {
		fmt.Printf("%s: %v became %v\n", table, before, after)
	})
	for range 2 {
		_, err = client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName:                 aws.String("visits"),
			Key:                       map[string]types.AttributeValue{"page": &types.AttributeValueMemberS{Value: "/home"}},
			UpdateExpression:          aws.String("SET seen = if_not_exists(seen, :0) + :1"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":0": &types.AttributeValueMemberN{Value: "0"}, ":1": &types.AttributeValueMemberN{Value: "1"}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	_, writes := tables.Consumed("visits")
	fmt.Println(writes, "write units")
	// Output:
	// visits: {} became {page: "/home", seen: 1}
	// visits: {page: "/home", seen: 1} became {page: "/home", seen: 2}
	// 2 write units
}
