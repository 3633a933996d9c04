package swarmtest

import (
	"math/rand/v2"
	"slices"
	"time"
)

// realm is what the plan of a world over the SDK's clients has beside: the
// source it reads, and what services do to clients. It is a function of the
// seed, like the plan.
type realm struct {
	// source is kinesis, fan-out or table.
	source string
	// queue has failures go to a queue, through the SDK too.
	queue bool
	// iterators is how long those of the stream live.
	iterators time.Duration
	// ahead is how far the wall clocks of the services are ahead of the hosts'.
	ahead time.Duration
	// skies are the weather of the services, each from its time on.
	skies []skyAt
	// incidents are what else happens, in order of time.
	incidents []incident
}

// skyAt is the weather from a time on.
type skyAt struct {
	at      time.Duration
	weather map[string]weather
}

// incident is something that befalls one service or one row.
type incident struct {
	at, lasts time.Duration
	// code is what a service refuses with, to any worker or to the one picked.
	// Without a code it is a row that somebody edits by hand.
	code, service string
	everybody     bool
	// n picks whom or what.
	n int
	// garbage is what is written into the row's checkpoint.
	garbage string
}

// Names of the services as they are signed, and as the in-process AWS knows them.
const (
	tableService = "dynamodb"
	queueService = "sqs"
)

// sourceService is the one that a source is read from.
func (r *realm) sourceService() string {
	if r.source == "table" {
		return "dynamodbstreams"
	}
	return "kinesis"
}

// drawRealm draws it, and names what strikes among the plan's faults.
func drawRealm(p *Plan) realm {
	d := drawer{rand.New(rand.NewPCG(p.Seed, 0x73_646b))}
	r := realm{source: []string{"kinesis", "kinesis", "table", "fan-out"}[d.IntN(4)], queue: d.is(0.6), iterators: 5 * time.Minute}
	if d.is(0.3) {
		r.ahead = []time.Duration{-10 * year, -time.Hour, 37 * time.Second, 24 * time.Hour, 10 * year}[d.IntN(5)]
		p.Faults = append(p.Faults, "wall clocks are off")
	}
	if p.Gentle() {
		return r
	}
	if d.is(0.3) {
		r.iterators = d.span(2*time.Second, 10*time.Second)
		p.Faults = append(p.Faults, "iterators expire")
	}
	d.skies(p, &r)
	d.incidents(p, &r)
	p.Faults = append(p.Faults, r.source)
	return r
}

const year = 365 * 24 * time.Hour

// harms are the kinds of a weather that strike by the name they have among the
// faults, with how often they do at most.
var harms = []struct {
	name   string
	chance float64
	most   float64
	set    func(*weather) *float64
}{
	{"throttled", 0.35, 0.9, func(w *weather) *float64 { return &w.throttled }},
	{"requests lost", 0.25, 0.2, func(w *weather) *float64 { return &w.lost }},
	{"answers lost", 0.35, 0.3, func(w *weather) *float64 { return &w.answerLost }},
	{"late", 0.25, 0.2, func(w *weather) *float64 { return &w.late }},
	{"slow", 0.25, 0.1, func(w *weather) *float64 { return &w.slow }},
	{"torn bodies", 0.2, 0.2, func(w *weather) *float64 { return &w.torn }},
	{"garbled bodies", 0.2, 0.2, func(w *weather) *float64 { return &w.garbled }},
	{"doubled records", 0.25, 0.6, func(w *weather) *float64 { return &w.doubled }},
	{"internal errors", 0.2, 0.3, func(w *weather) *float64 { return &w.failed }},
}

// skies draws the weather, which changes a few times.
func (d drawer) skies(p *Plan, r *realm) {
	kinds := map[int]bool{}
	for i, h := range harms {
		if kinds[i] = d.is(h.chance); kinds[i] {
			p.Faults = append(p.Faults, h.name)
		}
	}
	for at := time.Duration(0); at < p.Storm; at += d.span(p.Storm/8, p.Storm/2) {
		sky := skyAt{at, map[string]weather{}}
		for _, service := range []string{tableService, r.sourceService(), queueService} {
			var w weather
			for i, h := range harms {
				if kinds[i] && d.is(0.6) {
					*h.set(&w) = d.Float64() * h.most
				}
			}
			sky.weather[service] = w
		}
		if !d.is(0.3) { // else it is fair for a while
			r.skies = append(r.skies, sky)
		} else {
			r.skies = append(r.skies, skyAt{at: at})
		}
	}
}

// refusals are what services refuse with for a while, and which. An empty service
// is every one.
var refusals = []struct {
	code, service string
	everybody     bool
}{
	{"KMSAccessDeniedException", "kinesis", true},
	{"KMSDisabledException", "kinesis", true},
	{"KMSInvalidStateException", "kinesis", true},
	{"KMSThrottlingException", "kinesis", true},
	{"ExpiredTokenException", "", false},
	{"AccessDeniedException", "dynamodb", true},
	{"AccessDeniedException", "kinesis", false},
	{"AccessDeniedException", "sqs", true},
}

func (d drawer) incidents(p *Plan, r *realm) {
	refused, edited := d.is(0.25), d.is(0.12)
	for range d.IntN(4) {
		at := d.span(0, p.Storm)
		n, lasts, code := d.IntN(1<<20), d.span(time.Second, 3*p.Settings.Lease), refusals[d.IntN(len(refusals))]
		garbage := garbage[d.IntN(len(garbage))]
		switch {
		case refused && (!edited || d.is(0.7)):
			if code.service == "kinesis" {
				code.service = r.sourceService()
			}
			r.incidents = append(r.incidents, incident{at: at, lasts: lasts, code: code.code, service: code.service, everybody: code.everybody, n: n})
			p.Faults = append(p.Faults, code.code)
		case edited:
			r.incidents = append(r.incidents, incident{at: at, lasts: lasts, n: n, garbage: garbage})
			p.Faults = append(p.Faults, rowGarbled)
		}
	}
	slices.SortFunc(r.incidents, func(a, b incident) int { return int(a.at - b.at) })
	slices.Sort(p.Faults)
	p.Faults = slices.Compact(p.Faults)
}

// garbage is what people write into a checkpoint that is no position.
var garbage = []string{"", "xyz", "-5", "SHARD_ENDS", "12e9"}

// rowGarbled is a row that somebody edits by hand to what is no position.
const rowGarbled = "row garbled"
