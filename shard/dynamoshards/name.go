package dynamoshards

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

// name is a stream by its ARN, or else a table whose newest stream is meant.
type name struct{ arn, table string }

// validTable is what a table may be called, by the API reference of CreateTable.
var validTable = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

// parseName takes apart what the user gave.
func parseName(s string) (name, error) {
	if s == "" {
		return name{}, fmt.Errorf("stream: want the ARN of a DynamoDB stream, or the name of its table, got nothing")
	}
	if !strings.HasPrefix(s, "arn:") {
		return name{table: s}, checkTable(s)
	}
	// arn:partition:dynamodb:region:account:table/name[/stream/label]
	parts := strings.SplitN(s, ":", 6)
	if len(parts) < 6 || parts[1] == "" || parts[3] == "" || parts[4] == "" {
		return name{}, fmt.Errorf("stream %q: want arn:partition:dynamodb:region:account:table/name/stream/label", s)
	}
	if parts[2] != "dynamodb" {
		return name{}, fmt.Errorf("stream %q: this is an ARN of %q, want one of dynamodb", s, parts[2])
	}
	resource := strings.Split(parts[5], "/")
	switch {
	case len(resource) == 4 && resource[0] == "table" && resource[2] == "stream" && resource[3] != "":
		return name{arn: s, table: resource[1]}, checkTable(resource[1])
	case len(resource) == 2 && resource[0] == "table":
		return name{table: resource[1]}, checkTable(resource[1])
	}
	return name{}, fmt.Errorf("stream %q: this is the ARN of %q, want table/name/stream/label or table/name", s, parts[5])
}

func checkTable(s string) error {
	if !validTable.MatchString(s) {
		return fmt.Errorf("table name %q: want 3 to 255 letters, digits, '_', '.' and '-'", s)
	}
	return nil
}

// region is the region in an ARN; empty if it is none.
func region(arn string) string {
	if parts := strings.SplitN(arn, ":", 5); len(parts) == 5 {
		return parts[3]
	}
	return ""
}

// sameRegion refuses an ARN of another region than the client's: the service
// would not find the stream, or find that of another table of the name.
func sameRegion(client Client, given string) error {
	c, ok := client.(*dynamodbstreams.Client)
	if !ok || c == nil {
		return nil // of a client that is not the SDK's nobody knows
	}
	if own, of := c.Options().Region, region(given); own != "" && of != "" && own != of {
		return fmt.Errorf("stream %q: it is in the region %s, and the client is of %s", given, of, own)
	}
	return nil
}
