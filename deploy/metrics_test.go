package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/telemetry"
)

// catalogued are the metrics of the library, by name.
func catalogued() map[string]telemetry.Metric {
	all := map[string]telemetry.Metric{}
	for _, m := range telemetry.Catalogue() {
		all[m.Name] = m
	}
	return all
}

// fits says what is wrong with a statistic of a metric that telemetry.EMF writes:
// times behind are never added up, and of counters only the sum means something.
func fits(name, statistic string) error {
	m, ok := catalogued()[name]
	switch {
	case !ok:
		return fmt.Errorf("%s is not in the catalogue", name)
	case m.Kind == telemetry.Counter && statistic != "Sum":
		return fmt.Errorf("%s is a counter, and its %s means nothing", name, statistic)
	case m.Kind == telemetry.Gauge && m.Across == telemetry.Max && statistic != "Maximum":
		return fmt.Errorf("the %s of %s, of which the largest counts", statistic, name)
	case m.Kind == telemetry.Histogram && statistic == "Sum":
		return fmt.Errorf("the sum of %s, which is a distribution", name)
	}
	return nil
}

// Each alarm is on a metric that there is, with the statistic that tells it, and
// tells somebody.
func TestAlarmsAreOnMetricsThatThereAre(t *testing.T) {
	alarms := openTemplate(t, "cloudformation/alarms.yaml", nil).resources("AWS::CloudWatch::Alarm")
	elsewhere := map[string]bool{
		"AWS/SQS ApproximateAgeOfOldestMessage": true, "AWS/Kinesis ReadProvisionedThroughputExceeded": true, "AWS/DynamoDB WriteThrottleEvents": true,
		"clickstream LostLeases": true, // of telemetry.EMF, under KCL's name
	}
	watched := map[string]bool{}
	for name, a := range alarms {
		metric := a["MetricName"].(string)
		watched[metric] = true
		if a["Namespace"] != "towpath" {
			if !elsewhere[fmt.Sprint(a["Namespace"], " ", metric)] {
				t.Errorf("%s: %s of %s is not known", name, metric, a["Namespace"])
			}
		} else if err := fits(metric, a["Statistic"].(string)); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := fmt.Sprint(a["Dimensions"]); got != "[map[Name:application Value:clickstream] map[Name:stream Value:clicks]]" {
			t.Errorf("%s: dimensions %s, and telemetry.EMF writes application and stream", name, got)
		}
		if actions, ok := a["AlarmActions"].([]any); !ok || len(actions) != 1 || a["AlarmDescription"] == nil || a["TreatMissingData"] == nil {
			t.Errorf("%s tells nobody, or nothing: %v", name, a)
		}
		// That nothing more was lost in the minute behind a loss is no good news.
		if once := catalogued()[metric].Kind == telemetry.Counter && catalogued()[metric].Name != "" && a["EvaluationPeriods"] == int64(1); once != (a["OKActions"] == nil) {
			t.Errorf("%s goes off on one event: %v, and closes itself: %v", name, once, a["OKActions"] != nil)
		}
	}
	// What an operator is to be told of, whatever else there is.
	for _, metric := range []string{
		"towpath.retention.used.max", "towpath.age.max", "towpath.still.max", "towpath.session.valid", "towpath.read.losses",
		"towpath.given_up.records", "towpath.dropped.records", "towpath.destination.refusals", "ReadProvisionedThroughputExceeded",
	} {
		if !watched[metric] {
			t.Errorf("no alarm watches %s", metric)
		}
	}
	half := alarms["RetentionHalfUsed"]
	if fmt.Sprint(half["Threshold"], half["Statistic"], half["AlarmActions"]) != "0.5Maximum[clickstream-pages]" {
		t.Errorf("at half of the retention somebody is to be woken: %v", half)
	}
	// Where no worker runs, nothing is written, and that is an alarm.
	if alarms["NobodyWorks"]["TreatMissingData"] != "breaching" {
		t.Error("when no worker runs there is no alarm")
	}
}

// Whoever is woken finds the alarm by its name in the guide, which says what to do.
func TestEveryAlarmIsInTheGuide(t *testing.T) {
	guide, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	for name, a := range openTemplate(t, "cloudformation/alarms.yaml", nil).resources("AWS::CloudWatch::Alarm") {
		said := strings.TrimPrefix(a["AlarmName"].(string), "clickstream: ")
		_, behind, ok := strings.Cut(string(guide), "**"+said+"**")
		row, _, _ := strings.Cut(behind, "\n")
		if !ok || !strings.Contains(row, a["MetricName"].(string)) {
			t.Errorf("%s: docs/operations.md has no row **%s** with %s", name, said, a["MetricName"])
		}
		if fmt.Sprint(a["AlarmActions"]) == "[clickstream-pages]" {
			pages++
		}
	}
	if pages != 6 {
		t.Errorf("%d alarms wake somebody, and docs/operations.md says six", pages)
	}
}

// The service is scaled on what its workers need, by how many there are.
func TestServiceIsScaledOnMetricsThatThereAre(t *testing.T) {
	var policy map[string]any
	readJSON(t, "ecs/scaling-policy.json", &policy)
	metrics := at(t, policy, "TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics").([]any)
	var names []string
	for i, m := range metrics {
		if m := m.(map[string]any); m["Expression"] != nil {
			if m["Expression"] != "needed / there" || m["ReturnData"] != true {
				t.Errorf("scaled on %v", m)
			}
			continue
		}
		name := at(t, metrics[i], "MetricStat.Metric.MetricName").(string)
		if err := fits(name, at(t, metrics[i], "MetricStat.Stat").(string)); err != nil {
			t.Error(err)
		}
		names = append(names, fmt.Sprint(at(t, metrics[i], "Id"), " ", name, " ", at(t, metrics[i], "MetricStat.Metric.Namespace")))
	}
	if got := strings.Join(names, ", "); got != "needed towpath.workers.needed towpath, there towpath.session.valid towpath" {
		t.Errorf("scaled on %s", got)
	}
}

