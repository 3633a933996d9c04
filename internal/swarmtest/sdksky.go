package swarmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// weather is what the calls to one service may meet, each as a probability.
type weather struct {
	throttled  float64 // refused as too fast
	lost       float64 // on their way there
	answerLost float64 // on their way back, though they were applied
	late       float64 // taken for lost, and applied up to a minute later
	slow       float64 // answered after a second up to a minute
	torn       float64 // answered in part
	garbled    float64 // answered with something else
	doubled    float64 // answered with records that came before: only what reads a stream
	failed     float64 // refused with an internal error
}

// sky is what every call of the SDK's clients meets: how long it takes, and what
// goes wrong with it. All of it is a function of the seed, the call and the
// moment, so that it does not matter which of two calls is looked at first.
type sky struct {
	seed uint64
	// now is the weather of each service, replaced and never changed.
	now atomic.Pointer[map[string]weather]
	// spells are refusals of a service for a while, likewise.
	spells atomic.Pointer[[]spell]
	// closed is a service that cannot be reached, likewise; empty is none.
	closed atomic.Pointer[string]
}

// spell is a time in which every call of a worker to a service is refused: a key
// that is disabled, credentials that have run out. An empty worker or service is
// every one.
type spell struct {
	worker, service, code string
	until                 time.Time
}

func newSky(seed uint64) *sky {
	s := &sky{seed: seed}
	s.set(nil)
	s.spells.Store(&[]spell{})
	s.shut("", false)
	return s
}

// shut has a service refuse everything, or not any more.
func (s *sky) shut(service string, on bool) {
	if !on {
		service = ""
	}
	s.closed.Store(&service)
}

// set changes the weather; services that are not named have none.
func (s *sky) set(all map[string]weather) { s.now.Store(&all) }

// refuse begins a spell. It is called by one goroutine.
func (s *sky) refuse(one spell) {
	kept := []spell{one}
	for _, old := range *s.spells.Load() {
		if time.Now().Before(old.until) {
			kept = append(kept, old)
		}
	}
	s.spells.Store(&kept)
}

// clear ends all of it.
func (s *sky) clear() {
	s.set(nil)
	s.spells.Store(&[]spell{})
}

// meets is what one call meets. Latencies are distinct to the nanosecond, so
// that no two calls are applied at one instant.
func (s *sky) meets(_ context.Context, c awsfake.Call) awsfake.Fault {
	d := rand.New(rand.NewPCG(s.seed, fingerprint(c, time.Now())))
	fault := awsfake.Delay(latency(d)).And(awsfake.DelayAnswer(latency(d)))
	for _, sp := range *s.spells.Load() {
		if (sp.worker == "" || sp.worker == c.Caller) && (sp.service == "" || sp.service == c.Service) && time.Now().Before(sp.until) {
			return fault.And(awsfake.Fail(sp.code, 400))
		}
	}
	if *s.closed.Load() == c.Service {
		return fault.And(awsfake.Fail("ServiceUnavailable", 503))
	}
	w, ok := (*s.now.Load())[c.Service]
	if !ok {
		return fault
	}
	at := d.Float64()
	for _, one := range []struct {
		chance float64
		fault  func() awsfake.Fault
	}{
		{w.throttled, func() awsfake.Fault { return awsfake.Fail(tooFast(c.Service), 400) }},
		{w.failed, func() awsfake.Fault { return awsfake.Fail("InternalFailure", 500) }},
		{w.lost, awsfake.Lose},
		{w.answerLost, awsfake.LoseAnswer},
		{w.late, func() awsfake.Fault { return awsfake.ApplyLate(tail(d)) }},
		{w.slow, func() awsfake.Fault {
			if d.IntN(2) == 0 {
				return awsfake.Delay(tail(d))
			}
			return awsfake.DelayAnswer(tail(d))
		}},
		{w.torn, func() awsfake.Fault { return awsfake.Truncate(d.Float64()) }},
		{w.garbled, func() awsfake.Fault { return awsfake.Garble(0) }},
		{w.doubled, func() awsfake.Fault { return doubled(c, d.Uint64()) }},
	} {
		if at < one.chance {
			return fault.And(one.fault())
		}
		at -= one.chance
	}
	return fault
}

// latency is that of one way: between one and twelve milliseconds, mostly the
// lower.
func latency(d *rand.Rand) time.Duration {
	x := d.Float64()
	return time.Millisecond + time.Duration(11*x*x*float64(time.Millisecond))
}

// tail is how late something is that is late: from a tenth of a second to a
// minute, as often below 2.5 seconds as above.
func tail(d *rand.Rand) time.Duration {
	return time.Duration(float64(100*time.Millisecond) * math.Pow(600, d.Float64()))
}

// tooFast is how a service says so.
func tooFast(service string) string {
	switch service {
	case "dynamodbstreams":
		return "LimitExceededException"
	case "sqs":
		return "RequestThrottled"
	}
	return "ProvisionedThroughputExceededException"
}

// doubled has an answer with records bring some of them again, behind those that
// follow them.
func doubled(c awsfake.Call, seed uint64) awsfake.Fault {
	if c.Operation != "GetRecords" {
		return awsfake.Fault{}
	}
	return awsfake.Rewrite(func(answer []byte) []byte {
		var whole map[string]json.RawMessage
		var records []json.RawMessage
		if json.Unmarshal(answer, &whole) != nil || json.Unmarshal(whole["Records"], &records) != nil || len(records) == 0 {
			return answer
		}
		d := rand.New(rand.NewPCG(seed, 0))
		var twice []json.RawMessage
		for i := range records {
			twice = append(twice, records[i])
			if d.IntN(2) == 0 {
				twice = append(twice, records[d.IntN(i+1)])
			}
		}
		var err error
		if whole["Records"], err = json.Marshal(twice); err != nil {
			return answer
		}
		changed, err := json.Marshal(whole)
		if err != nil {
			return answer
		}
		return changed
	})
}

// fingerprint tells calls apart by who calls what, with what, and when. The SDK
// writes the members of a map in any order: what stands between quotes is added
// up, so that it does not matter. Tokens against repeats are left out, as they
// are numbered in the order in which they are asked for.
func fingerprint(c awsfake.Call, now time.Time) uint64 {
	sum, body := uint64(0), c.Body
	for skip := false; ; {
		_, rest, ok := bytes.Cut(body, []byte{'"'})
		if !ok {
			break
		}
		token, after, ok := bytes.Cut(rest, []byte{'"'})
		if !ok {
			break
		}
		if !skip {
			sum += dice.Hash(0, 0, string(token))
		}
		skip = string(token) == "ClientRequestToken"
		body = after
	}
	return dice.Hash(sum, uint64(now.UnixNano()), c.Caller, c.Service, c.Operation)
}
