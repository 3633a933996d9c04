package kinesisshards

import (
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
		{17500 * time.Millisecond, 625 * time.Millisecond},
		{30 * time.Second, time.Second},
		{time.Hour, time.Second},
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
