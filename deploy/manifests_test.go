package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// defaultOf is a duration that a source file names as a constant, such as the
// default of a field, which is not exported.
func defaultOf(t *testing.T, path, name string) time.Duration {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(path), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	units := map[string]time.Duration{"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour, "Millisecond": time.Millisecond}
	found := time.Duration(-1)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != name || len(spec.Values) != 1 {
			return true
		}
		switch v := spec.Values[0].(type) {
		case *ast.SelectorExpr:
			found = units[v.Sel.Name]
		case *ast.BinaryExpr:
			n, err := strconv.Atoi(v.X.(*ast.BasicLit).Value)
			if err != nil || v.Op != token.MUL {
				t.Fatalf("%s in %s is not a number times a unit", name, path)
			}
			found = time.Duration(n) * units[v.Y.(*ast.SelectorExpr).Sel.Name]
		}
		return false
	})
	if found <= 0 {
		t.Fatalf("%s has no constant %s", path, name)
	}
	return found
}

// readJSON reads a file into v.
func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// at is what stands at a path in v, such as spec.template; a number is an index.
func at(t *testing.T, v any, path string) any {
	t.Helper()
	for step := range strings.SplitSeq(path, ".") {
		switch inner := v.(type) {
		case map[string]any:
			v = inner[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(inner) {
				t.Fatalf("%s: no %s", path, step)
			}
			v = inner[i]
		default:
			t.Fatalf("%s: nothing at %s", path, step)
		}
	}
	return v
}

type taskDefinition struct {
	ContainerDefinitions []struct {
		StopTimeout            int
		ReadonlyRootFilesystem bool
		User                   string
		Environment            []struct{ Name, Value string }
		LinuxParameters        struct{ InitProcessEnabled bool }
		HealthCheck            struct{ Command []string }
	}
}

// A worker that is stopped drains for DrainTimeout, writes its last position and
// hands its shards over, each of which may take as long as one call to DynamoDB
// is waited for. Whoever stops it waits longer.
func TestWhoeverStopsAWorkerWaitsForItsDrain(t *testing.T) {
	drain := defaultOf(t, "../consumer/config.go", "defaultDrainTimeout")
	const call = 5 * time.Second // dynamocheckpoint.Options.Timeout
	least := drain + 2*call

	var task taskDefinition
	readJSON(t, "ecs/task-definition.json", &task)
	stop := time.Duration(task.ContainerDefinitions[0].StopTimeout) * time.Second
	// Fargate takes no more than 120 s, which is the notice of Spot, too.
	if stop < least || stop > 2*time.Minute {
		t.Errorf("ECS waits for %s, want from %s to 2m0s", stop, least)
	}
	grace := at(t, readYAML(t, "kubernetes/deployment.yaml"), "spec.template.spec.terminationGracePeriodSeconds").(int64)
	if wait := time.Duration(grace) * time.Second; wait < least {
		t.Errorf("Kubernetes waits for %s, want at least %s", wait, least)
	}
	// A rollout waits until the new worker may be given shards.
	lease := defaultOf(t, "../consumer/config.go", "defaultLeaseDuration")
	ready := at(t, readYAML(t, "kubernetes/deployment.yaml"), "spec.minReadySeconds").(int64)
	if wait := time.Duration(ready) * time.Second; wait < lease {
		t.Errorf("a rollout waits for %s, and shards go to a worker after %s", wait, lease)
	}
}

// The scalers go down as slowly as autoscale.Scaler does.
func TestScalersSettleLikeTheScaler(t *testing.T) {
	settle := defaultOf(t, "../autoscale/scaler.go", "defaultSettle")
	down := at(t, readYAML(t, "kubernetes/scaledobject.yaml"), "spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.stabilizationWindowSeconds").(int64)
	var policy map[string]any
	readJSON(t, "ecs/scaling-policy.json", &policy)
	cooldown := at(t, policy, "TargetTrackingScalingPolicyConfiguration.ScaleInCooldown").(float64)
	if time.Duration(down)*time.Second != settle || time.Duration(cooldown)*time.Second != settle {
		t.Errorf("KEDA settles for %ds, ECS for %vs, want %s", down, cooldown, settle)
	}
	// As a share of its shards' need, one worker a worker.
	if target := at(t, policy, "TargetTrackingScalingPolicyConfiguration.TargetValue"); target != 1.0 {
		t.Errorf("ECS tracks %v, want 1", target)
	}
}

// Nothing runs as root, or writes beside memory.
func TestContainersHaveNoRightsTheyDoNotNeed(t *testing.T) {
	var task taskDefinition
	readJSON(t, "ecs/task-definition.json", &task)
	c := task.ContainerDefinitions[0]
	if !c.ReadonlyRootFilesystem || !c.LinuxParameters.InitProcessEnabled || strings.HasPrefix(c.User, "0") || c.User == "" {
		t.Errorf("ECS: %+v", c)
	}
	pod := at(t, readYAML(t, "kubernetes/deployment.yaml"), "spec.template.spec")
	for path, want := range map[string]any{
		"securityContext.runAsNonRoot":                          true,
		"securityContext.seccompProfile.type":                   "RuntimeDefault",
		"automountServiceAccountToken":                          false,
		"containers.0.securityContext.readOnlyRootFilesystem":   true,
		"containers.0.securityContext.allowPrivilegeEscalation": false,
		"containers.0.securityContext.capabilities.drop.0":      "ALL",
	} {
		if got := at(t, pod, path); got != want {
			t.Errorf("Kubernetes: %s is %v, want %v", path, got, want)
		}
	}
	user := fmt.Sprint(at(t, pod, "securityContext.runAsUser"))
	for path := range strings.FieldsSeq("docker/service.Dockerfile docker/towpath.Dockerfile") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "USER "+user+":"+user) || c.User != user+":"+user {
			t.Errorf("%s does not run as %s, as the manifests say", path, user)
		}
	}
}

