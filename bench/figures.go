package main

import (
	"slices"
	"strconv"

	"github.com/towpath/towpath/bench/measure"
)

// subject is who was measured on what.
type subject struct {
	consumer string
	size     int
	tls      bool
}

// row is one line of the figures: medians over the runs.
type row struct {
	// Consumer is who read, Size the bytes of a payload, TLS whether over TLS.
	Consumer string `json:"consumer"`
	Size     int    `json:"size"`
	TLS      bool   `json:"tls"`
	// CPU is user and system time, in seconds for a million records.
	CPU float64 `json:"cpu_s_per_million"`
	// PerCore is how many records one core reads in a second: 10⁶ over CPU.
	PerCore float64 `json:"records_per_core_s"`
	// Allocs and Bytes are what was allocated for each record. A JVM does not
	// count Allocs, which are null there.
	Allocs *float64 `json:"allocs_per_record"`
	Bytes  float64  `json:"bytes_per_record"`
	// Runs is how often it was measured, and Spread how far CPU went apart: the
	// most less the least, as a share of the median.
	Runs   int     `json:"runs"`
	Spread float64 `json:"spread"`
}

// cpu is seconds of the processor for a million records.
func cpu(u measure.Usage) float64 { return u.CPU.Seconds() * 1e6 / float64(max(1, u.Records)) }

// summarize is the row of a subject.
func summarize(s subject, runs []measure.Usage) row {
	each := func(of func(measure.Usage) float64) []float64 {
		var values []float64
		for _, u := range runs {
			values = append(values, of(u))
		}
		return values
	}
	times := each(cpu)
	r := row{
		Consumer: s.consumer, Size: s.size, TLS: s.tls, Runs: len(runs),
		CPU: round(median(times)), Spread: round(spread(times)),
		Bytes: round(median(each(func(u measure.Usage) float64 { return float64(u.Bytes) / float64(max(1, u.Records)) }))),
	}
	if m := median(times); m > 0 {
		r.PerCore = round(1e6 / m)
	}
	if s.consumer != "kcl" {
		allocs := round(median(each(func(u measure.Usage) float64 { return float64(u.Allocs) / float64(max(1, u.Records)) })))
		r.Allocs = &allocs
	}
	return r
}

// ratio is the median of a over b, of runs that were made one after the other.
func ratio(a, b []measure.Usage) float64 {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if of := cpu(b[i]); of > 0 {
			ratios = append(ratios, cpu(a[i])/of)
		}
	}
	return median(ratios)
}

// median is the middle of values, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// spread is the most less the least, as a share of the median; 0 of none.
func spread(values []float64) float64 {
	m := median(values)
	if m == 0 {
		return 0
	}
	return (slices.Max(values) - slices.Min(values)) / m
}

// round is a number to four digits, which is more than any of them is worth.
func round(f float64) float64 {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 4, 64), 64) // what was just written
	return short
}

// shardsPerCore is how many shards at the service's limit of 2 MB a second one
// core reads.
func shardsPerCore(r row) float64 { return r.PerCore * float64(r.Size) / 2e6 }
