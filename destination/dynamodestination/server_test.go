package dynamodestination_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/dynamodestination"
	"github.com/towpath/towpath/internal/servertest"
)

func TestTableIsADestinationOnAServer(t *testing.T) {
	client := dynamodb.NewFromConfig(servertest.Config(t, "dynamodb"))
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		name := fmt.Sprint("sink-", time.Now().UnixNano())
		servertest.Drop(t, client, name)
		if err := makeTable(client, name); err != nil {
			t.Fatal(err)
		}
		return destinationtest.Rig{
			Destination: dynamodestination.Open(client, name),
			MaxBytes:    destination.MaxDynamoDBBytes - besideFailure(),
			Once:        true,
			Accepted: func(t *testing.T) (all []destinationtest.Accepted) {
				for _, it := range readAll(t, client, name) {
					all = append(all, destinationtest.Accepted{ID: it["id"].(*types.AttributeValueMemberS).Value, Body: []byte(it["body"].(*types.AttributeValueMemberS).Value)})
				}
				return all
			},
		}
	})
}

// readAll reads the items in the order in which the samples were sent, as far as
// that can be told from their envelopes.
func readAll(t *testing.T, client *dynamodb.Client, name string) (all []map[string]types.AttributeValue) {
	t.Helper()
	pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{TableName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
	}
	slices.SortFunc(all, func(a, b map[string]types.AttributeValue) int {
		return len(a["body"].(*types.AttributeValueMemberS).Value) - len(b["body"].(*types.AttributeValueMemberS).Value)
	})
	return all
}

// An item of exactly the limit is taken, and one byte more is not.
func TestServerTakesItemsUpToTheLimitThatIsReckoned(t *testing.T) {
	client := dynamodb.NewFromConfig(servertest.Config(t, "dynamodb"))
	name := fmt.Sprint("limit-", time.Now().UnixNano())
	servertest.Drop(t, client, name)
	if err := makeTable(client, name); err != nil {
		t.Fatal(err)
	}
	for over, ok := range map[int]bool{-1: true, 0: true, 1: false} {
		body := make([]byte, destination.MaxDynamoDBBytes+over-len("id")-1-len("body"))
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: map[string]types.AttributeValue{
			"id": &types.AttributeValueMemberS{Value: "x"}, "body": &types.AttributeValueMemberB{Value: body},
		}})
		if (err == nil) != ok {
			t.Errorf("an item %d bytes over the limit: error %v", over, err)
		}
	}
}