// Each graph of CloudWatch's dashboard shows metrics that there are, and widgets do
// not lie on one another.
func TestCloudWatchDashboardShowsMetricsThatThereAre(t *testing.T) {
	var body struct {
		Widgets []struct {
			Type                string
			X, Y, Width, Height int
			Properties          struct {
				Title   string
				Metrics [][]any
			}
		}
	}
	readJSON(t, "dashboards/cloudwatch.json", &body)
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
	if n := len(body.Widgets); n < 10 || n > 500 {
		t.Errorf("%d widgets", n)
	}
	taken := map[[2]int]string{}
	for _, w := range body.Widgets {
		if w.X+w.Width > 24 {
			t.Errorf("%q is wider than the page", w.Properties.Title)
		}
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%q lies on %q", w.Properties.Title, other)
				}
				taken[[2]int{x, y}] = w.Properties.Title
			}
		}
		for _, m := range w.Properties.Metrics {
			settings, ok := m[len(m)-1].(map[string]any)
			if !ok || settings["stat"] == nil || settings["label"] == nil {
				t.Errorf("%q: %v has no statistic or no label", w.Properties.Title, m)
				continue
			}
			if m[0] != "towpath" {
				continue
			}
			if err := fits(m[1].(string), settings["stat"].(string)); err != nil {
				t.Errorf("%q: %v", w.Properties.Title, err)
			}
			if got := fmt.Sprint(m[2 : len(m)-1]); got != "[application clickstream stream clicks]" {
				t.Errorf("%q: dimensions %s", w.Properties.Title, got)
			}
		}
	}
}

// prometheusName is the name that contrib/prometheus gives a metric.
func prometheusName(m telemetry.Metric) string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	unit := map[string]string{"s": "_seconds", "By": "_bytes"}[m.Unit]
	if !strings.HasSuffix(name, unit) {
		name += unit
	}
	if m.Kind == telemetry.Counter {
		name += "_total"
	}
	return name
}

var (
	inPrometheus = regexp.MustCompile(`\btowpath_[a-z_]+`)
	selected     = regexp.MustCompile(`\{([^{}]*)\}`)
	grouped      = regexp.MustCompile(`by \(([a-z_, ]*)\)`)
)

// checkQuery says what is wrong with a query of Prometheus.
func checkQuery(t *testing.T, where, query string) {
	t.Helper()
	known := map[string]telemetry.Metric{}
	for _, m := range telemetry.Catalogue() {
		name := prometheusName(m)
		if m.Kind == telemetry.Histogram {
			known[name+"_bucket"], known[name+"_sum"], known[name+"_count"] = m, m, m
			continue
		}
		known[name] = m
	}
	names := inPrometheus.FindAllStringIndex(query, -1)
	if len(names) == 0 {
		t.Errorf("%s: %s names no metric", where, query)
	}
	labels := []string{"le", "instance", "application", "stream"}
	for _, span := range names {
		name := query[span[0]:span[1]]
		m, ok := known[name]
		if !ok {
			t.Errorf("%s: %s is not in the catalogue", where, name)
			continue
		}
		for _, attribute := range m.Attributes {
			labels = append(labels, strings.ReplaceAll(attribute, ".", "_"))
		}
		before := query[:span[0]]
		if m.Across == telemetry.Max && (strings.HasSuffix(before, "sum(") || strings.HasSuffix(before, "avg(")) {
			t.Errorf("%s: %s adds up what the largest counts of", where, query)
		}
		if counts := m.Kind == telemetry.Counter || m.Kind == telemetry.Histogram; counts && !strings.HasSuffix(before, "rate(") && !strings.HasSuffix(before, "increase(") {
			t.Errorf("%s: %s shows a counter as it is", where, query)
		}
	}
	for _, m := range grouped.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(labels, label) {
				t.Errorf("%s: %s has no label %s", where, query, label)
			}
		}
	}
	for _, m := range selected.FindAllStringSubmatch(query, -1) {
		if !strings.HasPrefix(m[1], `application="`) {
			t.Errorf("%s: %s is of every application there is", where, query)
		}
	}
	if strings.Count(query, "(") != strings.Count(query, ")") {
		t.Errorf("%s: the brackets of %s", where, query)
	}
}

func TestKEDAAsksForMetricsThatThereAre(t *testing.T) {
	triggers := at(t, readYAML(t, "kubernetes/scaledobject.yaml"), "spec.triggers").([]any)
	for i := range triggers {
		checkQuery(t, fmt.Sprint("trigger ", i), at(t, triggers[i], "metadata.query").(string))
	}
}

func TestGrafanaDashboardShowsMetricsThatThereAre(t *testing.T) {
	text, err := os.ReadFile("dashboards/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title, UID string
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Datasource  struct{ UID string }
			Targets     []struct{ RefID, Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	ids, taken, queries := map[int]bool{}, map[[2]int]string{}, 0
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%q has no targets, or a data source of somebody's own", p.Title)
		}
		for _, target := range p.Targets {
			queries++
			checkQuery(t, p.Title, target.Expr)
		}
	}
	if queries < 30 {
		t.Errorf("%d queries were found", queries)
	}
	for _, v := range board.Templating.List {
		if v.Definition != "" && !strings.Contains(v.Definition, "towpath_session_valid") {
			t.Errorf("the variable %s asks for %s", v.Name, v.Definition)
		}
	}
}
