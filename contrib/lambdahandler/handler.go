package lambdahandler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// Options are what can be changed about a Handler. The zero value of each field
// is the default.
type Options struct {
	// FunctionName stands in the event's invokeIdentityArn and in the context's
	// InvokedFunctionArn. Default "function".
	FunctionName string
	// FunctionARN is what the context's InvokedFunctionArn says. Default: an ARN
	// of the form arn:towpath:consumer:REGION:ACCOUNT:NAME.
	FunctionARN string
	// Timeout is the deadline of a call's context, which every Lambda function
	// has. Default 15 minutes, the longest that Lambda grants. A call that
	// ignores it goes on; Config.HandlerTimeout ends its lane's patience.
	Timeout time.Duration
	// IgnoreAnswer counts every answer without an error as success, as a mapping
	// without ReportBatchItemFailures does. An answer in a time window is read
	// nevertheless, for its state.
	IgnoreAnswer bool
}

// Handler runs a Lambda function for each batch. It is a consumer.Handler.
type Handler struct {
	function lambda.Handler
	options  Options
}

// New makes a Handler of a lambda.Handler, or of a function of one of the forms
// that lambda.Start takes. Anything else is an error.
func New(function any, options ...func(*Options)) (*Handler, error) {
	o := Options{FunctionName: "function", Timeout: 15 * time.Minute}
	for _, set := range options {
		set(&o)
	}
	if o.Timeout <= 0 {
		return nil, fmt.Errorf("lambda handler: Timeout is %v, want more than 0", o.Timeout)
	}
	if h, ok := function.(lambda.Handler); ok {
		return &Handler{function: h, options: o}, nil
	}
	if err := checkFunction(reflect.TypeOf(function)); err != nil {
		return nil, fmt.Errorf("lambda handler: %w", err)
	}
	if reflect.ValueOf(function).IsNil() {
		return nil, fmt.Errorf("lambda handler: the function is nil, a %T", function)
	}
	return &Handler{function: lambda.NewHandler(function), options: o}, nil
}

// checkFunction says what lambda.NewHandler would say at the first call.
func checkFunction(t reflect.Type) error {
	if t == nil || t.Kind() != reflect.Func {
		return fmt.Errorf("%v is no function and no lambda.Handler", t)
	}
	isError := func(t reflect.Type) bool { return t.Implements(reflect.TypeFor[error]()) }
	isContext := t.NumIn() > 0 && reflect.TypeFor[context.Context]().AssignableTo(t.In(0)) && t.In(0).Kind() == reflect.Interface && t.In(0).NumMethod() > 0
	switch {
	case t.IsVariadic():
		return fmt.Errorf("%v takes any number of arguments, want at most a context and an event", t)
	case t.NumIn() > 2:
		return fmt.Errorf("%v takes %d arguments, want at most a context and an event", t, t.NumIn())
	case t.NumIn() == 2 && !isContext:
		return fmt.Errorf("%v takes two arguments of which the first is no context", t)
	case t.NumOut() > 2:
		return fmt.Errorf("%v returns %d values, want at most an answer and an error", t, t.NumOut())
	case t.NumOut() > 0 && !isError(t.Out(t.NumOut()-1)):
		return fmt.Errorf("%v returns no error as its last value", t)
	}
	return nil
}

// Handle calls the function with the batch as Lambda's event.
func (h *Handler) Handle(ctx context.Context, b *batching.Batch) error {
	event, err := h.event(b)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.options.Timeout, fmt.Errorf("the function took longer than %v: %w", h.options.Timeout, context.DeadlineExceeded))
	defer cancel()
	answer, err := h.invoke(h.withContext(ctx, b), event)
	if err != nil {
		return err
	}
	if b.Window != nil {
		if err := keepState(b.Window, answer); err != nil {
			return err
		}
	}
	if h.options.IgnoreAnswer {
		return nil
	}
	return read(b, answer)
}

// withContext adds what lambdacontext.FromContext gives.
func (h *Handler) withContext(ctx context.Context, b *batching.Batch) context.Context {
	f := h.failure(b)
	id := f.RequestID()
	arn := h.options.FunctionARN
	if arn == "" {
		arn = f.FunctionARN()
	}
	return lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: id, InvokedFunctionArn: arn})
}

// failure is the batch in the type that knows how to write events.
func (h *Handler) failure(b *batching.Batch) *destination.Failure {
	return &destination.Failure{Application: h.options.FunctionName, Stream: b.Stream, Shard: shard.PlainID(b.Shard), Records: b.Records}
}

// invoke calls the function; a panic is an error with its stack.
func (h *Handler) invoke(ctx context.Context, event []byte) (answer []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &batching.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h.function.Invoke(ctx, event)
}

// event is the JSON that Lambda sends.
func (h *Handler) event(b *batching.Batch) ([]byte, error) {
	event := h.failure(b).LambdaEvent()
	if b.Window == nil {
		return event, nil
	}
	state := json.RawMessage(b.Window.State)
	if len(state) == 0 {
		state = json.RawMessage("{}")
	}
	window, err := json.Marshal(timeWindow{
		Window: bounds{b.Window.Start.UTC(), b.Window.End.UTC()}, State: state,
		ShardID: shard.PlainID(b.Shard), EventSourceARN: b.Stream, Final: b.Window.Final, Early: b.Window.Early,
	})
	if err != nil {
		return nil, fmt.Errorf("write the time window of %s: %w", b.Shard, err)
	}
	// Both are objects: the members of the second go behind those of the first.
	event[len(event)-1] = ','
	return append(event, window[1:]...), nil
}

// timeWindow is what an event with a time window has beside its records, see
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html.
type timeWindow struct {
	Window         bounds          `json:"window"`
	State          json.RawMessage `json:"state"`
	ShardID        string          `json:"shardId"`
	EventSourceARN string          `json:"eventSourceARN"`
	Final          bool            `json:"isFinalInvokeForWindow"`
	Early          bool            `json:"isWindowTerminatedEarly"`
}

type bounds struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// errNoState is what Lambda says of an answer in a time window that lacks it.
var errNoState = errors.New("the answer has no state, which must be an object")

// keepState takes the state that an answer carries on to the next call. What a
// final call leaves is not kept, so that it may leave it out.
func keepState(w *batching.Window, answer []byte) error {
	var a struct {
		State json.RawMessage `json:"state"`
	}
	err := json.Unmarshal(answer, &a)
	if err != nil || len(a.State) == 0 || a.State[0] != '{' {
		if w.Final {
			w.State = nil
			return nil
		}
		return errNoState
	}
	w.State = a.State
	return nil
}
