// Package eventbridgedestination puts events on a bus of Amazon EventBridge:
// batches that were given up, and records that a handler emits.
//
// The detail of a failure is the envelope of package destination; the stream's ARN
// is the event's resource. The detail of an emitted record is its payload if that
// is a JSON object, so that rules can match what is in it; anything else is a
// destination.Document. Its id is the event's resource.
//
// The entries of one call have less than 1 MiB together: without a Store (see
// destination.Packing) a single record above about 780 KB is described and not
// carried, and an emitted one is refused. Set Options.Store.
//
// EventBridge keeps no order and knows no repeats: a rule's target tells them by
// the id. An event that no rule matches is gone, and so is one for a bus that is
// not there, which the service accepts all the same.
//
// The role needs events:PutEvents on the bus.
package eventbridgedestination

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// API is what is used of *eventbridge.Client.
type API interface {
	PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, opts ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Options change how events are made. The zero value is right.
type Options struct {
	// Packing says what happens to what is too large. MaxBytes is less than 1 MiB
	// (destination.MaxEventBridgeBytes) for all of a call; set it lower where a
	// target takes less.
	destination.Packing
	// Source is the events' source. Default: towpath. Sources that begin with
	// aws. belong to AWS and are refused; at most 256 bytes.
	Source string
	// FailureType is the detail type of a failure. Default: "towpath failure". At
	// most 128 bytes.
	FailureType string
	// RecordType gives the detail type of an emitted record. Default, and where it
	// gives nothing or more than 128 bytes: "towpath record".
	RecordType func(e *batching.Emitted) string
	// Unordered fills every call with 10 emitted records, whatever their keys are.
	// Default: of one key one at a time, so that one that is refused does not come
	// behind the next. The bus keeps no order anyway; for few keys this is up to
	// 10 times faster.
	Unordered bool
	// PutEvents is called with every request before it is sent, for what this
	// package does not set, such as a global endpoint. Default: none.
	PutEvents func(*eventbridge.PutEventsInput)
}

// Bus is an event bus as a destination. It keeps no state but counts, and may be
// used by several goroutines.
type Bus struct {
	counter destination.Counter
	client  API
	name    string
	options Options
	problem error
}

var (
	_ destination.Destination = (*Bus)(nil)
	_ destination.Publisher   = (*Bus)(nil)
	_ destination.Validator   = (*Bus)(nil)
)

const (
	usualSource      = "towpath"
	usualFailureType = "towpath failure"
	usualRecordType  = "towpath record"
	maxTypeBytes     = 128 // characters, by the API's reference
	maxSourceBytes   = 256
	// batchLimit is how many entries one PutEvents has,
	// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html.
	batchLimit = 10
)

// Open names a bus by its name, such as default, or its ARN. It calls nothing.
// What is wrong with its arguments, Validate says, and every Send and Publish.
func Open(client API, bus string, optFns ...func(*Options)) *Bus {
	b := &Bus{client: client, name: bus}
	b.options.MaxBytes = destination.MaxEventBridgeBytes
	b.options.Source, b.options.FailureType = usualSource, usualFailureType
	for _, fn := range optFns {
		fn(&b.options)
	}
	b.problem = b.check()
	return b
}

var busName = regexp.MustCompile(`^[/.\-_A-Za-z0-9]{1,256}$`)

func (b *Bus) check() error {
	var problems []error
	if b.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	name := b.name
	if arn, ok := destination.ParseARN(b.name); ok && arn.Service == "events" {
		name = strings.TrimPrefix(arn.Resource, "event-bus/")
		if name == arn.Resource {
			name = ""
		}
	}
	if !busName.MatchString(name) {
		problems = append(problems, fmt.Errorf("the bus is %q, want its name or its ARN, arn:aws:events:<region>:<account>:event-bus/<name>", b.name))
	}
	if s := b.options.Source; s == "" || len(s) > maxSourceBytes || strings.HasPrefix(s, "aws.") {
		problems = append(problems, fmt.Errorf("Source is %q, want 1 to %d bytes that do not begin with aws.", s, maxSourceBytes))
	}
	if s := b.options.FailureType; s == "" || len(s) > maxTypeBytes {
		problems = append(problems, fmt.Errorf("FailureType is %q, want 1 to %d bytes", s, maxTypeBytes))
	}
	if n := b.options.MaxBytes; n <= 0 || n > destination.MaxEventBridgeBytes {
		problems = append(problems, fmt.Errorf("MaxBytes is %d, want 1 to %d", n, destination.MaxEventBridgeBytes))
	}
	problems = append(problems, b.options.Packing.Validate())
	return errors.Join(problems...)
}

// Validate says what is wrong with the arguments of Open, all at once.
func (b *Bus) Validate() error { return b.problem }

// String is the bus's name or ARN, as it was opened.
func (b *Bus) String() string { return b.name }

// Counts says how many failures and records were accepted, and in which form.
func (b *Bus) Counts() destination.Counts { return b.counter.Counts() }

// Send puts the failure, as one event or several, and returns nil when the bus
// has accepted all of them. An error is a *destination.SendError.
func (b *Bus) Send(ctx context.Context, f destination.Failure) error {
	if b.problem != nil {
		return f.Refusal(b, nil, fmt.Errorf("%w: %w", destination.ErrRefused, b.problem))
	}
	packing := b.options.Packing
	packing.MaxBytes -= len(b.options.Source) + len(b.options.FailureType) + len(f.Stream)
	messages, err := packing.Pack(ctx, f)
	if err != nil {
		return f.Refusal(b, nil, err)
	}
	for i := range messages {
		fates, err := b.put(ctx, []types.PutEventsRequestEntry{b.entry(b.options.FailureType, messages[i].Body, f.Stream)})
		if err == nil {
			err = fates[0]
		}
		if err != nil {
			return f.Refusal(b, hints, fmt.Errorf("message %d of %d: %w", i+1, len(messages), err))
		}
	}
	b.counter.Accepted(messages)
	return nil
}

// Publish puts emitted records, up to 10 in a call, and returns nil when the bus
// has accepted all of them. An error is a *destination.PublishError.
func (b *Bus) Publish(ctx context.Context, records []batching.Emitted) error {
	if b.problem != nil {
		return destination.RefuseAll(b, records, b.problem)
	}
	return destination.Courier{
		Destination: b.name,
		Packing:     b.options.Packing,
		Form:        destination.FormObject,
		Limit:       batchLimit,
		LimitBytes:  destination.MaxEventBridgeBytes,
		Unordered:   b.options.Unordered,
		Extra: func(e *batching.Emitted) int {
			return len(b.options.Source) + len(b.recordType(e)) + len(e.ID)
		},
		Send: func(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
			entries := make([]types.PutEventsRequestEntry, len(parcels))
			for i := range parcels {
				e := parcels[i].Record
				entries[i] = b.entry(b.recordType(e), parcels[i].Body, e.ID)
			}
			return b.put(ctx, entries)
		},
		Isolate: isolate,
		Hints:   hints,
		Counter: &b.counter,
	}.Publish(ctx, records)
}

func (b *Bus) recordType(e *batching.Emitted) string {
	if b.options.RecordType != nil {
		if s := b.options.RecordType(e); s != "" && len(s) <= maxTypeBytes && utf8.ValidString(s) {
			return s
		}
	}
	return usualRecordType
}

func (b *Bus) entry(detailType string, detail []byte, resource string) types.PutEventsRequestEntry {
	e := types.PutEventsRequestEntry{
		EventBusName: &b.name,
		Source:       &b.options.Source,
		DetailType:   &detailType,
		Detail:       aws.String(string(detail)),
	}
	if resource != "" {
		e.Resources = []string{resource}
	}
	return e
}

// put makes one call and tells the fate of each entry.
func (b *Bus) put(ctx context.Context, entries []types.PutEventsRequestEntry) ([]error, error) {
	in := &eventbridge.PutEventsInput{Entries: entries}
	if b.options.PutEvents != nil {
		b.options.PutEvents(in)
	}
	out, err := b.client.PutEvents(ctx, in)
	if err != nil {
		return nil, err
	}
	if len(out.Entries) != len(entries) {
		return nil, fmt.Errorf("the bus told the fate of %d events, want %d", len(out.Entries), len(entries))
	}
	fates := make([]error, len(entries))
	for i, e := range out.Entries {
		if e.EventId == nil || e.ErrorCode != nil {
			fates[i] = &destination.EntryError{Code: aws.ToString(e.ErrorCode), Message: aws.ToString(e.ErrorMessage)}
		}
	}
	return fates, nil
}

// isolate reports whether one event can be why a whole call was refused.
func isolate(err error) bool {
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && (coded.ErrorCode() == "ValidationException" || coded.ErrorCode() == "RequestEntityTooLargeException")
}

const (
	denied = "access denied, the role needs events:PutEvents on the bus (the bus's policy may forbid it, or the source or detail type)"
	shape  = "the event is not as the service takes it (source, detail type, size)"
)

// hints are by the codes of
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html.
var hints = map[string]string{
	"AccessDeniedException":               denied,
	"NotAuthorizedForSourceException":     denied,
	"NotAuthorizedForDetailTypeException": denied,
	"ResourceNotFoundException":           "there is no such bus in this account and region",
	"InvalidAccountIdException":           "the bus's ARN names an account that is none",
	"ValidationException":                 shape,
	"InvalidArgument":                     shape,
	"MalformedDetail":                     shape,
}
