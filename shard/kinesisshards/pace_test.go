package kinesisshards

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

var noon = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)

func standard() pace { return newPace(Options{}.withDefaults(), noon) }

// in is how long from now the next read is due.
func (p pace) in(now time.Time) time.Duration { return max(0, p.next().Sub(now)) }

func TestPaceReadsAtOnceWhileBehind(t *testing.T) {
	p := standard()
	for i := range readsPerSecond {
		if got := p.in(noon); got != 0 {
			t.Errorf("read %d is due in %s, want at once", i, got)
		}
		p = p.answered(noon, answer{records: 10, behind: true})
	}
	if got := p.in(noon); got != time.Second {
		t.Errorf("the sixth read in a second is due in %s, want 1s", got)
	}
}

func TestPaceHasNoMoreReadsInAnySecondThanAllowed(t *testing.T) {
	p, now := standard(), noon
	var reads []time.Time
	for i := range 200 {
		now = later(now, p.next())
		reads = append(reads, now)
		now = now.Add(time.Duration(i%7) * 13 * time.Millisecond) // the call takes its time
		p = p.answered(now, answer{records: 1, behind: true})
	}
	for i := readsPerSecond; i < len(reads); i++ {
		if d := reads[i].Sub(reads[i-readsPerSecond]); d < time.Second {
			t.Fatalf("reads %d to %d are within %s", i-readsPerSecond, i, d)
		}
	}
}

func TestPacePaysBackBytes(t *testing.T) {
	tests := []struct {
		bytes int64
		want  time.Duration
	}{
		{0, 0},
		{200_000, 100 * time.Millisecond},
		{2_000_000, time.Second},
		{maxAnswer, 5242880 * time.Microsecond},
	}
	for _, c := range tests {
		if got := standard().answered(noon, answer{records: 1, bytes: c.bytes, behind: true}).in(noon); got != c.want {
			t.Errorf("after %d bytes the next read is due in %s, want %s", c.bytes, got, c.want)
		}
	}
}

func TestPaceRelaxesWithSilence(t *testing.T) {
	tests := []struct{ quiet, want time.Duration }{
		{0, 250 * time.Millisecond},
		{5 * time.Second, 250 * time.Millisecond},
		{17500 * time.Millisecond, 325 * time.Millisecond},
		{30 * time.Second, 400 * time.Millisecond},
		{time.Minute - 1, 400 * time.Millisecond},
		{time.Minute, 3 * time.Second},
		{time.Hour, 3 * time.Second},
	}
	for _, c := range tests {
		now := noon.Add(c.quiet)
		if got := standard().answered(now, answer{}).in(now); got != c.want {
			t.Errorf("after %s of silence the next read is due in %s, want %s", c.quiet, got, c.want)
		}
	}
	now := noon.Add(time.Hour)
	p := standard().answered(now, answer{}).answered(now, answer{records: 1})
	if got := p.in(now); got != 250*time.Millisecond {
		t.Errorf("after a record the next read is due in %s, want 250ms", got)
	}
}

// A shard counts as idle after a silence that is unusual for it, and within ten
// minutes at the latest. Records that come together do not make it look busier.
func TestPaceKnowsWhatSilenceIsUsual(t *testing.T) {
	tests := []struct {
		name string
		gaps []time.Duration
		want time.Duration
	}{
		{"nothing has come", nil, time.Minute},
		{"one at once", []time.Duration{0}, time.Minute},
		{"many together", []time.Duration{time.Second, 3 * time.Second, 5 * time.Second}, time.Minute},
		{"one in six seconds", []time.Duration{6 * time.Second, 6 * time.Second, 6 * time.Second}, time.Minute},
		{"one in half a minute", []time.Duration{30 * time.Second, 30 * time.Second}, 4 * time.Minute},
		{"a longer silence counts for a quarter", []time.Duration{20 * time.Second, 40 * time.Second}, 200 * time.Second},
		{"some together, every minute", []time.Duration{time.Minute, time.Second, 0, 2 * time.Second}, 8 * time.Minute},
		{"one in two minutes", []time.Duration{2 * time.Minute}, 10 * time.Minute},
		{"after a day", []time.Duration{24 * time.Hour}, 10 * time.Minute},
		{"busy since", slices.Concat([]time.Duration{24 * time.Hour}, slices.Repeat([]time.Duration{6 * time.Second}, 40)), time.Minute},
	}
	for _, c := range tests {
		p, now := standard(), noon
		for _, gap := range c.gaps {
			now = now.Add(gap)
			p = p.answered(now, answer{records: 1})
		}
		if got := p.idleAfter().Round(time.Second); got != c.want {
			t.Errorf("%s: idle after %s, want %s", c.name, got, c.want)
		}
		for silent, want := range map[time.Duration]time.Duration{c.want - time.Second: quietPoll, c.want + time.Second: 3 * time.Second} {
			at := now.Add(silent)
			if got := p.answered(at, answer{}).in(at); got != want {
				t.Errorf("%s: %s later it is read every %s, want %s", c.name, silent, got, want)
			}
		}
	}
}

