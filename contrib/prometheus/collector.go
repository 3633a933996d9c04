package prometheus

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/towpath/towpath/telemetry"
)

// Collector reads recorders whenever it is scraped. It is made by NewCollector.
type Collector struct {
	recorders    []*telemetry.Recorder
	descriptions map[string]*prometheus.Desc // by the metric's own name
}

// NewCollector is a collector of the metrics of recorders: one, or those of several
// consumers in one process, of which no two have both the same application and the
// same stream.
func NewCollector(recorders ...*telemetry.Recorder) *Collector {
	c := &Collector{recorders: recorders, descriptions: map[string]*prometheus.Desc{}}
	for _, m := range telemetry.Catalogue() {
		labels := []string{telemetry.Application, telemetry.Stream}
		for _, a := range m.Attributes {
			labels = append(labels, strings.ReplaceAll(a, ".", "_"))
		}
		c.descriptions[m.Name] = prometheus.NewDesc(Name(m), m.Meaning, labels, nil)
	}
	return c
}

// Name is the name that a metric has for Prometheus.
func Name(m telemetry.Metric) string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	for unit, suffix := range map[string]string{"s": "_seconds", "By": "_bytes"} {
		if m.Unit == unit && !strings.HasSuffix(name, suffix) {
			name += suffix
		}
	}
	if m.Kind == telemetry.Counter {
		name += "_total"
	}
	return name
}

// Describe tells of every metric of the catalogue.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descriptions {
		to <- d
	}
}

// Collect reads the recorders. One that is nil fails the scrape, and not the process
// that is scraped.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	for i, r := range c.recorders {
		if r == nil {
			for _, d := range c.descriptions {
				to <- prometheus.NewInvalidMetric(d, fmt.Errorf("collect metrics: recorder %d of NewCollector is nil, want one of telemetry.New", i+1))
				break
			}
			continue
		}
		o := r.Options()
		for p := range r.Points() {
			to <- c.metric(p, append([]string{o.Application, o.Stream}, p.Values...))
		}
	}
}

// metric is a point as Prometheus has it. One that cannot be made of it, as a label
// is no text, is told to whoever scrapes.
func (c *Collector) metric(p telemetry.Point, labels []string) prometheus.Metric {
	d := c.descriptions[p.Metric.Name]
	var m prometheus.Metric
	var err error
	switch p.Metric.Kind {
	case telemetry.Histogram:
		upTo := make(map[float64]uint64, len(p.Metric.Bounds))
		var below uint64
		for i, bound := range p.Metric.Bounds {
			below += p.Buckets[i]
			upTo[bound] = below
		}
		m, err = prometheus.NewConstHistogram(d, p.Count, p.Total, upTo, labels...)
	case telemetry.Counter:
		m, err = prometheus.NewConstMetric(d, prometheus.CounterValue, p.Value, labels...)
	default:
		m, err = prometheus.NewConstMetric(d, prometheus.GaugeValue, p.Value, labels...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}
