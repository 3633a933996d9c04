package telemetry

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"
)

// lines writes a sheet, on as many lines as it takes.
func (p *press) lines(key string, s *sheet, now time.Time) error {
	l := &line{sheet: s, now: now, held: map[string]standing{}}
	stood := p.before[key].stood
	var failed error
	end := func() {
		if len(l.held) == 0 {
			return
		}
		if _, err := p.Writer.Write(l.bytes()); err != nil {
			failed = fmt.Errorf("write metrics: %w", err)
		} else {
			maps.Copy(stood, l.held)
		}
		l = &line{sheet: s, now: now, held: map[string]standing{}}
	}
	for _, name := range s.order {
		d := s.data[name]
		before := stood[name]
		if d.metric.Kind == Histogram { // its recorder does not tell the peak again
			d.peak = max(d.peak, before.peak)
			before.peak = d.peak
			stood[name] = before
		}
		values, standing, any := d.news(before)
		if !any {
			continue
		}
		definition, value := define(d, values)
		if l.full(len(definition) + len(value)) {
			end()
		}
		l.definitions = append(l.definitions, definition)
		l.values = append(l.values, value)
		l.size += len(definition) + len(value) + 2
		l.held[name] = standing
	}
	end()
	return failed
}

// line is one event of the log.
type line struct {
	*sheet
	now                 time.Time
	definitions, values []string
	size                int
	held                map[string]standing
}

// frameOf is about what a line has beside its metrics.
const frameOf = 1 << 10

func (l *line) full(more int) bool {
	return len(l.definitions) == mostMetrics || len(l.definitions) > 0 && l.size+more+frameOf > mostLine
}

// define is the definition of a metric, and its values as a member of the event.
func define(d *datum, values []float64) (definition, value string) {
	name, digits := quoted(d.name), 6
	var b strings.Builder
	if len(values) != 1 {
		digits = 4 // they are no better known
		b.WriteByte('[')
	}
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(number(v, digits))
	}
	if len(values) != 1 {
		b.WriteByte(']')
	}
	return `{"Name":` + name + `,"Unit":"` + d.unit + `"}`, name + ":" + b.String()
}

// number is v with so many digits, and a whole number with all of them.
func number(v float64, digits int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "0"
	}
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', digits, 64)
}

func quoted(s string) string {
	text, _ := json.Marshal(s) // of a string it does not fail
	return string(text)
}

// bytes is the line, with its end.
func (l *line) bytes() []byte {
	names, members := make([]string, len(l.dimensions)), make([]string, len(l.dimensions))
	for i, d := range l.dimensions {
		names[i], members[i] = quoted(d.name), quoted(d.name)+":"+quoted(d.value)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":%s,"Dimensions":[[%s]],"Metrics":[%s]}]},%s}`+"\n",
		l.now.UnixMilli(), quoted(l.namespace), strings.Join(names, ","), strings.Join(l.definitions, ","),
		strings.Join(append(members, l.values...), ","))
	return []byte(b.String())
}

// Units of CloudWatch.
func unitOf(m *Metric) string {
	switch m.Unit {
	case seconds:
		return "Seconds"
	case bytes:
		return "Bytes"
	case one:
		return "None"
	}
	return "Count"
}

// unitMillis is the unit that Lambda and KCL have where ours is a second.
func unitMillis(m *Metric) string {
	switch m.Unit {
	case seconds:
		return "Milliseconds"
	case one: // of success
		return "Count"
	}
	return unitOf(m)
}

func factorMillis(m *Metric) float64 {
	if m.Unit == seconds {
		return 1000
	}
	return 1
}
