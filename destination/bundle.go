package destination

import "context"

// bundleOverhead is what a record in a bundle counts beside its size: more than
// the frame that any format puts round it, in bytes.
const bundleOverhead = 32

// bundles splits records into runs as waves does, where all of one key that stand
// in one run are one message: a run has up to limit keys, and of each of them as
// many records as there is room for in maxBundle bytes, but one at least.
func bundles(n, limit, maxBytes, maxBundle int, key func(int) string, size func(int) int) [][]int {
	type bundle struct{ run, bytes int } // the last of a key
	var runs [][]int
	var bytes, keys []int // of each run
	last := map[string]bundle{}
	for i := range n {
		length := size(i) + bundleOverhead
		fits := func(run int) bool { return maxBytes <= 0 || bytes[run]+length <= maxBytes }
		of, known := last[key(i)]
		if known && of.bytes+length <= maxBundle && fits(of.run) {
			runs[of.run] = append(runs[of.run], i)
			bytes[of.run] += length
			last[key(i)] = bundle{of.run, of.bytes + length}
			continue
		}
		at := 0
		if known {
			at = of.run + 1
		}
		for at < len(runs) && (keys[at] >= limit || !fits(at)) {
			at++
		}
		if at == len(runs) {
			runs, bytes, keys = append(runs, nil), append(bytes, 0), append(keys, 0)
		}
		runs[at] = append(runs[at], i)
		bytes[at] += length
		keys[at]++
		last[key(i)] = bundle{at, length}
	}
	return runs
}

// messages splits what was refused of a run into what is sent again by itself:
// one record, or all of one key where they are one message.
func (r *round) messages(run []int) [][]int {
	var all [][]int
	of := map[string]int{}
	for _, i := range run {
		key := r.parcels[i].Record.Key
		if at, known := of[key]; known && r.Bundle > 0 {
			all[at] = append(all[at], i)
			continue
		}
		of[key] = len(all)
		all = append(all, []int{i})
	}
	return all
}

// apart sends the records of one message one by one, since one of them can be
// why the service does not take it. It reports whether the service still answers.
func (r *round) apart(ctx context.Context, message []int) bool {
	for n := range message {
		if !r.again(ctx, message[n:n+1]) {
			return false
		}
	}
	return true
}
