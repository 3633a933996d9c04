package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/bench/measure"
)

func TestMedianIsTheMiddle(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 100}, 3.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %g, want %g", c.values, got, c.want)
		}
	}
}

func TestSpreadIsAShareOfTheMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{2}, 0}, {[]float64{9, 10, 12}, 0.3}, {[]float64{0, 0}, 0}} {
		if got := spread(c.values); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("spread(%v) = %g, want %g", c.values, got, c.want)
		}
	}
}

// took is a run over a million records.
func took(seconds float64) measure.Usage {
	return measure.Usage{Records: 1e6, CPU: time.Duration(seconds * 1e9), Allocs: 5e5, Bytes: 2e9}
}

// Runs are compared in pairs: what a busy machine does to both is not in the
// ratio.
func TestRatioIsOfRunsOneAfterTheOther(t *testing.T) {
	quiet, busy := 1.0, 10.0
	a := []measure.Usage{took(quiet), took(busy), took(busy)}
	b := []measure.Usage{took(2 * quiet), took(2 * busy), took(2 * busy), took(7)}
	if got := ratio(a, b); got != 0.5 {
		t.Errorf("ratio = %g, want 0.5", got)
	}
	if got := ratio(a, nil); got != 0 {
		t.Errorf("ratio to nothing = %g, want 0", got)
	}
}

func TestRowsHaveMediansAndSpread(t *testing.T) {
	r := summarize(subject{"towpath", 1024, true}, []measure.Usage{took(2), took(1), took(4)})
	if r.CPU != 2 || r.PerCore != 500_000 || r.Runs != 3 || r.Spread != 1.5 || *r.Allocs != 0.5 || r.Bytes != 2000 {
		t.Errorf("got %+v (%g allocations)", r, *r.Allocs)
	}
	if got := shardsPerCore(r); got != 256 {
		t.Errorf("%g shards a core, want 256", got)
	}
	if r := summarize(subject{"kcl", 1024, true}, []measure.Usage{took(2)}); r.Allocs != nil {
		t.Errorf("the KCL has %g allocations, want null", *r.Allocs)
	}
	if r := summarize(subject{"sdk", 1, true}, nil); r.CPU != 0 || r.PerCore != 0 {
		t.Errorf("of no runs: %+v", r)
	}
}

func TestTableShowsTheRatiosThatMatter(t *testing.T) {
	var r results
	for _, run := range []struct {
		consumer string
		seconds  float64
	}{{"floor", 0.5}, {"kcl", 8}, {"sdk", 4}, {"towpath", 1}} {
		r.add(subject{run.consumer, 1024, true}, took(run.seconds))
	}
	r.sort(options{consumers: allConsumers, sizes: []int{1024}, tls: []bool{true}})
	if first := r.order[0].consumer; first != "towpath" {
		t.Errorf("%s comes first, want the order of the options", first)
	}
	var out strings.Builder
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if got, want := strings.Fields(lines[len(lines)-1]), "towpath 1024 on 0.250 0.125 2.000"; strings.Join(got, " ") != want {
		t.Errorf("the last line is %q, want %q", strings.Join(got, " "), want)
	}
	if got, want := strings.Fields(lines[1]), "towpath 1024 on 1 0 % 1000000 0.5 2000 512"; strings.Join(got, " ") != want {
		t.Errorf("the first line is %q, want %q", strings.Join(got, " "), want)
	}
}
