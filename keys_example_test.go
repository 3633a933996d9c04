package towpath_test

import (
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
)

// What docs/failures.md shows of keys that wait.
func Example_keysThatWait() {
	var cfg consumer.Config
	cfg.BisectBatchOnError = true
	cfg.SetAside = batching.SetAside{After: 3, Delays: []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute}}
	cfg.Park = consumer.Park{Keys: 100}
	cfg.KeyLimit = batching.KeyLimit{RecordsPerSecond: 50}
	fmt.Println(cfg.SetAside.Delay(3))
	// Output: 5s true
}
