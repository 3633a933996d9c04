package consumer_test

import (
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
)

// contradictions are settings each of which is right without the other.
var contradictions = []wrongConfig{
	{"positions and lanes", func(c *consumer.Config) {
		c.Positions, c.ParallelizationFactor = checkpointtest.NewPositions(), 2
	}, []string{"ParallelizationFactor is 2", "Positions is set", "want 1"}},
	{"positions without order", func(c *consumer.Config) {
		c.Positions, c.Unordered = checkpointtest.NewPositions(), true
	}, []string{"Unordered and Positions"}},
	{"positions and keys set aside", func(c *consumer.Config) {
		c.Positions, c.SetAside.Delays = checkpointtest.NewPositions(), []time.Duration{time.Second}
	}, []string{"SetAside and Positions"}},
	{"positions and a limit of keys", func(c *consumer.Config) {
		c.Positions, c.KeyLimit = checkpointtest.NewPositions(), batching.KeyLimit{RecordsPerSecond: 1}
	}, []string{"KeyLimit and Positions"}},
	{"positions and parked keys", func(c *consumer.Config) {
		c.Positions, c.Park.Keys, c.KeyLimit.RecordsPerSecond = checkpointtest.NewPositions(), 1, 1
	}, []string{"Park and Positions", "KeyLimit and Positions"}},
}

// Settings that contradict each other are refused, and the error names both.
func TestContradictionsNameBothFields(t *testing.T) { wantRefused(t, contradictions) }