// A worker that hands its environment to telemetry.Options is the one that alarms
// and scaling look for.
func TestWorkersAreNamedAsAlarmsLookForThem(t *testing.T) {
	alarm := openTemplate(t, "cloudformation/alarms.yaml", nil).resources("AWS::CloudWatch::Alarm")["NobodyWorks"]
	want := map[string]any{}
	for _, d := range alarm["Dimensions"].([]any) {
		want[strings.ToUpper(at(t, d, "Name").(string))] = at(t, d, "Value")
	}
	var policy map[string]any
	readJSON(t, "ecs/scaling-policy.json", &policy)
	for _, d := range at(t, policy, "TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics.0.MetricStat.Metric.Dimensions").([]any) {
		if name := strings.ToUpper(at(t, d, "Name").(string)); want[name] != at(t, d, "Value") {
			t.Errorf("ECS scales on %s %v, and alarms look for %v", name, at(t, d, "Value"), want[name])
		}
	}
	var task taskDefinition
	readJSON(t, "ecs/task-definition.json", &task)
	ecs, kubernetes := map[string]any{}, map[string]any{}
	for _, v := range task.ContainerDefinitions[0].Environment {
		ecs[v.Name] = v.Value
	}
	for _, v := range at(t, readYAML(t, "kubernetes/deployment.yaml"), "spec.template.spec.containers.0.env").([]any) {
		kubernetes[at(t, v, "name").(string)] = at(t, v, "value")
	}
	for name, value := range want {
		if ecs[name] != value || kubernetes[name] != value {
			t.Errorf("%s is %v for ECS and %v for Kubernetes, and alarms look for %v", name, ecs[name], kubernetes[name], value)
		}
	}
}

