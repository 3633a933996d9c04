package checkpointtest

import (
	"testing"

	"github.com/towpath/towpath/checkpoint"
)

func TestTableIsAsADriverIs(t *testing.T) {
	RunLeases(t, func(*testing.T) checkpoint.Leases { return NewTable() })
}
