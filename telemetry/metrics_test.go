package telemetry_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/telemetry"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

const document = "../docs/metrics.md"

// The table of metrics in the docs is the catalogue, word for word: run go test
// ./telemetry -update after a change, and read the difference.
func TestMetricsDocumentIsTheCatalogue(t *testing.T) {
	want := written()
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the catalogue says: run go test ./telemetry -update, and read the difference", document)
	}
}

// What the texts call a metric is one.
func TestTextsNameMetricsThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, m := range telemetry.Catalogue() {
		known[m.Name] = true
	}
	named := regexp.MustCompile("`(towpath(?:\\.[a-z_]+)+)`")
	for _, file := range []string{"telemetry.md", "operations.md"} {
		text, err := os.ReadFile("../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := named.FindAllStringSubmatch(string(text), -1)
		for _, m := range found {
			if !known[m[1]] {
				t.Errorf("docs/%s names %s, which is no metric", file, m[1])
			}
		}
		if len(found) < 3 {
			t.Errorf("docs/%s names %d metrics", file, len(found))
		}
	}
}

// Every metric has a name like the others, a unit, a sentence, and attributes of
// which the values are known or are names of shards and handlers.
func TestEveryMetricIsBounded(t *testing.T) {
	name := regexp.MustCompile(`^towpath(\.[a-z]+(_[a-z]+)*)+$`)
	units := []string{"s", "By", "1"}
	seen := map[string]bool{}
	for _, m := range telemetry.Catalogue() {
		if !name.MatchString(m.Name) || seen[m.Name] {
			t.Errorf("the name %q is not dotted words, or there is another one", m.Name)
		}
		seen[m.Name] = true
		if !slices.Contains(units, m.Unit) && !regexp.MustCompile(`^\{[a-z]+\}$`).MatchString(m.Unit) {
			t.Errorf("%s: the unit is %q", m.Name, m.Unit)
		}
		if !strings.HasSuffix(m.Meaning, ".") {
			t.Errorf("%s: the meaning is no sentence: %q", m.Name, m.Meaning)
		}
		for i, a := range m.Attributes {
			free := a == telemetry.Shard || a == telemetry.Handler
			if last := i == len(m.Attributes)-1; !free && (!last || len(m.Allowed) == 0) {
				t.Errorf("%s: the values of %s are not listed", m.Name, a)
			}
		}
		if len(m.Allowed) > 16 {
			t.Errorf("%s: %d values", m.Name, len(m.Allowed))
		}
		if (m.Kind == telemetry.Histogram) != (len(m.Bounds) > 0) || !slices.IsSorted(m.Bounds) {
			t.Errorf("%s: a %s with the bounds %v", m.Name, m.Kind, m.Bounds)
		}
		if (m.KCL == "") != (m.KCLOperation == "") {
			t.Errorf("%s: KCL has %q with the operation %q", m.Name, m.KCL, m.KCLOperation)
		}
	}
}

// written is docs/metrics.md.
func written() string {
	var b strings.Builder
	b.WriteString(`<!-- written by go test ./telemetry -update; edit telemetry/catalogue.go and telemetry/states.go -->

# Every metric

This is the whole list: each metric that a recorder of package telemetry keeps, with its
unit, what its series differ in, and the name under which Lambda's event source mappings,
the Kinesis Client Library or OpenTelemetry's conventions for messaging report the same.
How to wire it, and which alarms matter, is in [telemetry.md](telemetry.md).

Every series also belongs to an application and a stream. *Across* says how values of
several workers are put together: lag takes the **maximum**, never the sum. Prometheus has
the names with underscores, a unit and, for counters, ` + "`_total`" + `: ` + "`towpath_read_records_total`" + `,
` + "`towpath_handler_duration_seconds`" + `.

Attributes are bounded. The values of ` + "`handler`" + ` are the names of the configured handlers (one
without a name has none); those of ` + "`shard`" + ` are the shards that the worker has, at most
` + "`Options.Shards`" + ` of them, and ` + "`other`" + ` for the rest. Payloads, keys and texts of errors are in
none.

`)
	kinds := []struct {
		title, says string
		has         func(telemetry.Metric) bool
	}{
		{"What happens", "Counters only grow; histograms keep the distribution of single values.", func(m telemetry.Metric) bool {
			return m.Kind != telemetry.Gauge && !slices.Contains(m.Attributes, telemetry.Shard)
		}},
		{"What is the case", "Gauges, read from Consumer.Status when somebody looks.", func(m telemetry.Metric) bool {
			return m.Kind == telemetry.Gauge && !slices.Contains(m.Attributes, telemetry.Shard)
		}},
		{"Of each shard", "Series of a shard that the worker no longer has disappear.", func(m telemetry.Metric) bool {
			return slices.Contains(m.Attributes, telemetry.Shard)
		}},
	}
	for _, k := range kinds {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", k.title, k.says)
		b.WriteString("| metric | kind | unit | across | attributes | meaning | elsewhere |\n|---|---|---|---|---|---|---|\n")
		for _, m := range telemetry.Catalogue() {
			if k.has(m) {
				fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s | %s | %s |\n", m.Name, m.Kind, m.Unit, m.Across, attributes(m), m.Meaning, elsewhere(m))
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("## Values of attributes\n\n| attribute | of | values |\n|---|---|---|\n")
	type list struct{ attribute, values string }
	var order []list
	of := map[list][]string{}
	for _, m := range telemetry.Catalogue() {
		if len(m.Allowed) == 0 {
			continue
		}
		l := list{m.Attributes[len(m.Attributes)-1], "`" + strings.Join(m.Allowed, "` `") + "`"}
		if of[l] == nil {
			order = append(order, l)
		}
		of[l] = append(of[l], "`"+m.Name+"`")
	}
	for _, l := range order {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", l.attribute, strings.Join(of[l], ", "), l.values)
	}
	b.WriteString(`
## Names that have no metric here

- Lambda's ` + "`DeletedEventCount`" + ` is of queues alone; ` + "`Throttles`" + ` and ` + "`ConcurrentExecutions`" + ` are of the
  function: see ` + "`towpath.concurrency.limit`" + ` and ` + "`towpath.handler.running`" + `.
- KCL's ` + "`ExpiredLeases`" + `, ` + "`NeededLeases`" + ` and their like describe how KCL shares leases out, which
  happens in another way here; ` + "`LostLeases`" + ` is ` + "`towpath.shards.left`" + ` with the reason ` + "`lease_lost`" + `, and is
  in the lines of EMF.
`)
	return b.String()
}

func attributes(m telemetry.Metric) string {
	if len(m.Attributes) == 0 {
		return "–"
	}
	return "`" + strings.Join(m.Attributes, "` `") + "`"
}

func elsewhere(m telemetry.Metric) string {
	var names []string
	for _, n := range []struct{ who, name string }{{"Lambda", m.Lambda}, {"KCL", m.KCL}, {"OTel", m.Semconv}} {
		if n.name != "" {
			names = append(names, n.who+" `"+n.name+"`")
		}
	}
	if len(names) == 0 {
		return "–"
	}
	return strings.Join(names, "; ")
}
