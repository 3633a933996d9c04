package eventbusfake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/eventbusfake"
)

func entry(detail string) types.PutEventsRequestEntry {
	return types.PutEventsRequestEntry{Source: aws.String("shop"), DetailType: aws.String("order"), Detail: &detail}
}

func put(t *testing.T, a *awsfake.AWS, entries ...types.PutEventsRequestEntry) (*eventbridge.PutEventsOutput, error) {
	return eventbridge.NewFromConfig(a.Config("tester")).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: append([]types.PutEventsRequestEntry{}, entries...)})
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestEventsAreKeptAsTheyWerePut(t *testing.T) {
	a := awsfake.New()
	arn := a.EventBridge().CreateBus("orders")
	e := entry(`{"a":1}`)
	e.EventBusName, e.Resources, e.Time = &arn, []string{"r"}, aws.Time(time.Unix(1e9, 0))
	out, err := put(t, a, e, entry(`{}`))
	if err != nil || out.FailedEntryCount != 0 || out.Entries[0].EventId == nil {
		t.Fatalf("got %+v, %v", out, err)
	}
	got := a.EventBridge().Events(arn)
	if len(got) != 1 || got[0].Detail != `{"a":1}` || got[0].Source != "shop" || got[0].DetailType != "order" || got[0].Resources[0] != "r" || got[0].Time.Unix() != 1e9 {
		t.Errorf("the bus holds %+v", got)
	}
	if len(a.EventBridge().Events("default")) != 1 {
		t.Error("an event without a bus is not on the default one")
	}
}

func TestPutEventsKeepsItsLimits(t *testing.T) {
	a := awsfake.New()
	beside := len("shop") + len("order") + len(`{"x":""}`)
	of := func(n int) types.PutEventsRequestEntry {
		return entry(`{"x":"` + strings.Repeat("x", n-beside) + `"}`)
	}
	if _, err := put(t, a, of(1<<20-1)); err != nil {
		t.Errorf("one byte below 1 MiB: %v", err)
	}
	_, err := put(t, a, of(1<<20))
	refused(t, "1 MiB", err, "ValidationException")
	_, err = put(t, a, of(1<<19), of(1<<19))
	refused(t, "twice half of it", err, "ValidationException")
	var eleven []types.PutEventsRequestEntry
	for range 11 {
		eleven = append(eleven, entry(`{}`))
	}
	_, err = put(t, a, eleven...)
	refused(t, "11 entries", err, "ValidationException")
	if _, err := put(t, a, eleven[:10]...); err != nil {
		t.Errorf("10 entries: %v", err)
	}
	_, err = put(t, a)
	refused(t, "no entries", err, "ValidationException")
	_, err = put(t, a, types.PutEventsRequestEntry{})
	refused(t, "an empty entry alone", err, "ValidationException")
}

func TestEntriesFailAlone(t *testing.T) {
	a := awsfake.New()
	long, ours, none, bad := entry(`{}`), entry(`{}`), entry(`{}`), entry(`[]`)
	long.DetailType, ours.Source, none.Source = aws.String(strings.Repeat("x", 129)), aws.String("aws.ec2"), nil
	restore := a.EventBridge().RefuseSome(func(e eventbusfake.Event) bool { return e.Detail == `{"no":1}` })
	out, err := put(t, a, long, ours, none, bad, entry(`{"no":1}`), entry(`{}`))
	restore()
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, e := range out.Entries {
		codes = append(codes, aws.ToString(e.ErrorCode))
	}
	want := []string{"InvalidArgument", "NotAuthorizedForSourceException", "InvalidArgument", "MalformedDetail", "InternalFailure", ""}
	if fmt.Sprint(codes) != fmt.Sprint(want) || out.FailedEntryCount != 5 || len(a.EventBridge().Events("default")) != 1 {
		t.Errorf("got %q with %d failed, want %q with 5", codes, out.FailedEntryCount, want)
	}
}

// TestMissingBusTakesAndDrops: as the real service does.
func TestMissingBusTakesAndDrops(t *testing.T) {
	a := awsfake.New()
	e := entry(`{}`)
	e.EventBusName = aws.String("none")
	if out, err := put(t, a, e); err != nil || out.FailedEntryCount != 0 || a.EventBridge().Events("none") != nil {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestBusesAreMadeOverTheWire(t *testing.T) {
	a := awsfake.New()
	client := eventbridge.NewFromConfig(a.Config("tester"))
	out, err := client.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("orders")})
	if err != nil || *out.EventBusArn != a.EventBridge().CreateBus("orders") {
		t.Errorf("got %+v, %v", out, err)
	}
	_, err = client.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("orders")})
	refused(t, "twice", err, "ResourceAlreadyExistsException")
	_, err = client.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("a b")})
	refused(t, "a bad name", err, "ValidationException")
	_, err = client.ListRules(t.Context(), &eventbridge.ListRulesInput{})
	refused(t, "what is not here", err, "UnknownOperationException")
}

func ExampleService_Events() {
	fake := awsfake.New()
	client := eventbridge.NewFromConfig(fake.Config("worker-1"))
	_, err := client.PutEvents(context.Background(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry(`{"total":12}`)}})
	for _, e := range fake.EventBridge().Events("default") {
		fmt.Println(e.Source, e.DetailType, e.Detail, err)
	}
	// Output: shop order {"total":12} <nil>
}
