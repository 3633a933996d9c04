package eventbridgedestination_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	typesqs "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/eventbridgedestination"
	"github.com/towpath/towpath/internal/queuetest"
	"github.com/towpath/towpath/internal/servertest"
)

// event is what a rule sends to its target.
type event struct {
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// wireBus makes a bus with a rule that sends everything to a queue, and reads the
// queue.
func wireBus(t *testing.T) (*eventbridgedestination.Bus, func(*testing.T) []event) {
	config := servertest.Config(t, "aws")
	events, queues := eventbridge.NewFromConfig(config), sqs.NewFromConfig(config)
	name := fmt.Sprintf("orders-%d", time.Now().UnixNano())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	bus, err := events.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: &name})
	must(err)
	queue, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	must(err)
	attributes, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: queue.QueueUrl, AttributeNames: []typesqs.QueueAttributeName{"QueueArn"},
	})
	must(err)
	_, err = events.PutRule(t.Context(), &eventbridge.PutRuleInput{
		Name: &name, EventBusName: &name, EventPattern: aws.String(`{"source":["towpath"]}`), State: types.RuleStateEnabled,
	})
	must(err)
	_, err = events.PutTargets(t.Context(), &eventbridge.PutTargetsInput{
		Rule: &name, EventBusName: &name,
		Targets: []types.Target{{Id: aws.String("queue"), Arn: aws.String(attributes.Attributes["QueueArn"])}},
	})
	must(err)
	t.Cleanup(func() {
		// The test's own context has ended by now.
		_, _ = queues.DeleteQueue(context.WithoutCancel(t.Context()), &sqs.DeleteQueueInput{QueueUrl: queue.QueueUrl})
	})
	var received []event
	return eventbridgedestination.Open(events, *bus.EventBusArn), func(t *testing.T) []event {
		for _, m := range queuetest.Drain(t, queues, *queue.QueueUrl, 1) {
			var e event
			if err := json.Unmarshal(m.Body, &e); err != nil {
				t.Fatal(err)
			}
			received = append(received, e)
		}
		return received
	}
}

// TestBusTakesWhatIsSentOnAServer does not run the suites: a rule's target gets
// the detail written anew, and around it what does not fit into a queue.
func TestBusTakesWhatIsSentOnAServer(t *testing.T) {
	bus, read := wireBus(t)
	f := destinationtest.Sample(3)
	if err := bus.Send(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	got := read(t)
	if len(got) != 1 || got[0].DetailType != "towpath failure" || len(got[0].Resources) != 1 || got[0].Resources[0] != f.Stream {
		t.Fatalf("got %+v, want one failure of %s", got, f.Stream)
	}
	e, err := destination.ParseEnvelope(got[0].Detail)
	if err != nil || len(e.Failure.Records) != 3 || e.ID != f.ID() {
		t.Errorf("read %+v, error %v", e, err)
	}
}

func TestBusTakesWhatIsEmittedOnAServer(t *testing.T) {
	bus, read := wireBus(t)
	records := destinationtest.SampleEmitted(25, 25)
	records[7].Data = []byte("no JSON")
	if err := bus.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range read(t) {
		p := destinationtest.Unwrap(t, destination.FormObject, e.Detail, nil)
		got[strings.Join(e.Resources, " ")] = string(p.Data)
	}
	if len(got) != len(records) {
		t.Errorf("%d events arrived, want %d", len(got), len(records))
	}
	for _, e := range records {
		var a, b any
		if err := json.Unmarshal([]byte(got[e.ID]), &a); err == nil {
			_ = json.Unmarshal(e.Data, &b)
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("%s arrived with %s, want %s", e.ID, got[e.ID], e.Data)
			}
		} else if got[e.ID] != string(e.Data) {
			t.Errorf("%s arrived with %q, want %q", e.ID, got[e.ID], e.Data)
		}
	}
}