// What belongs to the pods finds them.
func TestSelectorsFindThePods(t *testing.T) {
	deployment := readYAML(t, "kubernetes/deployment.yaml")
	labels := fmt.Sprint(at(t, deployment, "spec.template.metadata.labels"))
	name := at(t, deployment, "metadata.name")
	for file, path := range map[string]string{
		"deployment": "spec.selector.matchLabels", "poddisruptionbudget": "spec.selector.matchLabels",
		"networkpolicy": "spec.podSelector.matchLabels", "podmonitor": "spec.selector.matchLabels",
	} {
		if got := fmt.Sprint(at(t, readYAML(t, "kubernetes/"+file+".yaml"), path)); got != labels {
			t.Errorf("%s selects %s, and the pods have %s", file, got, labels)
		}
	}
	account := at(t, readYAML(t, "kubernetes/serviceaccount.yaml"), "metadata.name")
	if used := at(t, deployment, "spec.template.spec.serviceAccountName"); used != account {
		t.Errorf("the pods run as %v, and the account is %v", used, account)
	}
	if scaled := at(t, readYAML(t, "kubernetes/scaledobject.yaml"), "spec.scaleTargetRef.name"); scaled != name {
		t.Errorf("KEDA scales %v, and the deployment is %v", scaled, name)
	}
	port := at(t, deployment, "spec.template.spec.containers.0.ports.0.name")
	if scraped := at(t, readYAML(t, "kubernetes/podmonitor.yaml"), "spec.podMetricsEndpoints.0.port"); scraped != port {
		t.Errorf("Prometheus asks port %v, and the pods have %v", scraped, port)
	}
	if image := at(t, readYAML(t, "kubernetes/kustomization.yaml"), "images.0.name"); image != at(t, deployment, "spec.template.spec.containers.0.image") {
		t.Errorf("kustomize names the image %v, which the deployment has not", image)
	}
	listed := fmt.Sprint(readYAML(t, "kubernetes/kustomization.yaml")["resources"])
	files, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if base := filepath.Base(file); base != "kustomization.yaml" && !strings.Contains(listed, base) {
			t.Errorf("kustomization.yaml does not list %s", base)
		}
	}
}

// scaledObject are the fields of KEDA 2.20 that are used, see
// https://keda.sh/docs/latest/reference/scaledobject-spec.
type scaledObject struct {
	APIVersion, Kind string
	Metadata         struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		ScaleTargetRef                                    struct{ Name string }
		PollingInterval, MinReplicaCount, MaxReplicaCount int
		Fallback                                          struct {
			FailureThreshold, Replicas int
			Behavior                   string
		}
		Advanced struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior struct{ ScaleUp, ScaleDown scalingRules }
			}
		}
		Triggers []struct {
			Type, Name, MetricType string
			// Metadata are texts, numbers and truth values too.
			Metadata struct{ ServerAddress, Query, Threshold, IgnoreNullValues string }
		}
	}
}

type scalingRules struct {
	StabilizationWindowSeconds int
	Policies                   []struct {
		Type          string
		Value         int
		PeriodSeconds int
	}
}

