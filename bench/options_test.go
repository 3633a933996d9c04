package main

import (
	"slices"
	"strings"
	"testing"
)

func parsed(t *testing.T, line string) (options, error) {
	t.Helper()
	return parseOptions(strings.Fields(line), &strings.Builder{})
}

func TestOptionsHaveTheirDefaults(t *testing.T) {
	o, err := parsed(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if o.runs != 5 || o.volume != 1 || !slices.Equal(o.sizes, []int{100, 1024, 10240}) || !slices.Equal(o.consumers, allConsumers) || !slices.Equal(o.tls, []bool{false, true}) || !slices.Equal(o.parts, []string{"readers"}) {
		t.Errorf("the defaults are %+v", o)
	}
	if o, err = parsed(t, "-quick"); err != nil || o.runs != 3 || o.volume >= 1 || slices.Contains(o.consumers, "kcl") || !slices.Equal(o.tls, []bool{true}) {
		t.Errorf("-quick is %+v, %v", o, err)
	}
	if o, err = parsed(t, "-quick -runs 1 -consumers kcl,towpath -tls off -parts all"); err != nil || o.runs != 1 || !slices.Equal(o.consumers, []string{"towpath", "kcl"}) || !slices.Equal(o.parts, allParts) {
		t.Errorf("what is chosen beside -quick is %+v, %v", o, err)
	}
}

// All that is wrong is told at once, with the flag's name.
func TestWrongOptionsAreRefused(t *testing.T) {
	for line, wants := range map[string][]string{
		"-runs -1 -batch 0 -volume 0": {"-runs is -1", "-batch is 0", "-volume is 0"},
		"-sizes 1,x,0,99999999":       {`-sizes: "x" is no number`, "-sizes: 0 bytes", "payload"},
		"-consumers sdk,nobody":       {`-consumers: there is no "nobody", want some of towpath`},
		"-parts readers,none":         {`-parts: there is no "none"`},
		"-tls maybe":                  {`-tls is "maybe", want on, off or both`},
		"-shards 0":                   {"a stream of 0 shards"},
		"-page 20000":                 {"pages of 20000 records"},
		"-profile /nowhere/at/all":    {"-profile: /nowhere/at/all is no folder"},
		"-gate -json":                 {"-gate chooses what is measured"},
		"-json -parts idle":           {"leave -parts out"},
		"table":                       {`"table" is no flag`},
	} {
		_, err := parsed(t, line)
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q in it", line, err, want)
			}
		}
	}
}

// A run reads whole pages of every shard, and at least one.
func TestRunsReadWholePages(t *testing.T) {
	for _, line := range []string{"", "-volume 0.0001", "-shards 1000", "-page 7"} {
		o, err := parsed(t, line)
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{options: o}
		for _, size := range o.sizes {
			s := o.stream(size)
			if n := b.count(size); n < 1 || n%int64(s.Shards*s.Records) != 0 {
				t.Errorf("%q: %d records of %d B, want whole pages of %d from %d shards", line, n, size, s.Records, s.Shards)
			}
		}
	}
}
