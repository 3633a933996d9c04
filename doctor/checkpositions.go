package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/shard"
)

// How much of the retention a lag may use up.
const (
	lagWarns = 0.5
	lagFails = 0.8
)

func checkLineage(f Facts, out *findings) {
	if len(f.Second.Rows) == 0 || len(f.Shards) == 0 {
		return
	}
	lineage := shard.NewLineage(f.Shards, f.Second.Rows)
	var holes, lost []string
	for _, h := range lineage.Holes() {
		holes = append(holes, h.String())
	}
	for _, row := range f.Second.Rows {
		if row.Fault == nil && row.Lost {
			lost = append(lost, row.Shard)
		}
	}
	var gone []string
	for _, row := range lineage.Gone() {
		gone = append(gone, row.Shard)
	}
	missing := lineage.Missing(shard.TrimHorizon(), f.Stream)
	switch {
	case len(holes) > 0:
		out.fail("a running fleet makes the rows that it can within two minutes; if this stays, towpath reset makes them all, and begins every shard anew", "no row leads to a part of the stream: %s", some(holes))
	case len(missing) > 0:
		out.note("%s no row yet; the fleet makes it", have(len(missing), "shard"))
	}
	if len(gone) > 0 {
		out.fail("their records cannot be had any more; a running fleet ends these rows and goes on with the children", "%s gone from the stream before %s read to the end: %s", are(len(gone), "shard"), verb(len(gone), "it was", "they were"), some(gone))
	}
	if len(lost) > 0 {
		out.warn("put what was lost in again from where it came; read faster, or keep records longer", "%s trimmed before the end was read: %s", were(len(lost), "shard"), some(lost))
	}
	if len(holes)+len(gone)+len(lost)+len(missing) == 0 {
		out.ok("every shard has its row, or an ancestor that leads to it")
	}
}

// checkRetention holds the worst lag against how long records are kept.
func checkRetention(f Facts, out *findings) {
	var worst Lag
	var lost []string
	for _, l := range f.Lags {
		if l.Behind >= worst.Behind {
			worst = l
		}
		if l.Loss != nil {
			lost = append(lost, l.Shard)
		}
	}
	if len(lost) > 0 {
		do := "what was trimmed cannot be had any more: put it in again from where it came, and keep records longer"
		if f.Changes != nil {
			do = "what was trimmed cannot be had any more: read the table itself for it"
		}
		out.fail(do, "records were trimmed before they were read, of %s", some(lost))
	}
	if len(f.Lags) == 0 || f.Stream.Retention <= 0 {
		return
	}
	part := float64(worst.Behind) / float64(f.Stream.Retention)
	do := "let records be kept longer (IncreaseStreamRetentionPeriod), then find out why it is slow: towpath lag, towpath top"
	if f.Changes != nil {
		do = "find out why it is slow: towpath lag, towpath top; how long a stream of DynamoDB keeps records cannot be changed"
	}
	text := fmt.Sprintf("%s is %s behind, %s of the %s that records are kept", worst.Shard, span(worst.Behind), percent(part), span(f.Stream.Retention))
	switch {
	case part >= lagFails:
		out.fail(do, "%s: soon they are lost", text)
	case part >= lagWarns:
		out.warn(do, "%s", text)
	case worst.Behind < time.Second:
		out.ok("%s looked at, each at its tip; records are kept for %s", counted(len(f.Lags), "position"), span(f.Stream.Retention))
	default:
		out.ok("%s", text)
	}
}

// What a shard of Kinesis takes a second:
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	shardBytes   = 1 << 20
	shardRecords = 1000
	// nearLimit is from which part of that on a shard is called hot.
	nearLimit = 0.8
)

// checkDistribution looks for a shard that gets much more than the others.
func checkDistribution(f Facts, out *findings) {
	loads := f.Arrivals
	how := "in the last minute"
	if len(loads) == 0 {
		how = "as the workers measured"
		for _, row := range f.Second.Rows {
			if row.Fault == nil && !row.Finished() && row.Load > 0 {
				loads = append(loads, Arrival{Shard: row.Shard, Bytes: row.Load * 1024})
			}
		}
	}
	if len(loads) < 2 {
		return
	}
	loads = slices.Clone(loads)
	slices.SortStableFunc(loads, func(a, b Arrival) int { return cmp.Compare(b.Bytes, a.Bytes) })
	sum := 0.0
	for _, a := range loads {
		sum += a.Bytes
	}
	hottest, middle := loads[0], loads[len(loads)/2]
	// Many small records meet the other limit of a shard.
	busiest := slices.MaxFunc(loads, func(a, b Arrival) int { return cmp.Compare(a.Records, b.Records) })
	if sum == 0 {
		out.note("nothing came into any shard %s", how)
		return
	}
	text := fmt.Sprintf("%s has %s of %s a second over %d shards, %s", hottest.Shard, percent(hottest.Bytes/sum), size(sum), len(loads), how)
	const do = "choose keys that spread, or split the shard; ParallelizationFactor lets its keys be handled side by side"
	switch {
	case f.Kinesis != nil && hottest.Bytes > nearLimit*shardBytes:
		out.warn(do, "%s: that is near what a shard takes", text)
	case f.Kinesis != nil && busiest.Records > nearLimit*shardRecords:
		out.warn(do, "%s gets %.0f records a second, %s: that is near what a shard takes", busiest.Shard, busiest.Records, how)
	case hottest.Bytes > 4*max(middle.Bytes, 1) && hottest.Bytes > 100<<10:
		out.warn(do, "a hot shard: %s", text)
	default:
		out.ok("%s", text)
	}
}

// size is a number of bytes as people say it.
func size(bytes float64) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", bytes/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%.0f KiB", bytes/(1<<10))
	}
	return fmt.Sprintf("%.0f bytes", bytes)
}

// span is a duration as people say it.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	case d >= time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Hours()), ".0") + " h"
	case d >= time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return d.Round(100 * time.Millisecond).String()
}
