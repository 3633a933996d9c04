package telemetry

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Limits of the embedded metric format, see
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
const (
	mostMetrics = 100 // in one directive
	mostValues  = 100 // in one array
	mostLine    = 15 << 10
)

var namespaces = regexp.MustCompile(`^[A-Za-z0-9._/#:-]{0,255}$`)

func validNamespace(name string) bool {
	return namespaces.MatchString(name) && !strings.HasPrefix(name, "AWS/")
}

// validDimension reports whether CloudWatch takes a text for a dimension's value; an
// empty one is left out. See
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
func validDimension(value string) bool {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	return value == "" || len(value) <= 1024 && strings.TrimSpace(value) != "" && !strings.ContainsFunc(value, odd)
}

// standing is how far a counter or histogram was when it was last written.
type standing struct {
	written      bool // it ever was
	value, total float64
	buckets      []uint64
	peak         float64 // the largest value that is not written
}

// past is where what stands on a sheet stood, by name.
type past struct {
	shard string // whose sheet it is; empty if it is of no shard
	stood map[string]standing
}

// press makes lines of what a recorder says.
type press struct {
	EMF
	before map[string]past // by sheet
}

// dimension is a name and its value.
type dimension struct{ name, value string }

// sheet is the metrics of one namespace that have the same dimensions.
type sheet struct {
	namespace  string
	shard      string
	dimensions []dimension
	data       map[string]*datum
	order      []string
}

// datum is one metric of a sheet, as it is put together out of several points.
type datum struct {
	name    string
	unit    string
	factor  float64
	metric  *Metric
	value   float64
	total   float64
	buckets []uint64
	peak    float64
	any     bool
	stands  bool // value is what is the case, where a histogram has nothing
}

