package autoscale_test

import (
	"fmt"
	"log"
	"time"

	"github.com/towpath/towpath/autoscale"
)

// A fleet on four shards. Three keep up; the fourth was held up for two hours.
func ExampleSizing_Demand() {
	keepsUp := autoscale.Shard{Arrival: 800, PerRecord: 4 * time.Millisecond}
	heldUp := autoscale.Shard{ID: "shardId-000000000003", Arrival: 800, PerRecord: 4 * time.Millisecond, Behind: 2 * time.Hour}

	sizing := autoscale.Sizing{PerWorker: 8, Lanes: 4}
	demand, err := sizing.Demand([]autoscale.Shard{keepsUp, keepsUp, keepsUp, heldUp})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(demand)
	fmt.Println("more workers do not help", demand.Beyond)
	// Output:
	// 3 workers (2.27) for 13.6 calls, 2h0m0s behind; too few lanes for 1 of 4 shards
	// more workers do not help [shardId-000000000003]
}

// A program that asks every minute how many workers there should be. Two are
// needed and three are there: one is taken away when that has been so for ten
// minutes.
func ExampleScaler_Next() {
	var (
		scaler  autoscale.Scaler
		history autoscale.History
		now     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		workers = 3
	)
	for minute := 0; minute <= 10; minute += 5 {
		demand := autoscale.Demand{Workers: 1.4, Count: 2, Shards: 16, Most: 16}
		decision, next, err := scaler.Next(history, now.Add(time.Duration(minute)*time.Minute), workers, demand)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(decision)
		workers, history = decision.Workers, next
	}
	// Output:
	// 3 workers: 2 are enough, in 10m0s one can be taken away
	// 3 workers: 2 are enough, in 5m0s one can be taken away
	// 2 workers: 2 were enough for 10m0s
}

// A worker measures its shards and says which part of a worker they need. The sum
// over a fleet, rounded up, is how many workers there should be.
func ExampleMeter() {
	var meter autoscale.Meter
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	meter.Shards(start, 0, []autoscale.Reading{{ID: "a"}, {ID: "b"}})
	// A minute later 60,000 records have been read and finished, and 150 s of calls have run.
	shards := meter.Shards(start.Add(time.Minute), 150*time.Second, []autoscale.Reading{{ID: "a", Read: 30_000, Done: 30_000}, {ID: "b", Read: 30_000, Done: 30_000}})

	demand, err := autoscale.Sizing{PerWorker: 4, Lanes: 2}.Demand(shards)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f records a second, %s each: %.2f workers\n", shards[0].Arrival, shards[0].PerRecord, demand.Workers)
	// Output:
	// 500 records a second, 2.5ms each: 0.83 workers
}
