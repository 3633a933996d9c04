package telemetry

import (
	"slices"
	"testing"
)

// A value that is counted while a line is made may have left its peak in the line
// before, or be told of by its peak first: the values lie in their buckets all the
// same.
func TestPeakLiesInTheHighestBucket(t *testing.T) {
	bounds := []float64{1, 10, 100}
	for _, test := range []struct {
		buckets     []uint64
		total, peak float64
		want        []float64
	}{
		{[]uint64{1, 0, 1, 0}, 50.5, .5, []float64{1, 10}},   // the peak went with the line before
		{[]uint64{1, 0, 1, 0}, 50.5, 0, []float64{1, 10}},    // and nothing came after it
		{[]uint64{2, 0, 0, 0}, 1, 70, []float64{0, 1}},       // the value comes with the next line
		{[]uint64{1, 0, 0, 1}, 301, 300, []float64{1, 300}},  // all is there
		{[]uint64{1, 0, 0, 1}, 301, .5, []float64{1, 100}},   // of what has no bound
		{[]uint64{0, 0, 0, 0}, 0, 70, nil},                   // the value comes with the next line
		{[]uint64{0, 2, 0, 0}, 14, 9, []float64{5, 9}},       // the mean is right
		{[]uint64{2, 0, 0, 0}, -5, 0, []float64{0, 0}},       // a total that cannot be
		{[]uint64{2, 0, 0, 0}, 1e300, .5, []float64{.5, .5}}, // nor that
	} {
		got := likeness(bounds, test.buckets, test.total, test.peak)
		if !slices.Equal(got, test.want) {
			t.Errorf("%v in buckets, %v in all, at most %v: %v, want %v", test.buckets, test.total, test.peak, got, test.want)
		}
	}
}