// A record now and then, at random or at even times, is read soon: half of all
// within 250 ms and 99 in 100 within 500 ms, with at most the floor's share of the
// shard's calls. A shard from which nothing comes is hardly read.
func TestPaceReadsAQuietShardSoonAndAnIdleOneSeldom(t *testing.T) {
	const call = 15 * time.Millisecond // until the handler has it
	random := rand.New(rand.NewPCG(1, 2))
	for name, gap := range map[string]func() time.Duration{
		"every 2 s":                 func() time.Duration { return 2 * time.Second },
		"every 7 s":                 func() time.Duration { return 7 * time.Second },
		"every 30 s":                func() time.Duration { return 30 * time.Second },
		"every 50 s or so":          func() time.Duration { return 45*time.Second + time.Duration(random.Int64N(int64(10*time.Second))) },
		"at random, 10 s apart":     func() time.Duration { return time.Duration(random.ExpFloat64() * float64(10*time.Second)) },
		"at random, a minute apart": func() time.Duration { return time.Duration(random.ExpFloat64() * float64(time.Minute)) },
	} {
		p, now := standard(), noon
		put, reads := noon, 0
		var took []time.Duration
		for len(took) < 3000 {
			now = p.next()
			reads++
			records := 0
			for at := now.Add(call); !put.After(now); records++ {
				took = append(took, at.Sub(put))
				put = put.Add(gap() + time.Duration(random.Int64N(int64(time.Second))))
			}
			now = now.Add(call)
			p = p.answered(now, answer{records: records})
		}
		slices.Sort(took)
		if p50, p99 := took[len(took)/2], took[len(took)*99/100]; p50 > 250*time.Millisecond || p99 > 500*time.Millisecond {
			t.Errorf("a record %s: p50 %s, p99 %s", name, p50, p99)
		}
		if rate := float64(reads) / now.Sub(noon).Seconds(); rate > 4 {
			t.Errorf("a record %s: %.2f reads a second", name, rate)
		}
	}
	p, now := standard(), noon
	reads := 0
	for now.Before(noon.Add(time.Minute + 10*time.Minute)) {
		now = p.next().Add(call)
		if p = p.answered(now, answer{}); now.After(noon.Add(time.Minute)) {
			reads++
		}
	}
	if reads > 202 {
		t.Errorf("a shard from which nothing had come for a minute was read %d times in ten minutes", reads)
	}
}

func TestPaceBacksOff(t *testing.T) {
	tests := []struct {
		trouble        trouble
		failures       int
		luckless, luck time.Duration // with the luck 0 and 1
	}{
		{troubleThrottled, 1, 200 * time.Millisecond, 500 * time.Millisecond},
		{troubleThrottled, 3, 200 * time.Millisecond, 2 * time.Second},
		{troubleThrottled, 50, 200 * time.Millisecond, 8 * time.Second},
		{troubleOther, 1, 100 * time.Millisecond, 100 * time.Millisecond},
		{troubleOther, 3, 200 * time.Millisecond, 400 * time.Millisecond},
		{troubleOther, 1000, 2500 * time.Millisecond, 5 * time.Second},
		{troubleDenied, 1, 10 * time.Second, 11 * time.Second},
		{troubleDenied, 9, 10 * time.Second, 11 * time.Second},
	}
	for _, c := range tests {
		for luck, want := range []time.Duration{c.luckless, c.luck} {
			p, now := standard(), noon
			for range c.failures {
				now = now.Add(time.Hour)
				p = p.refused(now, c.trouble, float64(luck))
			}
			if got := p.in(now); got != want {
				t.Errorf("%s, %d times, luck %d: next read in %s, want %s", c.trouble, c.failures, luck, got, want)
			}
		}
	}
	p := standard().refused(noon, troubleOther, 1).refused(noon, troubleOther, 1).answered(noon, answer{})
	if p.failed != 0 {
		t.Errorf("%d failures after an answer, want none", p.failed)
	}
}

func TestPaceSaysWhy(t *testing.T) {
	got := standard().refused(noon, troubleDenied, 0).String()
	if want := "denied: next read at 12:00:10.000"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is wrong with the options is told by every read, and harms nobody.
func TestReaderOfAWrongSourceTellsSo(t *testing.T) {
	r := Open(nil, "clicks", func(o *Options) { o.ReadsPerSecond = -3 }).Open(shard.Start{Shard: "shardId-000000000000"})
	for range 2 {
		if _, err := r.Next(t.Context()); err == nil {
			t.Error("a read of a wrong source did not fail")
		}
	}
}
