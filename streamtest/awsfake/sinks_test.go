package awsfake_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	typesfirehose "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// sinks calls each of the services that only take, once.
func sinks(ctx context.Context, config aws.Config, machineARN string) map[string]error {
	_, events := eventbridge.NewFromConfig(config).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: aws.String("shop"), DetailType: aws.String("order"), Detail: aws.String("{}")},
	}})
	_, function := lambda.NewFromConfig(config).Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("orders"), Payload: []byte("{}")})
	_, machine := sfn.NewFromConfig(config).StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &machineARN})
	_, delivery := firehose.NewFromConfig(config).PutRecord(ctx, &firehose.PutRecordInput{
		DeliveryStreamName: aws.String("orders"), Record: &typesfirehose.Record{Data: []byte("x")},
	})
	return map[string]error{"events PutEvents": events, "lambda Invoke": function, "states StartExecution": machine, "firehose PutRecord": delivery}
}

// TestSinksAreServedInTheProcessAndBySocket: both ways reach the same services,
// calls are counted by service and operation, and a fault is read by every
// client as its service's error.
func TestSinksAreServedInTheProcessAndBySocket(t *testing.T) {
	a := awsfake.New()
	machine := a.StepFunctions().CreateMachine("orders")
	a.Lambda().CreateFunction("orders", nil)
	a.Firehose().CreateStream("orders")
	url, stop, err := a.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for way, config := range map[string]aws.Config{"process": a.Config("worker-1"), "socket": awsfake.LoopbackConfig("worker-1", url)} {
		for call, err := range sinks(t.Context(), config, machine) {
			if err != nil {
				t.Errorf("%s, %s: %v", way, call, err)
			}
		}
	}
	if n := [4]int{len(a.EventBridge().Events("default")), len(a.Lambda().Invocations("orders")), len(a.StepFunctions().Executions(machine)), len(a.Firehose().Records("orders"))}; n != [4]int{2, 2, 2, 2} {
		t.Errorf("the services hold %v, want 2 each", n)
	}
	for _, of := range [][2]string{{"events", "PutEvents"}, {"lambda", "Invoke"}, {"states", "StartExecution"}, {"firehose", "PutRecord"}} {
		if got := a.Count("worker-1", of[0], of[1]); got != 2 {
			t.Errorf("counted %d calls of %v, want 2", got, of)
		}
	}
	defer a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.Fail("AccessDeniedException", 403) })()
	for call, err := range sinks(t.Context(), a.Config("worker-1"), machine) {
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "AccessDeniedException" {
			t.Errorf("%s: got %v, want AccessDeniedException", call, err)
		}
	}
}
