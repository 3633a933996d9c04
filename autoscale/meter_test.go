package autoscale

import (
	"math"
	"testing"
	"time"
)

// A reader that is behind reads three times as fast as records arrive, and then
// keeps up: at each time the meter tells the rate of arrival, and what a record
// costs.
func TestMeterTellsArrivalFromReading(t *testing.T) {
	const arrival = 200. // a second
	var m Meter
	now, read, tip, calls := noon, 0., 20*time.Minute, time.Duration(0)
	for i := 0; i < 120; i++ {
		step := 10 * time.Second
		now = now.Add(step)
		rate := arrival
		if tip > 0 {
			rate = 3 * arrival
			tip = max(0, tip-2*step) // three seconds of the stream in one
		}
		read += rate * step.Seconds()
		calls += time.Duration(rate*step.Seconds()) * 3 * ms
		got := m.Shards(now, calls, []Reading{{ID: "a", Read: read, Done: read, Tip: tip, Behind: tip + time.Second}})[0]
		if i == 0 {
			if got.Arrival != 0 || got.PerRecord != 0 {
				t.Fatalf("of one reading: %+v", got)
			}
			continue
		}
		if math.Abs(got.Arrival-arrival) > 1 || math.Abs(float64(got.PerRecord-3*ms)) > 1e4 || got.Behind != tip+time.Second {
			t.Fatalf("reading %d, %s behind: %+v, want %v/s and 3ms", i, tip, got, arrival)
		}
	}
}

// A reader that stands still, a count that begins again and shards that come and
// go do not spoil what is known.
func TestMeterBearsWhatSaysNothing(t *testing.T) {
	var m Meter
	at := func(second int, calls time.Duration, readings ...Reading) []Shard {
		return m.Shards(noon.Add(time.Duration(second)*time.Second), calls, readings)
	}
	at(0, 0, Reading{ID: "a"})
	at(10, 2*time.Second, Reading{ID: "a", Read: 1000, Done: 1000})
	still := at(70, 2*time.Second, Reading{ID: "a", Read: 1000, Done: 1000, Tip: time.Minute})[0]
	if still.Arrival != 100 || still.PerRecord != 2*ms || still.Behind != time.Minute {
		t.Errorf("of a reader that stands still: %+v", still)
	}
	soon := at(72, 2*time.Second, Reading{ID: "a", Read: 5000, Done: 5000, Tip: time.Minute})[0]
	if soon.Arrival != 100 {
		t.Errorf("after two seconds: %+v", soon)
	}
	anew := at(90, time.Second, Reading{ID: "a", Read: 10, Done: 10}, Reading{ID: "b", Read: 7, Done: 7})
	if anew[0].Arrival != 0 || anew[1].Arrival != 0 || anew[0].PerRecord != 2*ms {
		t.Errorf("when counts begin anew: %+v", anew)
	}
	gone := at(100, 2*time.Second, Reading{ID: "b", Read: 107, Done: 107})
	if len(gone) != 1 || gone[0].Arrival != 10 {
		t.Errorf("when a shard has gone: %+v", gone)
	}
	if got := at(95, 2*time.Second, Reading{ID: "b", Read: 200, Done: 200}); got[0].Arrival != 0 {
		t.Errorf("when the clock went back: %+v", got)
	}
}

// A worker that is overloaded reads a thousand records at once, and then handles
// them for a minute, one call after the other: reading comes to a halt meanwhile,
// and is further behind after it. Neither what arrives nor what a record costs is
// less for that.
func TestMeterIsRightAboutAWorkerThatIsOverloaded(t *testing.T) {
	const arrival, cost = 25., 60 * ms // a second; a lane does 16.7
	var m Meter
	place, read, done, calls := noon, 0., 0., time.Duration(0) // place is as far as it has read
	for second := range 3600 {
		now := noon.Add(time.Duration(second) * time.Second)
		if second%60 == 0 && second > 0 {
			read += 1000
			place = place.Add(40 * time.Second) // in which a thousand arrived
		}
		if second%6 == 0 && second > 60 {
			calls, done = calls+6*time.Second, done+100
		}
		if second%15 != 0 {
			continue
		}
		got := m.Shards(now, calls, []Reading{{ID: "a", Read: read, Done: done, Tip: now.Sub(place)}})[0]
		if second < 600 {
			continue
		}
		if math.Abs(got.Arrival-arrival) > .1*arrival || math.Abs(float64(got.PerRecord-cost)) > .1*float64(cost) {
			t.Fatalf("after %d s: %.1f records arrive in a second and take %s, want %v and %s", second, got.Arrival, got.PerRecord, arrival, cost)
		}
	}
}

// Where records come and no call ends for longer than one can take, as filters
// drop them all, they cost less and less.
func TestMeterForgetsWhatRecordsCost(t *testing.T) {
	var m Meter
	calls := time.Duration(0)
	for minute := range 90 {
		if minute < 10 {
			calls += 30 * time.Second
		}
		got := m.Shards(noon.Add(time.Duration(minute)*time.Minute), calls, []Reading{{ID: "a", Read: float64(minute * 1000), Done: float64(minute * 1000)}})[0]
		if minute == 20 && got.PerRecord != 30*ms {
			t.Errorf("after ten minutes without the end of a call a record takes %s, want 30 ms still", got.PerRecord)
		}
		if minute == 89 && got.PerRecord > ms {
			t.Errorf("after an hour without a call a record takes %s", got.PerRecord)
		}
	}
}
