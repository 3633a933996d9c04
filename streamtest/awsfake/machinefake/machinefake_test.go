package machinefake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/machinefake"
)

func start(t *testing.T, a *awsfake.AWS, arn, name, input string) (string, error) {
	out, err := sfn.NewFromConfig(a.Config("tester")).StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: &arn, Name: &name, Input: &input})
	if err != nil {
		return "", err
	}
	return *out.ExecutionArn, nil
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestStartExecutionKeepsItsLimits(t *testing.T) {
	a := awsfake.New()
	arn := a.StepFunctions().CreateMachine("orders")
	of := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	if _, err := start(t, a, arn, "full", of(262_144)); err != nil {
		t.Errorf("256 KiB: %v", err)
	}
	_, err := start(t, a, arn, "more", of(262_145))
	refused(t, "one byte more", err, "ValidationException")
	if _, err := start(t, a, arn, strings.Repeat("n", 80), `{}`); err != nil {
		t.Errorf("a name of 80: %v", err)
	}
	for _, name := range []string{strings.Repeat("n", 81), "a b", "a/b", "a:b", "a\x7f"} {
		_, err := start(t, a, arn, name, `{}`)
		refused(t, name, err, "InvalidName")
	}
	_, err = start(t, a, arn, "x", `{`)
	refused(t, "no JSON", err, "InvalidExecutionInput")
	_, err = start(t, a, arn+"2", "x", `{}`)
	refused(t, "no such machine", err, "StateMachineDoesNotExist")
	_, err = start(t, a, "orders", "x", `{}`)
	refused(t, "no ARN", err, "InvalidArn")
	if got := len(a.StepFunctions().Executions(arn)); got != 2 {
		t.Errorf("%d executions were started, want 2", got)
	}
}

func TestRepeatsAreRecognised(t *testing.T) {
	a := awsfake.New()
	arn := a.StepFunctions().CreateMachine("orders")
	first, err := start(t, a, arn, "one", `{}`)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := start(t, a, arn, "one", `{}`); err != nil || again != first {
		t.Errorf("while it runs: got %s, %v", again, err)
	}
	_, err = start(t, a, arn, "one", `{"other":1}`)
	refused(t, "with another input", err, "ExecutionAlreadyExists")
	a.StepFunctions().End(arn, "one")
	_, err = start(t, a, arn, "one", `{}`)
	refused(t, "when it has ended", err, "ExecutionAlreadyExists")
	told, err := sfn.NewFromConfig(a.Config("tester")).DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &first})
	if err != nil || told.Status != "SUCCEEDED" || *told.Input != "{}" || *told.StateMachineArn != arn {
		t.Errorf("got %+v, %v", told, err)
	}
	express := a.StepFunctions().CreateExpressMachine("quick")
	for range 2 {
		if _, err := start(t, a, express, "one", `{}`); err != nil {
			t.Error(err)
		}
	}
	if got := len(a.StepFunctions().Executions(express)); got != 2 {
		t.Errorf("the express machine started %d, want 2", got)
	}
	out, err := sfn.NewFromConfig(a.Config("tester")).StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: &arn})
	if err != nil || *out.ExecutionArn == first {
		t.Errorf("without a name: got %+v, %v", out, err)
	}
}

func ExampleService_Executions() {
	fake := awsfake.New()
	arn := fake.StepFunctions().CreateMachine("orders")
	_, err := sfn.NewFromConfig(fake.Config("worker-1")).StartExecution(context.Background(), &sfn.StartExecutionInput{
		StateMachineArn: &arn, Name: aws.String("order-1"), Input: aws.String(`{"total":12}`),
	})
	show := func(e machinefake.Execution) { fmt.Println(e.Name, e.Input, e.Ended, err) }
	for _, e := range fake.StepFunctions().Executions(arn) {
		show(e)
	}
	// Output: order-1 {"total":12} false <nil>
}
