package swarmtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Size is how large the fleets of a plan are.
type Size struct {
	// Name is what the command line calls it.
	Name string
	// Workers and Shards are the least and the most that there are at the start.
	Workers, Shards [2]int
	// Storm is the least and the most time for which faults strike.
	Storm [2]time.Duration
	// Records is the least and the most that are put.
	Records [2]int
	// Events is the least and the most that happens to the fleet.
	Events [2]int
}

var (
	// Small is a fleet for many seeds.
	Small = Size{Name: "small", Workers: [2]int{2, 3}, Shards: [2]int{2, 5}, Storm: [2]time.Duration{5 * time.Second, 12 * time.Second},
		Records: [2]int{30, 120}, Events: [2]int{2, 7}}
	// Large is a fleet as large firms have it.
	Large = Size{Name: "large", Workers: [2]int{16, 20}, Shards: [2]int{150, 200}, Storm: [2]time.Duration{20 * time.Second, 40 * time.Second},
		Records: [2]int{2000, 4000}, Events: [2]int{20, 40}}
)

// Plan is a run of a fleet. It is pure data, and a function of its seed.
type Plan struct {
	// Seed is what it was drawn from; what is left to chance while it is played is
	// a function of it too.
	Seed uint64
	// Workers and Shards are how many there are at the start.
	Workers, Shards int
	// Settings are those of every worker.
	Settings Settings
	// Faults are the kinds of fault that strike in this seed, by name.
	Faults []string
	// Weather is how often calls fail while the storm lasts.
	Weather Weather
	// Clocks are how fast those of the workers' hosts go, 1 being right.
	Clocks []float64
	// Puts are the records, in order of time.
	Puts []Put
	// Events are what happens, in order of time.
	Events []Event
	// Storm is how long faults strike.
	Storm time.Duration
	// Settle has the run go on until the fleet has shared the work out evenly, and
	// a while longer.
	Settle bool
}

// Settings are the fields of consumer.Config that differ between plans.
type Settings struct {
	// Lanes, Batch, Window, Bisect, Retries, InFlight, Interval, Lease and Drain
	// are ParallelizationFactor, BatchSize, MaximumBatchingWindow,
	// BisectBatchOnError, MaximumRetryAttempts, MaximumInFlight,
	// CheckpointInterval, LeaseDuration and DrainTimeout.
	Lanes, Batch, InFlight         int
	Window, Interval, Lease, Drain time.Duration
	Bisect                         bool
	Retries                        int
	// Handle is how long a call of the handler takes at most.
	Handle time.Duration
	// Poll is how soon a shard that has been caught up with is read again.
	Poll time.Duration
	// Keys is how many keys the records have.
	Keys int
}

// Weather is how often a call comes to harm, from 0 to 1, by what harm.
type Weather struct {
	// TableFails: the request is lost. TableLost: it is applied, and the answer
	// lost. TableSlow: it takes up to twice the margin. TableLate: nobody answers,
	// and it is applied when its caller has given up.
	TableFails, TableLost, TableSlow, TableLate float64
	// StreamFails: a read or listing fails. StreamShort: a read brings few records
	// or none. StreamStale: a listing is out of date.
	StreamFails, StreamShort, StreamStale float64
	// HandlerFails: a call fails. HandlerPanics: it panics. HandlerSlow: it takes
	// ten times as long.
	HandlerFails, HandlerPanics, HandlerSlow float64
	// DestinationFails: it accepts nothing. DestinationLost: it does, and the
	// answer is lost.
	DestinationFails, DestinationLost float64
}

// Put is a record.
type Put struct {
	// At is when it is put, from the start.
	At time.Duration
	// Key is its partition key.
	Key string
	// Poison is set if every call that has it fails.
	Poison bool
}

// Kind is what an event does.
type Kind string

