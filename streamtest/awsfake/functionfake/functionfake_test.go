package functionfake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/functionfake"
)

func invoke(t *testing.T, a *awsfake.AWS, name string, kind types.InvocationType, payload string) (*lambda.InvokeOutput, error) {
	return lambda.NewFromConfig(a.Config("tester")).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, InvocationType: kind, Payload: []byte(payload)})
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestFunctionsAnswerAndFail(t *testing.T) {
	a := awsfake.New()
	arn := a.Lambda().CreateFunction("orders", func(payload []byte) ([]byte, error) {
		if string(payload) == `"bad"` {
			return nil, errors.New("no")
		}
		return append([]byte("1"), payload...), nil
	})
	for _, name := range []string{"orders", arn, "000000000000:function:orders", arn + ":live"} {
		out, err := invoke(t, a, name, types.InvocationTypeRequestResponse, "2")
		if err != nil || string(out.Payload) != "12" || out.FunctionError != nil || out.StatusCode != 200 {
			t.Errorf("%s: got %+v, %v", name, out, err)
		}
	}
	out, err := invoke(t, a, "orders", types.InvocationTypeRequestResponse, `"bad"`)
	if err != nil || aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), `"errorMessage":"no"`) {
		t.Errorf("failed: got %+v, %v", out, err)
	}
	out, err = invoke(t, a, "orders", types.InvocationTypeEvent, `"bad"`)
	if err != nil || out.StatusCode != 202 || out.FunctionError != nil || len(out.Payload) != 0 {
		t.Errorf("not waited for: got %+v, %v", out, err)
	}
	if out, err := invoke(t, a, "orders", types.InvocationTypeDryRun, "1"); err != nil || out.StatusCode != 204 {
		t.Errorf("only checked: got %+v, %v", out, err)
	}
	calls := a.Lambda().Invocations("orders")
	if len(calls) != 6 || calls[3].Qualifier != "live" || calls[4].Err == nil || !calls[5].Event {
		t.Errorf("the function was called %+v", calls)
	}
}

func TestInvokeKeepsItsLimits(t *testing.T) {
	a := awsfake.New()
	a.Lambda().CreateFunction("orders", nil)
	of := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	for kind, most := range map[types.InvocationType]int{types.InvocationTypeEvent: 1 << 20, types.InvocationTypeRequestResponse: 6<<20 - 1} {
		if _, err := invoke(t, a, "orders", kind, of(most)); err != nil {
			t.Errorf("%s of %d bytes: %v", kind, most, err)
		}
		_, err := invoke(t, a, "orders", kind, of(most+1))
		refused(t, fmt.Sprint(kind, " of one byte more"), err, "RequestEntityTooLargeException")
	}
	_, err := invoke(t, a, "orders", types.InvocationTypeEvent, "{")
	refused(t, "no JSON", err, "InvalidRequestContentException")
	_, err = invoke(t, a, "none", types.InvocationTypeEvent, "{}")
	refused(t, "no such function", err, "ResourceNotFoundException")
	_, err = invoke(t, a, "orders", "Other", "{}")
	refused(t, "an unknown kind", err, "InvalidParameterValueException")
	_, err = lambda.NewFromConfig(a.Config("tester")).ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	refused(t, "what is not here", err, "UnknownOperationException")
	if a.Lambda().Invocations("none") != nil || len(a.Lambda().Invocations("orders")) != 2 {
		t.Error("what was refused was called")
	}
}

func TestPayloadMayBeEmpty(t *testing.T) {
	a := awsfake.New()
	a.Lambda().CreateFunction("orders", nil)
	out, err := invoke(t, a, "orders", "", "")
	if err != nil || string(out.Payload) != "null" || string(a.Lambda().Invocations("orders")[0].Payload) != "{}" {
		t.Errorf("got %+v, %v", out, err)
	}
}

func ExampleService_CreateFunction() {
	fake := awsfake.New()
	greet := functionfake.Function(func(payload []byte) ([]byte, error) {
		fmt.Println("called with", string(payload))
		return []byte(`"hello"`), nil
	})
	fake.Lambda().CreateFunction("greet", greet)
	out, err := lambda.NewFromConfig(fake.Config("worker-1")).Invoke(context.Background(), &lambda.InvokeInput{
		FunctionName: aws.String("greet"), Payload: []byte(`{"name":"alice"}`),
	})
	fmt.Println(string(out.Payload), err)
	// Output:
	// called with {"name":"alice"}
	// "hello" <nil>
}