// print writes what has come since it last did.
func (p *press) print(now time.Time) error {
	sheets := p.sheets()
	// A shard that was left is forgotten: should it come again, it counts anew.
	maps.DeleteFunc(p.before, func(key string, one past) bool {
		return sheets[key] == nil && one.shard != "" && one.shard != OtherShards
	})
	var failed error
	for _, key := range slices.Sorted(maps.Keys(sheets)) {
		if p.before[key].stood == nil {
			p.before[key] = past{sheets[key].shard, map[string]standing{}}
		}
		if err := p.lines(key, sheets[key], now); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// sheets puts every point on the sheets that it belongs to.
func (p *press) sheets() map[string]*sheet {
	sheets := map[string]*sheet{}
	shard := ""
	on := func(namespace string, dimensions ...dimension) *sheet {
		dimensions = slices.DeleteFunc(dimensions, func(d dimension) bool { return d.value == "" })
		key := fmt.Sprint(namespace, dimensions)
		if sheets[key] == nil {
			sheets[key] = &sheet{namespace: namespace, shard: shard, dimensions: dimensions, data: map[string]*datum{}}
		}
		return sheets[key]
	}
	application, stream := dimension{Application, p.Recorder.options.Application}, dimension{Stream, p.Recorder.options.Stream}
	for point := range p.Recorder.Points() {
		m := point.Metric
		peak := 0.0
		if point.from != nil {
			peak = point.from.takePeak()
		}
		shard = point.attribute(Shard)
		handler := point.attribute(Handler)
		if m.byShard() && !p.PerShard {
			continue
		}
		own := []*sheet{on(p.Namespace, application, stream, dimension{Shard, shard})}
		if p.PerHandler && handler != "" && !m.byShard() {
			own = append(own, on(p.Namespace, application, stream, dimension{Handler, handler}))
		}
		for _, s := range own {
			if p.Names&OwnNames != 0 {
				s.put(m.Name, unitOf(m), 1, point, peak)
			}
			if p.Names&LambdaNames != 0 && m.Lambda != "" {
				s.put(m.Lambda, unitMillis(m), factorMillis(m), point, peak)
			}
		}
		if p.Names&KCLNames == 0 {
			continue
		}
		operation := dimension{"Operation", m.KCLOperation}
		switch {
		case m.KCL != "":
			on(p.KCLNamespace, operation, dimension{"ShardId", shard}).put(m.KCL, unitMillis(m), factorMillis(m), point, peak)
		case point.id == shardsLeft && point.Values[0] == "lease_lost":
			on(p.KCLNamespace, dimension{"Operation", "RenewAllLeases"}).put("LostLeases", "Count", 1, point, 0)
		case point.id == behindMax: // where nothing was read, that is how far behind it is
			on(p.KCLNamespace, dimension{"Operation", catalogue[readBehind].KCLOperation}).fallback(catalogue[readBehind].KCL, point)
		}
	}
	return sheets
}

// attribute is the value of an attribute; empty if the metric has it not.
func (p *Point) attribute(name string) string {
	if i := slices.Index(p.Metric.Attributes, name); i >= 0 {
		return p.Values[i]
	}
	return ""
}

// put adds a point to the metric of a name.
func (s *sheet) put(name, unit string, factor float64, p Point, peak float64) {
	d := s.data[name]
	if d == nil {
		d = &datum{name: name, unit: unit, factor: factor, metric: p.Metric, buckets: make([]uint64, len(p.Buckets))}
		s.data[name] = d
		s.order = append(s.order, name)
	}
	d.peak = max(d.peak, peak)
	d.total += p.Total
	for i, n := range p.Buckets {
		d.buckets[i] += n
	}
	switch {
	case !d.any || p.Metric.Across == Sum:
		d.value += p.Value
	case p.Metric.Across == Max:
		d.value = max(d.value, p.Value)
	case p.Metric.Across == Min:
		d.value = min(d.value, p.Value)
	}
	d.any = true
}

// fallback is the value of a histogram's metric in an interval that had none.
func (s *sheet) fallback(name string, p Point) {
	if d := s.data[name]; d != nil {
		d.value, d.stands = p.Value, true
	}
}

// news is what a metric has to say since it last did, and where it stands then.
// There is nothing of what was never more than zero, but for times, for what is bad
// when it is small, and for what a fleet is scaled by: it could never be made smaller.
func (d *datum) news(before standing) (values []float64, now standing, any bool) {
	now = standing{written: true, value: d.value, total: d.total, buckets: d.buckets}
	switch d.metric.Kind {
	case Gauge:
		always := d.metric.Across == Min || d.metric.Unit == seconds || d.metric.Name == catalogue[workersNeeded].Name
		if d.value == 0 && !before.written && !always {
			return nil, now, false // of what this consumer has not, such as parked keys
		}
		values = []float64{d.value}
	case Counter:
		added := d.value - before.value
		if added < 0 { // of a shard that was left and has come again
			added = d.value
		}
		if d.value == 0 && !before.written {
			return nil, now, false
		}
		values = []float64{added}
	case Histogram:
		added := slices.Clone(d.buckets)
		for i := range before.buckets {
			added[i] -= before.buckets[i]
		}
		values = likeness(d.metric.Bounds, added, d.total-before.total, d.peak)
		if len(values) == 0 && d.stands {
			values = []float64{d.value}
		}
	}
	for i := range values {
		values[i] *= d.factor
	}
	return values, now, len(values) > 0
}

// likeness is values that lie as those do that were counted in buckets: as many as
// there were, and no more than fit into an array. Each lies in its bucket, the last
// is the peak, above which none is, and the rest are moved within their buckets so
// that their mean is that of the total, as far as that goes. A value that came while
// all this was read may be in the buckets and not the peak, or the other way round:
// the peak is moved to where the highest bucket is.
func likeness(bounds []float64, buckets []uint64, total, peak float64) []float64 {
	var all uint64
	for _, n := range buckets {
		all += n
	}
	if all == 0 {
		return nil
	}
	for i, n := range slices.Backward(buckets) {
		if n == 0 {
			continue
		}
		if i < len(bounds) {
			peak = min(peak, bounds[i])
		}
		if i > 0 {
			peak = max(peak, bounds[i-1])
		}
		break
	}
	values := make([]float64, min(all, mostValues))
	lows, highs := make([]float64, len(values)), make([]float64, len(values))
	bucket, below := 0, uint64(0)
	for i := range values {
		rank := (float64(i) + .5) / float64(len(values)) * float64(all)
		for rank > float64(below+buckets[bucket]) {
			below += buckets[bucket]
			bucket++
		}
		low, high := 0.0, peak
		if bucket > 0 {
			low = bounds[bucket-1]
		}
		if bucket < len(bounds) {
			high = bounds[bucket]
		}
		lows[i], highs[i] = low, max(low, min(high, peak))
		values[i] = low + (highs[i]-low)*(rank-float64(below))/float64(buckets[bucket])
	}
	if last := len(values) - 1; peak > 0 {
		lows[last], highs[last], values[last] = peak, peak, peak
	}
	level(values, lows, highs, total/float64(all))
	return values
}

// level moves values towards one of their bounds until their mean is right.
func level(values, lows, highs []float64, mean float64) {
	towards := highs
	is := meanOf(values)
	if is > mean {
		towards = lows
	}
	room := meanOf(towards) - is
	if room == 0 {
		return
	}
	by := min(1, (mean-is)/room)
	for i := range values {
		values[i] += by * (towards[i] - values[i])
	}
}

func meanOf(values []float64) (mean float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	return mean
}
