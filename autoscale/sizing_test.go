package autoscale

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

// alike are n shards that are the same.
func alike(n int, one Shard) []Shard { return slices.Repeat([]Shard{one}, n) }

func TestDemandIsWhatTheFormulaSays(t *testing.T) {
	for _, c := range []struct {
		name    string
		sizing  Sizing
		shards  []Shard
		workers float64
		count   int
		beyond  int
		catchup bool
	}{
		{"idle", Sizing{PerWorker: 8}, alike(10, Shard{}), 0, 1, 0, false},
		{"nothing is measured", Sizing{PerWorker: 8, Minimum: 2}, nil, 0, 1, 0, false},
		// 10 shards × 500/s × 1 ms are 5 calls at once, over 8 × 0.75.
		{"load alone", Sizing{PerWorker: 8}, alike(10, Shard{Arrival: 500, PerRecord: ms}), 5. / 6, 1, 0, false},
		{"load alone, no headroom", Sizing{PerWorker: 1, Headroom: NoHeadroom}, alike(10, Shard{Arrival: 500, PerRecord: ms}), 5, 5, 0, false},
		// 300,000 records more in 600 s are 500/s more.
		{"load and what waits", Sizing{PerWorker: 2, Headroom: NoHeadroom, Lanes: 2},
			alike(4, Shard{Arrival: 500, Waiting: 300_000, PerRecord: ms, Behind: 10 * time.Minute}), 2, 2, 0, true},
		// The same without Waiting: 500/s for ten minutes.
		{"what waits, from the time behind", Sizing{PerWorker: 2, Headroom: NoHeadroom, Lanes: 2},
			alike(4, Shard{Arrival: 500, PerRecord: ms, Behind: 10 * time.Minute}), 2, 2, 0, true},
		{"half the time, twice the backlog's part", Sizing{PerWorker: 2, Headroom: NoHeadroom, Lanes: 2, CatchUp: 5 * time.Minute},
			alike(4, Shard{Arrival: 500, Waiting: 300_000, PerRecord: ms, Behind: 10 * time.Minute}), 3, 3, 0, true},
		// One shard is stuck for a day: it asks for its one lane.
		{"one shard is stuck", Sizing{PerWorker: 1, Headroom: NoHeadroom},
			append(alike(9, Shard{Arrival: 100, PerRecord: ms}), Shard{ID: "stuck", Arrival: 100, PerRecord: ms, Behind: 24 * time.Hour}), 1.9, 2, 1, false},
		{"one shard is stuck and nothing of it is known", Sizing{PerWorker: 1, Headroom: NoHeadroom},
			append(alike(9, Shard{Arrival: 100, PerRecord: ms}), Shard{ID: "stuck", Behind: 24 * time.Hour}), 1.9, 2, 1, false},
		{"a shard whose rate is not known, half the time behind", Sizing{PerWorker: 1, Headroom: NoHeadroom, Lanes: 4},
			alike(3, Shard{Behind: 5 * time.Minute, PerRecord: ms}), 6, 3, 0, true},
		{"many small lags", Sizing{PerWorker: 4, Headroom: NoHeadroom},
			alike(100, Shard{Arrival: 10, PerRecord: ms, Behind: time.Second}), 100 * (10 + 10./600) * .001 / 4, 1, 0, false},
		// Of docs/deploying.md: 200/s and 5 ms on 40 shards; then as much again waits;
		// then there is one lane for it.
		{"the guide, caught up", Sizing{PerWorker: 16, Lanes: 2}, alike(40, Shard{Arrival: 200, PerRecord: 5 * ms}), 40. / 12, 4, 0, false},
		{"the guide, ten minutes behind", Sizing{PerWorker: 16, Lanes: 2},
			alike(40, Shard{Arrival: 200, PerRecord: 5 * ms, Behind: 10 * time.Minute}), 80. / 12, 7, 0, true},
		{"the guide, with one lane", Sizing{PerWorker: 16},
			alike(40, Shard{Arrival: 200, PerRecord: 5 * ms, Behind: 10 * time.Minute}), 40. / 12, 4, 40, false},
		{"never more than shards", Sizing{PerWorker: 1, Lanes: 10}, alike(3, Shard{Arrival: 5000, PerRecord: ms}), 20, 3, 0, false},
		{"never more than the maximum", Sizing{PerWorker: 1, Lanes: 10, Maximum: 2}, alike(3, Shard{Arrival: 5000, PerRecord: ms}), 20, 2, 0, false},
		{"at least the minimum", Sizing{PerWorker: 1, Minimum: 2}, alike(3, Shard{}), 0, 2, 0, false},
		{"the minimum is no reason for idle workers", Sizing{PerWorker: 1, Minimum: 2}, alike(1, Shard{}), 0, 1, 0, false},
		{"no numbers", Sizing{PerWorker: 1},
			alike(3, Shard{Arrival: math.NaN(), Waiting: math.Inf(1), Behind: -1, PerRecord: -1}), 0, 1, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := c.sizing.Demand(c.shards)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(d.Workers-c.workers) > 1e-6 || d.Count != c.count || len(d.Beyond) != c.beyond || d.CatchingUp != c.catchup {
				t.Errorf("got %+v (%s), want %v workers, %d rounded, %d beyond, catching up %t", d, d, c.workers, c.count, c.beyond, c.catchup)
			}
		})
	}
}

