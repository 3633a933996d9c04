package otel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	global "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/towpath/towpath/telemetry"
)

// scope names what makes the instruments and spans.
const scope = "github.com/towpath/towpath/contrib/otel"

// Metrics says how metrics are reported. The zero value works.
type Metrics struct {
	// MeterProvider is where they go: default the global one.
	MeterProvider metric.MeterProvider
	// OwnNames leaves the names of OpenTelemetry's conventions: every metric is then
	// called as in the catalogue.
	OwnNames bool
}

// Registration is the metrics of one recorder with one provider.
type Registration struct {
	recorder *telemetry.Recorder
	own      bool
	common   []attribute.KeyValue
	counters map[string]metric.Int64Observable // by the metric's own name
	gauges   map[string]metric.Float64Observable
	spreads  map[string]metric.Float64Histogram
	callback metric.Registration
	over     atomic.Bool

	mu   sync.RWMutex
	sets map[setKey][]metric.RecordOption
}

// setKey names the attributes of a value of a histogram.
type setKey struct{ metric, handler, class string }

// Register has a recorder's metrics reported until Unregister is called. Counters
// and gauges are read when the provider's readers collect, values of histograms are
// recorded when they are taken.
func Register(r *telemetry.Recorder, m Metrics) (*Registration, error) {
	if r == nil {
		return nil, errors.New("otel: register metrics: the recorder is nil, want one of telemetry.New")
	}
	if m.MeterProvider == nil {
		m.MeterProvider = global.GetMeterProvider()
	}
	o := r.Options()
	reg := &Registration{
		recorder: r, own: m.OwnNames, common: belonging(o.System, o.Stream, o.Application),
		counters: map[string]metric.Int64Observable{}, gauges: map[string]metric.Float64Observable{}, spreads: map[string]metric.Float64Histogram{},
		sets: map[setKey][]metric.RecordOption{},
	}
	meter := m.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	observed, err := reg.instruments(meter)
	if err != nil {
		return nil, fmt.Errorf("otel: make instruments: %w", err)
	}
	if reg.callback, err = meter.RegisterCallback(reg.observe, observed...); err != nil {
		return nil, fmt.Errorf("otel: register metrics: %w", err)
	}
	r.Observe(reg.record)
	return reg, nil
}

// Unregister ends the reporting.
func (reg *Registration) Unregister() error {
	reg.over.Store(true)
	if err := reg.callback.Unregister(); err != nil {
		return fmt.Errorf("otel: unregister metrics: %w", err)
	}
	return nil
}

// belonging is whose every series and span is.
func belonging(system, stream, application string) []attribute.KeyValue {
	all := []attribute.KeyValue{semconv.MessagingSystemKey.String(system)}
	if stream != "" {
		all = append(all, semconv.MessagingDestinationName(stream))
	}
	if application != "" {
		all = append(all, semconv.MessagingConsumerGroupName(application))
	}
	return all
}

// name is what a metric is called here.
func (reg *Registration) name(m *telemetry.Metric) string {
	if m.Semconv != "" && !reg.own {
		return m.Semconv
	}
	return m.Name
}

// unit is what it is measured in: the conventions call a record a message.
func (reg *Registration) unit(m *telemetry.Metric) string {
	if m.Semconv != "" && !reg.own && m.Unit == "{record}" {
		return "{message}"
	}
	return m.Unit
}

// instruments makes an instrument for each metric of the catalogue.
func (reg *Registration) instruments(meter metric.Meter) (observed []metric.Observable, err error) {
	var problems []error
	for _, m := range telemetry.Catalogue() {
		name, says, unit := reg.name(&m), metric.WithDescription(m.Meaning), metric.WithUnit(reg.unit(&m))
		switch m.Kind {
		case telemetry.Histogram:
			reg.spreads[m.Name], err = meter.Float64Histogram(name, says, unit, metric.WithExplicitBucketBoundaries(m.Bounds...))
		case telemetry.Counter:
			var c metric.Int64ObservableCounter
			c, err = meter.Int64ObservableCounter(name, says, unit)
			reg.counters[m.Name] = c
			observed = append(observed, c)
		default:
			var g metric.Float64ObservableGauge
			g, err = meter.Float64ObservableGauge(name, says, unit)
			reg.gauges[m.Name] = g
			observed = append(observed, g)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	return observed, errors.Join(problems...)
}

// observe reports what the recorder has, when somebody collects.
func (reg *Registration) observe(_ context.Context, to metric.Observer) error {
	for p := range reg.recorder.Points() {
		if p.Metric.Kind == telemetry.Histogram {
			continue
		}
		set := metric.WithAttributes(reg.attributes(p.Metric, p.Values)...)
		if c, ok := reg.counters[p.Metric.Name]; ok {
			to.ObserveInt64(c, int64(p.Value), set)
		} else {
			to.ObserveFloat64(reg.gauges[p.Metric.Name], p.Value, set)
		}
	}
	return nil
}

// record reports one value of a histogram.
func (reg *Registration) record(o telemetry.Observation) {
	if reg.over.Load() {
		return
	}
	key := setKey{o.Metric.Name, o.Handler, o.ErrorType}
	reg.mu.RLock()
	set, known := reg.sets[key]
	reg.mu.RUnlock()
	if !known {
		all := reg.attributes(o.Metric, nil)
		if o.Handler != "" {
			all = append(all, handlerKey.String(o.Handler))
		}
		if o.ErrorType != "" {
			all = append(all, errorType(o.ErrorType))
		}
		set = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(all...))}
		reg.mu.Lock()
		reg.sets[key] = set
		reg.mu.Unlock()
	}
	reg.spreads[o.Metric.Name].Record(context.Background(), o.Value, set...)
}

// handlerKey is the attribute of a handler's name; those of others that no
// convention knows begin likewise.
const handlerKey = attribute.Key("towpath.handler")

// attributes are those of a series, from the values in the catalogue's order.
func (reg *Registration) attributes(m *telemetry.Metric, values []string) []attribute.KeyValue {
	// A copy, always: a set is made by sorting in place what it is made of.
	all := slices.Clone(reg.common)
	if !reg.own {
		switch m.Semconv {
		case "messaging.process.duration":
			all = append(all, semconv.MessagingOperationName("process"))
		case "messaging.client.operation.duration":
			all = append(all, semconv.MessagingOperationName("receive"), semconv.MessagingOperationTypeReceive)
		case "messaging.client.consumed.messages":
			all = append(all, semconv.MessagingOperationName("process"))
		}
	}
	for i, value := range values {
		switch name := m.Attributes[i]; {
		case value == "":
		case name == telemetry.Shard:
			all = append(all, semconv.MessagingDestinationPartitionID(value))
		case name == telemetry.ErrorType:
			all = append(all, errorType(value))
		default:
			all = append(all, attribute.String("towpath."+strings.ReplaceAll(name, ".", "_"), value))
		}
	}
	return all
}

// errorType is the class of an error as the conventions want it.
func errorType(class string) attribute.KeyValue {
	if class == "other" {
		return semconv.ErrorTypeOther
	}
	return semconv.ErrorTypeKey.String(class)
}
