package dynamocheckpoint_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
)

// What cannot be a table is told before a call is made, all at once.
func TestTablesTellAllThatIsWrongWithTheirNames(t *testing.T) {
	err := dynamocheckpoint.Open(nil, "click stream", func(o *dynamocheckpoint.Options) {
		o.SessionTable, o.StateTable, o.ParkedTable, o.Timeout = "same", "same", "", -1
	}).Validate()
	for _, want := range []string{
		"the client is nil", `TableName is "click stream"`, `SessionTable and StateTable are both "same"`, `ParkedTable is ""`, "Timeout is -1ns",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	for _, name := range []string{"clickstream", "arn:aws:dynamodb:us-east-1:000000000000:table/clicks"} {
		if err := dynamocheckpoint.Open(&dynamodb.Client{}, name).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