const (
	// Kill takes a worker away without a word; another one starts in its place
	// after For.
	Kill Kind = "kill"
	// Stop stops a worker gently; another one starts in its place after For.
	Stop Kind = "stop"
	// Pause stops a worker where it stands, for as long as For.
	Pause Kind = "pause"
	// Cut breaks a worker's connection to Service for as long as For.
	Cut Kind = "cut"
	// Join starts one worker more.
	Join Kind = "join"
	// Deploy stops every worker gently, one after another, each with another in
	// its place.
	Deploy Kind = "deploy"
	// Split and Merge reshard.
	Split Kind = "split"
	// Merge merges two adjacent shards.
	Merge Kind = "merge"
	// Trim has a shard's oldest records go.
	Trim Kind = "trim"
	// RowGone deletes a lease row by hand, and SessionGone a worker's session.
	RowGone Kind = "row gone"
	// SessionGone deletes a session by hand.
	SessionGone Kind = "session gone"
	// Outage has the destination accept nothing for as long as For.
	Outage Kind = "outage"
)

// Event is what happens to a fleet.
type Event struct {
	// At is when, from the start, and For how long, where it lasts.
	At, For time.Duration
	// Kind is what.
	Kind Kind
	// N picks whom or what it happens to, of those that are there.
	N int
	// Service is what is cut off: table or stream.
	Service string
}

// String shows the event on one line.
func (e Event) String() string {
	return fmt.Sprintf("%v %s %d %s %v", e.At, e.Kind, e.N, e.Service, e.For)
}

// String shows what a plan is about on one line.
func (p Plan) String() string {
	return fmt.Sprintf("%d workers, %d shards, %d records, %d events in %v: %s",
		p.Workers, p.Shards, len(p.Puts), len(p.Events), p.Storm.Round(time.Second), strings.Join(p.Faults, ", "))
}

// Has reports whether a kind of fault strikes.
func (p Plan) Has(fault string) bool { return slices.Contains(p.Faults, fault) }

// drawer draws a plan.
type drawer struct{ *rand.Rand }

func (d drawer) between(bounds [2]int) int { return bounds[0] + d.IntN(bounds[1]-bounds[0]+1) }

func (d drawer) span(least, most time.Duration) time.Duration {
	return least + time.Duration(d.Int64N(int64(most-least)+1))
}

func (d drawer) one(of ...int) int { return of[d.IntN(len(of))] }

func (d drawer) is(p float64) bool { return d.Float64() < p }

// gentle are the events that cost no record a repeat, and harsh those that may.
var (
	gentle = []Kind{Stop, Join, Deploy, Split, Merge}
	harsh  = []Kind{Kill, Pause, Cut, Trim, RowGone, SessionGone}
)

// Draw draws the plan of a seed.
func Draw(seed uint64, size Size) Plan {
	d := drawer{rand.New(rand.NewPCG(seed, 0x7377_6172_6d))}
	p := Plan{Seed: seed, Workers: d.between(size.Workers), Shards: d.between(size.Shards), Storm: d.span(size.Storm[0], size.Storm[1])}
	p.Settings = d.settings()
	d.weather(&p)
	for range p.Workers + 8 {
		rate := 1.0
		if p.Has("drift") {
			rate += (d.Float64()*2 - 1) * 0.03
		}
		p.Clocks = append(p.Clocks, rate)
	}
	d.puts(&p, d.between(size.Records))
	d.events(&p, d.between(size.Events))
	p.Settle = d.is(0.05)
	return p
}

func (d drawer) settings() Settings {
	s := Settings{
		Lanes: d.one(1, 1, 2, 4), Batch: d.one(1, 3, 10, 50), InFlight: d.one(20, 100, 1000), Lease: d.span(3*time.Second, 4*time.Second),
		Interval: d.span(200*time.Millisecond, 3*time.Second), Drain: d.span(500*time.Millisecond, 3*time.Second),
		Handle: d.span(time.Millisecond, 150*time.Millisecond), Poll: d.span(400*time.Millisecond, 1200*time.Millisecond), Keys: d.one(1, 5, 30),
	}
	s.InFlight = max(s.InFlight, s.Batch*s.Lanes)
	if d.is(0.3) {
		s.Window = d.span(50*time.Millisecond, 800*time.Millisecond)
	}
	s.Bisect = d.is(0.5)
	s.Retries = d.IntN(4)
	return s
}

