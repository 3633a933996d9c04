package telemetry

import "slices"

// Kind is what sort of figure a metric is.
type Kind int

const (
	// Counter only grows, from the start of the process.
	Counter Kind = iota
	// Gauge is what is the case at the moment of reading.
	Gauge
	// Histogram is a distribution of single values.
	Histogram
)

// String is the word that OpenMetrics uses.
func (k Kind) String() string { return [...]string{"counter", "gauge", "histogram"}[k] }

// Across is how the values of several workers, or of several shards, are put
// together to one.
type Across int

const (
	// Sum: they add up.
	Sum Across = iota
	// Max: the largest counts. Two shards that are each an hour behind are not two
	// hours behind.
	Max
	// Min: the smallest counts.
	Min
)

// String is the name of the statistic in lower case.
func (a Across) String() string { return [...]string{"sum", "max", "min"}[a] }

// Names of attributes. Beside those of its metric every series belongs to the
// recorder's application and stream.
const (
	// Application is Options.Application, on every series.
	Application = "application"
	// Stream is Options.Stream, on every series.
	Stream = "stream"
	// Shard is a shard's id, or OtherShards.
	Shard = "shard"
	// Handler is a handler's name; empty where a consumer has one.
	Handler = "handler"
	// ErrorType is the class of an error, as ClassOf tells it.
	ErrorType = "error.type"
)

// OtherShards is the shard of a series that stands for all those beyond
// Options.Shards.
const OtherShards = "other"

// Units, as UCUM writes them.
const (
	seconds = "s"
	bytes   = "By"
	one     = "1"
	records = "{record}"
	calls   = "{call}"
	shards  = "{shard}"
	events  = "{event}"
)

// Metric is one metric of the catalogue.
type Metric struct {
	// Name is its name, such as towpath.read.records. Dots become underscores for
	// Prometheus.
	Name string
	// Kind is what sort of figure it is.
	Kind Kind
	// Unit is the unit of its values as UCUM writes it: s, By, 1, or what is
	// counted in braces.
	Unit string
	// Meaning says in one sentence what it is.
	Meaning string
	// Across is how values of several workers are put together.
	Across Across
	// Attributes are the names of what its series differ in, in the order of
	// Point.Values; none if there is one series.
	Attributes []string
	// Allowed are the values of the last of Attributes where they are a list, and
	// nil where they are names of shards or handlers.
	Allowed []string
	// Bounds are the upper bounds of a histogram's buckets, in Unit, without the
	// last one, which has none.
	Bounds []float64
	// Lambda is the name of the metric that Lambda reports for the same, KCL that
	// of the Kinesis Client Library, and Semconv that of OpenTelemetry's
	// conventions for messaging; empty where there is none.
	Lambda, KCL, Semconv string
	// KCLOperation is the value of the dimension Operation that KCL reports it
	// with.
	KCLOperation string
}

// Catalogue is every metric there is, in the order in which they are read.
func Catalogue() []Metric {
	all := slices.Clone(catalogue[:])
	for i := range all {
		all[i].Attributes = slices.Clone(all[i].Attributes)
		all[i].Allowed = slices.Clone(all[i].Allowed)
		all[i].Bounds = slices.Clone(all[i].Bounds)
	}
	return all
}

// classed reports whether the last attribute has a list of values.
func (m *Metric) classed() bool { return len(m.Allowed) > 0 }

// byHandler reports whether there is a series for each handler.
func (m *Metric) byHandler() bool { return slices.Contains(m.Attributes, Handler) }

// byShard reports whether there is a series for each shard.
func (m *Metric) byShard() bool { return slices.Contains(m.Attributes, Shard) }

// id is a metric's place in the catalogue.
type id int
