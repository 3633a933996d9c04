package dynamofake_test

import (
	"testing"

	"github.com/towpath/towpath/internal/servertest"
)

// DynamoDB Local has AWS's own lineage of streams, and its control port rolls
// shards over at once.
func TestServerStreamAnswersAsTheFakeDoes(t *testing.T) {
	s := server{servertest.Endpoint(t, "dynamodb")}
	control := servertest.StreamControl(t)
	var roll func()
	if control != nil {
		roll = func() { control.Rollover(t) }
	}
	probeStream(t, s, roll)
}