func TestSizingSaysEverythingThatIsWrong(t *testing.T) {
	_, err := Sizing{Lanes: -1, CatchUp: time.Millisecond, Headroom: Share(math.NaN()), CaughtUp: -1, Minimum: 3, Maximum: 2}.Demand(nil)
	for _, field := range []string{"PerWorker", "Lanes", "CatchUp", "Headroom", "CaughtUp", "Maximum"} {
		if err == nil || !strings.Contains(err.Error(), field+" is ") {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
	if err := (Sizing{PerWorker: 1}).Validate(); err != nil {
		t.Error(err)
	}
}

func drawShards(t *rapid.T) []Shard {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Shard {
		return Shard{
			Arrival:   rapid.OneOf(rapid.Just(0.), rapid.Float64Range(0, 1e4)).Draw(t, "arrival"),
			Behind:    time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "behind")),
			Waiting:   rapid.OneOf(rapid.Just(0.), rapid.Float64Range(1, 1e8)).Draw(t, "waiting"),
			PerRecord: time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "per record")),
		}
	}), 1, 40).Draw(t, "shards")
}

func drawSizing(t *rapid.T) Sizing {
	least := rapid.IntRange(0, 5).Draw(t, "minimum")
	most := rapid.IntRange(0, 50).Draw(t, "maximum")
	if most > 0 {
		most = max(most, least)
	}
	return Sizing{
		PerWorker: rapid.IntRange(1, 64).Draw(t, "per worker"),
		Lanes:     rapid.IntRange(0, 16).Draw(t, "lanes"),
		CatchUp:   time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "catch up")),
		Headroom:  Share(rapid.Float64Range(0, .9).Draw(t, "headroom")),
		Minimum:   least, Maximum: most,
	}
}

// More lag, more arrivals or slower handlers never ask for fewer workers.
func TestDemandRisesWithTheLag(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizing, shards := drawSizing(t), drawShards(t)
		before, err := sizing.Demand(shards)
		if err != nil {
			t.Fatal(err)
		}
		more := slices.Clone(shards)
		one := &more[rapid.IntRange(0, len(more)-1).Draw(t, "which")]
		factor := rapid.Float64Range(1, 100).Draw(t, "factor")
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			one.Behind = time.Duration(min(float64(one.Behind)*factor, float64(1000*time.Hour)))
		case 1:
			one.Waiting *= factor
		case 2:
			if one.Waiting > 0 || one.Arrival > 0 { // else it becomes known, which is another thing
				one.Arrival *= factor
			}
		case 3:
			if one.PerRecord > 0 {
				one.PerRecord = time.Duration(float64(one.PerRecord) * factor)
			}
		}
		after, err := sizing.Demand(more)
		if err != nil {
			t.Fatal(err)
		}
		if after.Workers < before.Workers*(1-1e-9) || after.Count < before.Count {
			t.Fatalf("%+v asked for %s, %+v for %s", shards, before, more, after)
		}
	})
}

// Whatever is measured, there is a worker, and none without a shard; nor does a
// single shard ask for more than its lanes.
func TestDemandIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizing, shards := drawSizing(t), drawShards(t)
		d, err := sizing.Demand(shards)
		if err != nil {
			t.Fatal(err)
		}
		lanes := float64(max(1, sizing.Lanes))
		if d.Count < 1 || d.Count > len(shards) || sizing.Maximum > 0 && d.Count > sizing.Maximum || d.Calls > lanes*float64(len(shards))*(1+1e-9) {
			t.Fatalf("%s for %d shards of %v lanes", d, len(shards), lanes)
		}
	})
}

// What each worker asks for its own shards is what the fleet needs.
func TestDemandsOfPartsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizing, shards := drawSizing(t), drawShards(t)
		all, err := sizing.Demand(shards)
		if err != nil {
			t.Fatal(err)
		}
		cut := rapid.IntRange(0, len(shards)).Draw(t, "cut")
		one, _ := sizing.Demand(shards[:cut])
		other, _ := sizing.Demand(shards[cut:])
		if math.Abs(one.Workers+other.Workers-all.Workers) > 1e-6*max(1, all.Workers) {
			t.Fatalf("%s and %s make %s", one, other, all)
		}
	})
}
