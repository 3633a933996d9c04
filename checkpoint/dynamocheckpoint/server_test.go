package dynamocheckpoint_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
)

// TestServerKeepsTheContract runs the suite against a real server, such as
// DynamoDB Local: TOWPATH_TEST_ENDPOINTS="dynamodb=http://127.0.0.1:8000".
func TestServerKeepsTheContract(t *testing.T) {
	for _, name := range []string{"dynamodb", "aws"} {
		t.Run(name, func(t *testing.T) {
			client := server(t, name)
			checkpointtest.RunLeases(t, func(t *testing.T) checkpoint.Leases { return open(t, client) })
		})
	}
}

// server is a client of one of the servers that the environment names.
func server(t *testing.T, name string) *dynamodb.Client {
	t.Helper()
	for _, pair := range strings.Split(os.Getenv("TOWPATH_TEST_ENDPOINTS"), ",") {
		if key, url, _ := strings.Cut(pair, "="); key == name && url != "" {
			return dynamodb.New(dynamodb.Options{
				Region: "us-east-1", BaseEndpoint: &url,
				Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
			})
		}
	}
	if os.Getenv("TOWPATH_TEST_REQUIRED") == "1" {
		t.Fatalf("TOWPATH_TEST_ENDPOINTS names no server %q", name)
	}
	t.Skipf("NOT TESTED: TOWPATH_TEST_ENDPOINTS names no server %q", name)
	return nil
}

// open is a table of its own for each test, deleted when the test ends.
func open(t *testing.T, client *dynamodb.Client) *editable {
	t.Helper()
	name := fmt.Sprintf("towpath-test-%d", time.Now().UnixNano())
	table := dynamocheckpoint.Open(client, name, func(o *dynamocheckpoint.Options) { o.CreateTables = true })
	t.Cleanup(func() {
		for _, table := range []string{name, name + "-sessions"} {
			client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table})
		}
	})
	return &editable{Table: table, client: client, name: name}
}

// editable is a Table whose rows the suite can edit by hand.
type editable struct {
	*dynamocheckpoint.Table
	client dynamocheckpoint.Client
	name   string
}

// SetAttribute implements checkpointtest.Editor.
func (e *editable) SetAttribute(ctx context.Context, key, name, value string) error {
	_, err := e.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &e.name, Key: map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: key}},
		UpdateExpression:          aws.String("SET #n = :v"),
		ExpressionAttributeNames:  map[string]string{"#n": name},
		ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberS{Value: value}},
	})
	return err
}

// Attribute implements checkpointtest.Editor.
func (e *editable) Attribute(ctx context.Context, key, name string) (string, error) {
	out, err := e.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &e.name, ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: key}},
	})
	if err != nil {
		return "", err
	}
	if s, ok := out.Item[name].(*types.AttributeValueMemberS); ok {
		return s.Value, nil
	}
	return "", nil
}