// KEDA takes what it does not know for nothing at all, so that a misspelt field is
// silence: here it is an error.
func TestScaledObjectHasTheFieldsOfKEDA(t *testing.T) {
	text, err := json.Marshal(readYAML(t, "kubernetes/scaledobject.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var o scaledObject
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		t.Fatal(err)
	}
	s := o.Spec
	if o.APIVersion != "keda.sh/v1alpha1" || o.Kind != "ScaledObject" || s.MinReplicaCount < 2 || s.MaxReplicaCount < s.MinReplicaCount || len(s.Triggers) != 2 {
		t.Errorf("%+v", o)
	}
	if s.Fallback.Behavior != "currentReplicas" {
		t.Errorf("where figures are missing, workers are %q", s.Fallback.Behavior)
	}
	// Bounds of https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/.
	behavior := s.Advanced.HorizontalPodAutoscalerConfig.Behavior
	for _, rules := range []scalingRules{behavior.ScaleUp, behavior.ScaleDown} {
		if rules.StabilizationWindowSeconds > 3600 || len(rules.Policies) != 1 || rules.Policies[0].PeriodSeconds > 1800 ||
			rules.Policies[0].PeriodSeconds < 1 || rules.Policies[0].Value < 1 || rules.Policies[0].Type != "Percent" {
			t.Errorf("%+v", rules)
		}
	}
	for _, trigger := range s.Triggers {
		threshold, err := strconv.ParseFloat(trigger.Metadata.Threshold, 64)
		if trigger.Type != "prometheus" || trigger.MetricType != "AverageValue" || err != nil || threshold <= 0 || trigger.Metadata.ServerAddress == "" {
			t.Errorf("%+v", trigger)
		}
		// Times behind are compared, never added up.
		if lag := strings.Contains(trigger.Metadata.Query, "age_seconds"); lag && (strings.Contains(trigger.Metadata.Query, "sum(") || !strings.Contains(trigger.Metadata.Query, "max(")) {
			t.Errorf("%s adds times up: %s", trigger.Name, trigger.Metadata.Query)
		}
	}
}

// The checks of a container ask where package health is said to answer, and
// "towpath health" asks there by itself.
func TestHealthIsAskedWhereItAnswers(t *testing.T) {
	const livez = "http://127.0.0.1:8080/livez"
	var task taskDefinition
	readJSON(t, "ecs/task-definition.json", &task)
	if got := strings.Join(task.ContainerDefinitions[0].HealthCheck.Command, " "); got != "CMD /towpath health "+livez {
		t.Errorf("ECS runs %q", got)
	}
	for file, want := range map[string]string{
		"docker/service.Dockerfile": `CMD ["/towpath", "health", "` + livez + `"]`,
		"../cmd/towpath/health.go":  `const livez = "` + livez + `"`,
		"../health/doc.go":          `mux.Handle("/livez", health.Live(`,
	} {
		if text, err := os.ReadFile(filepath.FromSlash(file)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has not %s: %v", file, want, err)
		}
	}
	container := at(t, readYAML(t, "kubernetes/deployment.yaml"), "spec.template.spec.containers.0")
	for probe, path := range map[string]string{"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"} {
		if got := at(t, container, probe+".httpGet.path"); got != path {
			t.Errorf("%s asks %v, want %s", probe, got, path)
		}
	}
	if port := at(t, container, "ports.0.containerPort"); port != int64(8080) {
		t.Errorf("the port is %v", port)
	}
}

// The Go code of docs/deploying.md stands, line for line, in the example.
func TestGoCodeOfTheGuideIsTheExample(t *testing.T) {
	trimmed := func(text string) (lines string) {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				lines += line + "\n"
			}
		}
		return lines
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(guide), "```go\n")[1:]
	for _, block := range blocks {
		code, _, _ := strings.Cut(block, "```")
		if !strings.Contains(trimmed(string(example)), trimmed(code)) {
			t.Errorf("the example has not\n%s", code)
		}
	}
	if len(blocks) == 0 {
		t.Error("the guide shows no code")
	}
}

// The images of ko and of the Dockerfiles are alike: the same base, static, without
// paths of the machine that builds.
func TestImagesAreAlike(t *testing.T) {
	ko := readYAML(t, "../.ko.yaml")
	base := ko["defaultBaseImage"].(string)
	if !strings.HasPrefix(base, "gcr.io/distroless/static") || !strings.HasSuffix(base, ":nonroot") {
		t.Errorf("ko begins with %s", base)
	}
	build := at(t, ko, "builds.0")
	said := fmt.Sprint(at(t, build, "env"), at(t, build, "flags"), at(t, build, "ldflags"))
	if said != "[CGO_ENABLED=0 GOWORK=off] [-trimpath -buildvcs=false] [-s -w]" {
		t.Errorf("ko builds with %s", said)
	}
	if _, err := os.Stat("../" + at(t, build, "main").(string) + "/main.go"); err != nil {
		t.Error(err)
	}
	for _, file := range []string{"docker/service.Dockerfile", "docker/towpath.Dockerfile"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"FROM " + base + "\n", "CGO_ENABLED=0", "-trimpath -buildvcs=false", `-ldflags="-s -w"`, "ARG SOURCE_DATE_EPOCH"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has not %q", file, want)
			}
		}
	}
}
