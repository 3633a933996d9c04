package towpath_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/consumer"
)

// mappingFields are the fields of CreateEventSourceMapping that a stream can
// have, and those it can not, see
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html.
// Those of queues, Kafka and DocumentDB alone are left out.
var mappingFields = []string{
	"BatchSize", "BisectBatchOnFunctionError", "DestinationConfig.OnFailure", "DestinationConfig.OnSuccess", "Enabled", "EventSourceArn",
	"FilterCriteria", "FunctionName", "FunctionResponseTypes", "KMSKeyArn", "LoggingConfig", "MaximumBatchingWindowInSeconds", "MaximumRecordAgeInSeconds",
	"MaximumRetryAttempts", "MetricsConfig", "ParallelizationFactor", "ProvisionedPollerConfig", "ScalingConfig", "StartingPosition",
	"StartingPositionTimestamp", "Tags", "TumblingWindowInSeconds",
}

var inCode = regexp.MustCompile("`([^`]+)`")

// cells reads the tables of a page: the words in code of each row's first and
// second cell.
func cells(t *testing.T, page string) (first, second []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	words := func(cell string) (all []string) {
		for _, m := range inCode.FindAllStringSubmatch(cell, -1) {
			all = append(all, m[1])
		}
		return all
	}
	for line := range strings.Lines(string(text)) {
		if parts := strings.Split(line, "|"); len(parts) > 3 {
			first, second = append(first, words(parts[1])...), append(second, words(parts[2])...)
		}
	}
	return first, second
}

// Whoever moves from Lambda finds every field of either side in docs/lambda.md,
// and no field that there is not.
func TestEveryFieldHasItsCounterpartOfLambda(t *testing.T) {
	first, second := cells(t, "docs/lambda.md")
	for _, field := range mappingFields {
		if !slices.Contains(first, field) {
			t.Errorf("docs/lambda.md does not name %s of the event source mapping", field)
		}
	}
	named := append(slices.Clone(first), second...)
	own := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[consumer.Config]()) {
		if !field.IsExported() {
			continue
		}
		own[field.Name] = true
		if !slices.Contains(named, field.Name) {
			t.Errorf("docs/lambda.md does not name Config.%s", field.Name)
		}
	}
	types := map[string]reflect.Type{"Consumer": reflect.TypeFor[*consumer.Consumer](), "Steering": reflect.TypeFor[*consumer.Steering]()}
	for _, name := range second {
		of, method, _ := strings.Cut(name, ".")
		if methods, ok := types[of]; ok {
			if _, ok := methods.MethodByName(method); !ok {
				t.Errorf("docs/lambda.md names %s, which there is not", name)
			}
		} else if method == "" && !own[name] {
			t.Errorf("docs/lambda.md names %s, which is no field of Config", name)
		}
	}
}
