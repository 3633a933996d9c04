package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/towpath/towpath/shard"
)

// The quotas of enhanced fan-out:
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	mostConsumers          = 20
	mostConsumersAdvantage = 50 // of on-demand streams, in an account with On-demand Advantage
)

func itoa(n int) string { return strconv.Itoa(n) }

func checkStream(f Facts, out *findings) {
	open := 0
	for _, s := range f.Shards {
		if s.Open() {
			open++
		}
	}
	shards := fmt.Sprintf("%s, %d of them open, kept for %s", counted(len(f.Shards), "shard"), open, span(f.Stream.Retention))
	switch {
	case f.Changes != nil && !f.Changes.Enabled:
		out.fail("enable the stream of the table again, and begin anew: a stream that is enabled anew is another", "the stream of the table is disabled; %s", shards)
	case f.Changes != nil:
		out.ok("the stream of the table is enabled, with %s in each record; %s", f.Changes.View, shards)
	case f.Kinesis == nil:
		out.note("%s, whose state is not known: %s", f.Stream.ARN, shards)
	default:
		mode := map[string]string{"PROVISIONED": "provisioned", "ON_DEMAND": "on demand"}[f.Kinesis.Mode]
		switch f.Kinesis.Status {
		case "ACTIVE":
			out.ok("ACTIVE, %s, %s", mode, shards)
		case "UPDATING":
			out.note("UPDATING: it is being resharded or changed; %s, %s", mode, shards)
		default:
			out.fail("wait until it is ACTIVE, or name another with -stream", "the stream is %s", f.Kinesis.Status)
		}
	}
	uneven(f.Shards, out)
}

// uneven tells of open shards whose ranges of hashes are of very different sizes:
// keys that are spread evenly make the larger ones busier.
func uneven(listed []shard.Shard, out *findings) {
	least, most, widest := 1.0, 0.0, ""
	for _, s := range listed {
		share, ok := shareOf(s.Hashes)
		if !ok || !s.Open() {
			continue
		}
		least = min(least, share)
		if share > most {
			most, widest = share, s.ID
		}
	}
	if most > 0 && most >= 3*least {
		out.note("ranges of hashes are uneven: %s has %s of all keys, the narrowest %s", widest, percent(most), percent(least))
	}
}

// shareOf is which part of all hashes a range is.
func shareOf(h shard.HashRange) (float64, bool) {
	from, to, ok := h.Points()
	if !ok {
		return 0, false
	}
	a, errA := strconv.ParseUint(from[:16], 16, 64)
	b, errB := strconv.ParseUint(to[:16], 16, 64)
	if errA != nil || errB != nil || b < a {
		return 0, false
	}
	return (float64(b) - float64(a)) / (1 << 63) / 2, true
}

func checkEncryption(f Facts, out *findings) {
	switch {
	case f.Kinesis == nil:
	case f.Kinesis.Key == "":
		out.ok("records are not encrypted by a key of KMS")
	case strings.HasSuffix(f.Kinesis.Key, "alias/aws/kinesis"):
		out.ok("records are encrypted with the key that Kinesis manages: readers of this account need no more permissions")
	default:
		out.add(Note, "give the workers kms:Decrypt on it: towpath iam -mode polling -stream-key ARN", "records are encrypted with %s", f.Kinesis.Key)
	}
}

func checkFanOut(f Facts, out *findings) {
	if f.Kinesis == nil || !f.Kinesis.Listed {
		return
	}
	least, most := mostConsumers, strconv.Itoa(mostConsumers)
	limit := least
	if f.Kinesis.Mode == "ON_DEMAND" { // of which mode the account is, nobody asks
		limit, most = mostConsumersAdvantage, fmt.Sprintf("%d (%d with On-demand Advantage)", mostConsumers, mostConsumersAdvantage)
	}
	n := len(f.Kinesis.Consumers)
	i := slices.IndexFunc(f.Kinesis.Consumers, func(c Consumer) bool { return c.Name == f.FanOut })
	own := slices.ContainsFunc(f.Kinesis.Consumers, func(c Consumer) bool { return c.Name == f.Application })
	switch {
	case f.FanOut != "" && i < 0 && n >= limit:
		out.fail("deregister one that nobody uses", "consumer %s is not registered, and %d of at most %s are", f.FanOut, n, most)
	case f.FanOut != "" && i < 0 && n >= least:
		out.warn("see that the account has On-demand Advantage, or deregister one that nobody uses", "consumer %s is not registered, and %d of at most %s are", f.FanOut, n, most)
	case f.FanOut != "" && i < 0:
		out.add(Note, "let the first worker register it (towpath iam -mode bootstrap-fan-out), or do it by hand", "consumer %s is not registered yet; %d of at most %s are", f.FanOut, n, most)
	case f.FanOut != "" && f.Kinesis.Consumers[i].Status != "ACTIVE":
		out.warn("", "consumer %s is %s: its shards are polled meanwhile", f.FanOut, f.Kinesis.Consumers[i].Status)
	case f.FanOut != "":
		out.ok("consumer %s is ACTIVE; %d of at most %s are registered", f.FanOut, n, most)
	case own:
		out.add(Note, "say -fan-out if the workers use it; otherwise deregister it, as it is paid by the hour", "a consumer %s is registered; %d of at most %s are", f.Application, n, most)
	case n >= least:
		out.note("%d of at most %s consumers are registered", n, most)
	default:
		out.ok("%d of at most %s consumers are registered, none for this application", n, most)
	}
}

// percent is a share as people say it.
func percent(share float64) string {
	if p := share * 100; p < 9.95 {
		return strconv.FormatFloat(p, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(share*100, 'f', 0, 64) + " %"
}
