package telemetry_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// event is one line of EMF, checked against the format's rules.
type event struct {
	at         time.Time
	namespace  string
	dimensions string // name=value, joined by spaces
	values     map[string][]float64
	units      map[string]string
}

// parse reads lines as CloudWatch would, and fails on what it would not take.
func parse(t *testing.T, text string) (all []event) {
	t.Helper()
	for line := range strings.Lines(text) {
		if len(line) > 15<<10 || !strings.HasSuffix(line, "\n") {
			t.Errorf("a line of %d bytes", len(line))
		}
		var root map[string]any
		if err := json.Unmarshal([]byte(line), &root); err != nil {
			t.Fatalf("no JSON: %v: %s", err, line)
		}
		var meta struct {
			AWS struct {
				Timestamp         int64
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}
		decoder := json.NewDecoder(strings.NewReader(line))
		if err := decoder.Decode(&meta); err != nil || len(meta.AWS.CloudWatchMetrics) != 1 {
			t.Fatalf("%v: %s", err, line)
		}
		d := meta.AWS.CloudWatchMetrics[0]
		e := event{at: time.UnixMilli(meta.AWS.Timestamp), namespace: d.Namespace, values: map[string][]float64{}, units: map[string]string{}}
		if len(d.Metrics) < 1 || len(d.Metrics) > 100 || len(d.Dimensions) != 1 || len(d.Dimensions[0]) > 30 {
			t.Errorf("%d metrics, dimensions %v", len(d.Metrics), d.Dimensions)
		}
		var dimensions []string
		for _, name := range d.Dimensions[0] {
			value, ok := root[name].(string)
			if !ok || value == "" || len(value) > 1024 {
				t.Errorf("the dimension %s has the value %v", name, root[name])
			}
			dimensions = append(dimensions, name+"="+value)
		}
		e.dimensions = strings.Join(dimensions, " ")
		units := []string{"Seconds", "Milliseconds", "Bytes", "Count", "None"}
		for _, m := range d.Metrics {
			if !slices.Contains(units, m.Unit) || e.values[m.Name] != nil {
				t.Errorf("%s has the unit %q, or is there twice", m.Name, m.Unit)
			}
			e.units[m.Name] = m.Unit
			switch v := root[m.Name].(type) {
			case float64:
				e.values[m.Name] = []float64{v}
			case []any:
				for _, one := range v {
					e.values[m.Name] = append(e.values[m.Name], one.(float64))
				}
			}
			if n := len(e.values[m.Name]); n < 1 || n > 100 {
				t.Errorf("%s has %d values", m.Name, n)
			}
		}
		all = append(all, e)
	}
	return all
}

// find is the values of a metric in the events of a namespace and dimensions, one
// element an event.
func find(all []event, namespace, dimensions, metric string) (values [][]float64) {
	for _, e := range all {
		if v, ok := e.values[metric]; ok && e.namespace == namespace && e.dimensions == dimensions {
			values = append(values, v)
		}
	}
	return values
}

func total(values [][]float64) (sum float64) {
	for _, v := range values {
		sum += v[0]
	}
	return sum
}

// paper is a writer that many goroutines may use, and that may be out of ink.
type paper struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	err    error
	writes int
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes++
	if p.err != nil {
		return 0, p.err
	}
	return p.buf.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

func (p *paper) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}
