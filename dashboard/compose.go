package dashboard

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/overview"
)

// view is a picture before it is JSON: rows by their ids.
type view struct {
	about     about
	summary   summary
	orders    orders
	workers   map[string]workerRow
	shards    map[string]shardRow
	live      map[string]liveRow
	failures  []failure
	handovers []handover
	problems  []problemRow
}

func newView() *view {
	return &view{workers: map[string]workerRow{}, shards: map[string]shardRow{}, live: map[string]liveRow{},
		orders: orders{Pauses: []string{}}, summary: summary{Lag: -1}}
}

// addStatuses puts what the consumers of this process tell of themselves over
// what the tables tell: they know it sooner, and more of it. It returns how many
// records each tenure has finished.
func (v *view) addStatuses(now time.Time, all []consumer.Status, errorText func(string) string) map[tenureKey]int64 {
	finished := map[tenureKey]int64{}
	for _, s := range all {
		if s.Worker == "" {
			continue // it does not run
		}
		w, known := v.workers[s.Worker]
		if !known {
			w = workerRow{Name: s.Worker, Kind: kindTowpath, Beat: -1, Share: -1}
		}
		w.Here, w.Memory = true, s.MemoryHeld
		switch {
		case !s.Valid:
			w.State = string(overview.LifeGone)
		case s.Stopping:
			w.State = string(overview.LifeLeaving)
		case w.State != string(overview.LifeLeaving):
			w.State = string(overview.LifeAlive)
		}
		w.Doing = doing(s)
		if s.Limited {
			w.Share = s.Share
		}
		v.orders.Running += s.Running
		v.orders.Limited, v.orders.Limit = v.orders.Limited || s.Limited, max(v.orders.Limit, s.Limit)
		v.orders.Fault = cmp.Or(v.orders.Fault, clean(s.ControlError))
		if s.Move.Active() {
			v.orders.Move = cmp.Or(v.orders.Move, clean(s.Move.String()))
		}
		for _, p := range s.Pauses {
			if text := pauseOf(p.Shard, p.KeyHash); !slices.Contains(v.orders.Pauses, text) {
				v.orders.Pauses = append(v.orders.Pauses, text)
			}
		}
		held := map[string]bool{}
		for _, one := range s.Shards {
			held[one.Shard] = true
			finished[tenureKey{s.Worker, one.Shard, one.Handler}] = one.Handled
			v.addStatus(now, s.Worker, one, errorText)
		}
		w.Leases = max(w.Leases, len(held))
		v.workers[s.Worker] = w
		for _, id := range s.Neighbours {
			if _, ok := v.workers[id]; !ok {
				v.workers[id] = workerRow{Name: id, State: string(overview.LifeAlive), Kind: string(overview.KindKCL), Beat: -1, Share: -1}
			}
		}
	}
	return finished
}

// addStatus puts one status of a shard in. Of several handlers the counts are
// added up, and the shard is as far behind as the last of them.
func (v *view) addStatus(now time.Time, worker string, s consumer.ShardStatus, errorText func(string) string) {
	if _, ok := v.shards[s.Shard]; !ok {
		v.shards[s.Shard] = shardRow{Stream: s.Stream, Lo: -1, Hi: -1}
	}
	l, known := v.live[s.Shard]
	if !l.Here {
		before := l
		l = liveRow{State: stateHeld, Owner: worker, Lag: -1, Here: true, Counter: before.Counter, KiB: before.KiB,
			Switches: before.Switches, Suspect: before.Suspect, Position: before.Position}
		if known && before.State == stateHanding && before.Owner == worker {
			l.State, l.Next = stateHanding, before.Next
		}
	}
	lag, atMost := lagOf(now, s)
	if lag > l.Lag {
		l.Lag, l.AtMost = lag, atMost
	}
	if s.Pending > 0 {
		l.Age = max(l.Age, s.Age.Milliseconds())
	}
	l.Pending, l.Busy, l.Held, l.Later = l.Pending+s.Pending, l.Busy+s.Busy, l.Held+s.KeysHeld, l.Later+s.Deferred
	l.Parked, l.Paused = l.Parked+s.Parked.Keys, l.Paused || s.Paused
	if at := s.Checkpoint.String(); l.Position == "" || s.Handler == "" {
		l.Position = at
	}
	if !s.CheckpointAt.IsZero() {
		l.Saved = max(l.Saved, s.CheckpointAt.UnixMilli())
	}
	if s.Error != "" && l.Note == "" {
		l.Note = "an error; its text is not shown"
		if errorText != nil {
			l.Note = cut(errorText(s.Error), mostText)
		}
	}
	if s.Handler != "" {
		l.Handlers = append(l.Handlers, handlerRow{Name: clean(s.Handler), At: s.Mark.String(), Pending: s.Pending, Busy: s.Busy, Lag: lag})
	}
	v.live[s.Shard] = l
}