// weather picks the faults that strike, and how often.
func (d drawer) weather(p *Plan) {
	w := &p.Weather
	rate := func(name string, chance float64, set *float64, most float64) {
		if d.is(chance) {
			*set = d.Float64() * most
			p.Faults = append(p.Faults, name)
		}
	}
	most := d.one(3, 10, 30, 60)
	table := float64(most) / 100
	rate("table fails", 0.3, &w.TableFails, table)
	rate("table loses answers", 0.3, &w.TableLost, table)
	rate("table is slow", 0.25, &w.TableSlow, table/3)
	rate("table is late", 0.25, &w.TableLate, table/2)
	rate("stream fails", 0.25, &w.StreamFails, 0.5)
	rate("short reads", 0.25, &w.StreamShort, 0.8)
	rate("stale lists", 0.25, &w.StreamStale, 0.8)
	rate("handler fails", 0.3, &w.HandlerFails, 0.5)
	rate("handler panics", 0.1, &w.HandlerPanics, 0.2)
	rate("handler is slow", 0.2, &w.HandlerSlow, 0.2)
	rate("destination fails", 0.2, &w.DestinationFails, 0.7)
	rate("destination loses answers", 0.2, &w.DestinationLost, 0.7)
	for _, fault := range []string{"drift", "poison"} {
		if d.is(0.3) {
			p.Faults = append(p.Faults, fault)
		}
	}
}

func (d drawer) puts(p *Plan, n int) {
	burst := d.is(0.3)
	for range n {
		put := Put{At: d.span(0, p.Storm), Key: fmt.Sprint("key-", d.IntN(p.Settings.Keys))}
		if burst {
			put.At = put.At.Truncate(2*time.Second) + d.span(0, 200*time.Millisecond)
		}
		if p.Has("poison") {
			put.Poison = d.is(0.05)
		}
		p.Puts = append(p.Puts, put)
	}
	slices.SortFunc(p.Puts, func(a, b Put) int { return int(a.At - b.At) })
}

// events draws what happens: of some of the kinds only, each several times.
func (d drawer) events(p *Plan, n int) {
	var kinds []Kind
	for _, k := range gentle {
		if d.is(0.5) {
			kinds = append(kinds, k)
		}
	}
	for _, k := range harsh {
		chance := map[Kind]float64{Kill: 0.6, Pause: 0.4, Cut: 0.4, Trim: 0.08, RowGone: 0.04, SessionGone: 0.06}[k]
		if d.is(chance) {
			kinds = append(kinds, k)
		}
	}
	if p.Has("poison") && d.is(0.5) {
		kinds = append(kinds, Outage)
	}
	if len(kinds) == 0 {
		return
	}
	for range n {
		e := Event{At: d.span(0, p.Storm), Kind: kinds[d.IntN(len(kinds))], N: d.IntN(1 << 20), For: d.span(0, 3*p.Settings.Lease)}
		if e.Kind == Cut {
			e.Service = []string{"table", "stream", ""}[d.IntN(3)]
		}
		p.Events = append(p.Events, e)
	}
	slices.SortFunc(p.Events, func(a, b Event) int { return int(a.At - b.At) })
	for _, k := range kinds {
		if slices.ContainsFunc(p.Events, func(e Event) bool { return e.Kind == k }) {
			p.Faults = append(p.Faults, string(k))
		}
	}
}

// Gentle reports whether nothing in the plan may cost a record a repeat: no
// fault, and nobody goes but after having handed over.
func (p Plan) Gentle() bool {
	for _, e := range p.Events {
		if slices.Contains(harsh, e.Kind) || e.Kind == Outage { // a lane that waits for the destination outlasts the drain
			return false
		}
	}
	return p.Weather == Weather{}
}
