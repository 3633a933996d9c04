package dynamoshards

import "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

// PartitionKeyOf is the partition key of an item whose key is a number.
func PartitionKeyOf(number string) string {
	return string(appendItem(nil, map[string]types.AttributeValue{"id": &types.AttributeValueMemberN{Value: number}}, true))
}