// doing says in a few words what a worker does now.
func doing(s consumer.Status) string {
	pending, busy, paused := 0, 0, 0
	for _, one := range s.Shards {
		pending, busy = pending+one.Pending, busy+one.Busy
		if one.Paused {
			paused++
		}
	}
	var words []string
	switch {
	case !s.Valid:
		return "its session is over"
	case s.Move.Active():
		words = append(words, "stands still for a move")
	case len(s.Shards) == 0:
		words = append(words, "has no shard")
	case paused == len(s.Shards):
		words = append(words, "paused")
	case s.Running > 0 || busy > 0:
		words = append(words, fmt.Sprintf("handles %s on %s", count(pending, "record"), count(max(busy, s.Running), "lane")))
	case pending > 0:
		words = append(words, count(pending, "record")+" in hand")
	default:
		words = append(words, "waits for records")
	}
	if s.Limited && s.Running >= s.Share {
		words = append(words, "at its share of the limit")
	}
	if s.Breaker != batching.BreakerClosed {
		words = append(words, "breaker "+s.Breaker.String())
	}
	return strings.Join(words, ", ")
}

// count is a number with its noun.
func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "sh"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// addRecorded puts what the hooks told in, with texts of errors only as
// errorText lets them through.
func (v *view) addRecorded(r recorded, errorText func(string) string) {
	for _, f := range r.failures {
		if errorText != nil && f.err != "" {
			f.Text = cut(errorText(f.err), mostText)
		}
		v.failures = append(v.failures, f)
	}
	v.handovers = r.handovers
	v.summary.Failed, v.summary.Recent, v.summary.Grave = r.failed, r.recent, r.grave
	if d, ok := r.calls.quantile(0.5); ok {
		v.summary.P50 = milliseconds(d)
	} else {
		v.summary.P50 = -1
	}
	if d, ok := r.calls.quantile(0.99); ok {
		v.summary.P99 = milliseconds(d)
	} else {
		v.summary.P99 = -1
	}
}

func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond)*100) / 100
}

// finish takes the sums, and gives the point of the curves. Rates are those since
// the last look; steady is asked for one that does not flicker.
func (v *view) finish(now time.Time, rates map[string]float64, steady func(string) (float64, bool)) point {
	s := &v.summary
	s.States = map[string]int{}
	hasRate := rates != nil && v.about.HasHere
	for _, id := range slices.Sorted(maps.Keys(v.live)) {
		l := v.live[id]
		s.Shards++
		s.States[l.State]++
		if l.State != stateEnded && l.Lag > s.Lag {
			s.Lag, s.LagShard, s.AtMost = l.Lag, id, l.AtMost
		}
		s.KiB += l.KiB
		s.Pending, s.Busy, s.Parked = s.Pending+l.Pending, s.Busy+l.Busy, s.Parked+l.Parked
		if l.Suspect {
			s.Suspects++
		}
		s.Rate += rates[id]
		l.Rate = -1
		if r, ok := steady(id); ok {
			l.Rate = tenth(r)
		}
		v.live[id] = l
	}
	s.Workers = len(v.workers)
	for _, w := range v.workers {
		if life := overview.Life(w.State); life == overview.LifeAlive || life == overview.LifeLeaving || life == overview.LifeSeen {
			s.Alive++
		}
	}
	s.Rate, s.KiB = tenth(s.Rate), tenth(s.KiB)
	p := point{float64(now.UnixMilli()), unless(s.Lag < 0, float64(s.Lag)/1000), unless(!hasRate, s.Rate), unless(v.about.TablesAt < 0, s.KiB),
		unless(s.P50 < 0 || !v.about.HasRecorder, s.P50), unless(s.P99 < 0 || !v.about.HasRecorder, s.P99), unless(!v.about.HasRecorder, float64(s.Failed)), unless(!v.about.HasHere, float64(s.Pending))}
	if !hasRate {
		s.Rate = -1
	}
	return p
}

func tenth(n float64) float64 { return math.Round(n*10) / 10 }

// unless is n, or NaN, which is not drawn.
func unless(unknown bool, n float64) float64 {
	if unknown {
		return math.NaN()
	}
	return n
}

// lags are those that are known, in seconds.
func (v *view) lags() map[string]float64 {
	lags := map[string]float64{}
	for id, l := range v.live {
		if l.State != stateEnded {
			lags[id] = unless(l.Lag < 0, float64(l.Lag)/1000)
		}
	}
	return lags
}

// picture is the view as rows of JSON.
func (v *view) picture() picture {
	p := picture{}
	p.put("one", "about", v.about)
	p.put("one", "summary", v.summary)
	p.put("one", "orders", v.orders)
	putAll(p, "workers", v.workers)
	putAll(p, "shards", v.shards)
	putAll(p, "live", v.live)
	for _, f := range v.failures {
		p.put("failures", fmt.Sprint(f.ID), f)
	}
	for _, h := range v.handovers {
		p.put("handovers", fmt.Sprint(h.ID), h)
	}
	for i, problem := range v.problems {
		p.put("problems", fmt.Sprint(i), problem)
	}
	return p
}

func putAll[R any](p picture, section string, rows map[string]R) {
	for id, row := range rows {
		p.put(section, id, row)
	}
}

// clean is a text of this library's own about calls and rows, which quotes no
// record, no longer than is shown.
func clean(text string) string { return cut(text, mostText) }
