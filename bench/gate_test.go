package main

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestBoundHoldsUpToItsMost(t *testing.T) {
	bounds := []bound{{"held", 1, ""}, {"broken", 1, "the reason"}, {"unmeasured", 1, ""}, {"undefined", 1, ""}}
	verdicts := judge(bounds, map[string]float64{"held": 1, "broken": 1.01, "undefined": math.NaN()})
	for i, want := range []bool{false, true, true, true} {
		if got := verdicts[i].broken(); got != want {
			t.Errorf("%s: broken is %t, want %t", bounds[i].figure, got, want)
		}
	}
	var out strings.Builder
	err := report(&out, verdicts)
	if !errors.Is(err, errBroken) || strings.Contains(err.Error(), "held") {
		t.Errorf("the error is %v", err)
	}
	for _, want := range []string{"holds   held: 1, at most 1", "BROKEN  broken: 1.01, want at most 1: the reason", "nothing was measured"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	if err := report(&out, verdicts[:1]); err != nil {
		t.Errorf("all holds, and it says %v", err)
	}
}

// A bound on a figure that the gate does not take is a mistake in its name.
func TestEveryBoundIsOnAFigureOfTheGate(t *testing.T) {
	o, err := parseOptions([]string{"-gate"}, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	var r results
	for _, tls := range o.tls {
		for _, size := range o.sizes {
			for _, c := range o.consumers {
				r.add(subject{c, size, tls}, took(1))
			}
		}
	}
	figures := r.gateFigures()
	figures[figureIdle] = 0
	for _, b := range bounds {
		if _, ok := figures[b.figure]; !ok {
			t.Errorf("the gate takes no figure %q", b.figure)
		}
		if b.why == "" {
			t.Errorf("the bound on %q has no reason", b.figure)
		}
	}
}
