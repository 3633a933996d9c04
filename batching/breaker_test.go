package batching_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
)

// Each line is a situation: what happens, in order, and the state at its end.
// Words: "up", "down", "own" (unrelated), "lost" (unknown) make a call that ends
// so; "try" and "unused" ask for leave and give it back; a time passes; "begin"
// makes a call that the next "end-up" or "end-down" ends; "no" wants leave to be
// refused.
func TestBreakerOpensForBatchesInARowAndClosesWithAProbe(t *testing.T) {
	for _, test := range []struct{ steps, want string }{
		{"", "closed"},
		{"down down", "closed"},
		{"down down down", "open"},
		{"down down up down down", "closed"},
		{"down down own down", "open"},
		{"down down lost own", "closed"},
		{"down down down no", "open"},
		{"down down down 9s no", "open"},
		{"down down down 10s up", "closed"},
		{"down down down 10s up down down", "closed"},
		{"down down down 10s own", "closed"},
		{"down down down 10s down no 9s no 1s up", "closed"},
		{"down down down 10s lost no 10s up", "closed"},
		{"down down down 10s begin no", "probing"},
		{"down down down 10s unused up", "closed"},
		{"begin down down down end-up", "open"},
		{"begin down down down 10s up end-down down down", "closed"},
		{"begin begin begin end-down end-down end-down", "open"},
	} {
		b := batching.NewBreaker(3, 10*time.Second)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var under []batching.BreakerPass
		try := func(word string) batching.BreakerPass {
			t.Helper()
			ready, _ := b.Ready(now)
			p, ok, _ := b.Try(now)
			if !ok || !ready {
				t.Errorf("%q: %s was refused", test.steps, word)
			}
			return p
		}
		answers := map[string]batching.BreakerAnswer{
			"up": batching.BreakerUp, "down": batching.BreakerDown, "own": batching.BreakerUnrelated,
			"lost": batching.BreakerUnknown, "unused": batching.BreakerUnused,
		}
		for _, word := range strings.Fields(test.steps) {
			if d, err := time.ParseDuration(word); err == nil {
				now = now.Add(d)
				continue
			}
			switch word {
			case "no":
				if ready, _ := b.Ready(now); ready {
					t.Errorf("%q: it is ready", test.steps)
				}
				if _, ok, _ := b.Try(now); ok {
					t.Errorf("%q: leave was given", test.steps)
				}
			case "begin":
				under = append(under, try(word))
			case "end-up", "end-down":
				b.Report(under[0], answers[word[4:]], now)
				under = under[1:]
			default:
				before := b.State()
				p := try(word)
				if p.Probe() != (before == batching.BreakerOpen) {
					t.Errorf("%q: %s while %s: probe is %v", test.steps, word, before, p.Probe())
				}
				b.Report(p, answers[word], now)
			}
		}
		if got := b.State().String(); got != test.want {
			t.Errorf("%q: got %s, want %s", test.steps, got, test.want)
		}
	}
}

func TestBreakerWithoutFailuresNeverOpens(t *testing.T) {
	b := batching.NewBreaker(0, time.Second)
	for range 1000 {
		p, ok, _ := b.Try(time.Time{})
		if !ok || b.Report(p, batching.BreakerDown, time.Time{}) {
			t.Fatal("it opened")
		}
	}
}

// Whatever calls do, between opening and closing at most one is made a cooldown,
// leave that is refused is given when it says, and it never stays open without
// anybody being able to probe.
func TestBreakerLetsOneCallThroughACooldown(t *testing.T) {
	const cooldown = 10 * time.Second
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := batching.NewBreaker(1+r.IntN(4), cooldown)
		now := time.Unix(0, 0)
		var under []batching.BreakerPass
		var lastProbe time.Time
		for range 500 {
			switch r.IntN(3) {
			case 0:
				now = now.Add(time.Duration(r.Int64N(int64(4 * time.Second))))
			case 1:
				before := b.State()
				p, ok, wait := b.Try(now)
				switch {
				case ok && before == batching.BreakerOpen:
					if !lastProbe.IsZero() && now.Sub(lastProbe) < cooldown {
						t.Fatalf("seed %d: a probe %v after the last", seed, now.Sub(lastProbe))
					}
					lastProbe = now
				case ok && before == batching.BreakerProbing:
					t.Fatalf("seed %d: a second call while one probes", seed)
				case !ok && wait > 0:
					if ready, _ := b.Ready(now.Add(wait)); !ready {
						t.Fatalf("seed %d: not ready when it said", seed)
					}
				case !ok && before != batching.BreakerProbing:
					t.Fatalf("seed %d: refused while %v without a time", seed, before)
				}
				if ok {
					under = append(under, p)
				}
			case 2:
				if len(under) > 0 {
					i := r.IntN(len(under))
					b.Report(under[i], batching.BreakerAnswer(r.IntN(4)), now)
					under = append(under[:i], under[i+1:]...)
					if b.State() == batching.BreakerClosed {
						lastProbe = time.Time{}
					}
				}
			}
		}
	}
}

func ExampleBreaker() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := batching.NewBreaker(2, 10*time.Second)
	for range 2 {
		pass, _, _ := b.Try(now)
		b.Report(pass, batching.BreakerDown, now)
	}
	_, ok, wait := b.Try(now)
	fmt.Println(b.State(), ok, wait)
	now = now.Add(wait)
	probe, _, _ := b.Try(now)
	b.Report(probe, batching.BreakerUp, now)
	fmt.Println(b.State())
	// Output:
	// open false 10s
	// closed
}
