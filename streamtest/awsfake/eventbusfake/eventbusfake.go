// Package eventbusfake is EventBridge in memory, as far as a sender of events sees
// it. It speaks the AWS JSON 1.1 protocol of the real service: PutEvents, with
// the number and the total size of entries, what makes one entry fail and what
// makes the call fail, and CreateEventBus.
//
// An event for a bus that is not there is accepted and dropped, as the real
// service does. Time is the function given to [New].
//
// # What is not here
//
// Rules, targets, archives, endpoints and partner sources: what arrived is looked
// at with [Service.Events].
package eventbusfake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// region and account are the only ones; they stand in ARNs.
const (
	region    = "us-east-1"
	account   = "000000000000"
	arnPrefix = "arn:aws:events:" + region + ":" + account + ":event-bus/"
)

// The limits of PutEvents: 10 entries of less than 1 MiB together, detail types
// of 128 characters,
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html.
const (
	maxEntries    = 10
	tooManyBytes  = 1 << 20
	maxDetailType = 128
	timeBytes     = 14 // what a time counts
)

// Service is one account's EventBridge in one region. It is an http.Handler for
// the AWS JSON 1.1 protocol and safe for use by many goroutines. Make one with
// [New].
type Service struct {
	now func() time.Time

	mu     sync.Mutex // guards all below; held for work in memory only
	buses  map[string][]Event
	put    int // the last number given to an event
	refuse func(Event) bool
}

// Event is an event as it was put.
type Event struct {
	ID         string    // given by the service
	Source     string    // as it was put
	DetailType string    // as it was put
	Detail     string    // as it was put, a JSON object
	Resources  []string  // as they were put
	Time       time.Time // as it was put, or the clock of the service
}

// New makes an EventBridge with the bus default, whose clock is now.
func New(now func() time.Time) *Service {
	return &Service{now: now, buses: map[string][]Event{"default": {}}}
}

// CreateBus makes a bus and returns its ARN. One that is there stays as it is.
// The ARN is empty if the name cannot be one.
func (s *Service) CreateBus(name string) (arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !busName.MatchString(name) {
		return ""
	}
	if s.buses[name] == nil {
		s.buses[name] = []Event{}
	}
	return arnPrefix + name
}

// Events is everything a bus ever accepted, in order; nil if there is no such
// bus. The bus is named by its name or its ARN.
func (s *Service) Events(bus string) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.buses[strings.TrimPrefix(bus, arnPrefix)])
}

// RefuseSome refuses, until restore is called, the entries that refuse is true of,
// with the code InternalFailure, and takes the others, as the service does when a
// part of it fails. refuse must not call the Service.
func (s *Service) RefuseSome(refuse func(Event) bool) (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refuse = nil
	}
}

// operations are the calls the service knows, by the name in X-Amz-Target.
var operations = map[string]func(*Service, []byte) ([]byte, error){
	"CreateEventBus": operation((*Service).createEventBus),
	"PutEvents":      operation((*Service).putEvents),
}

var busName = regexp.MustCompile(`^[/.\-_A-Za-z0-9]{1,256}$`)

type createInput struct{ Name string }

type createOutput struct{ EventBusArn string }

func (s *Service) createEventBus(in createInput) (createOutput, error) {
	if !busName.MatchString(in.Name) {
		return createOutput{}, refusal("ValidationException", "1 validation error detected: Value at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [/\\.\\-_A-Za-z0-9]+")
	}
	if s.buses[in.Name] != nil {
		return createOutput{}, refusal("ResourceAlreadyExistsException", "Event bus %s already exists.", in.Name)
	}
	s.buses[in.Name] = []Event{}
	return createOutput{arnPrefix + in.Name}, nil
}

type entry struct {
	Source, DetailType, Detail, EventBusName string
	Resources                                []string
	Time                                     *float64
}

// bytes is the size that the limit is about.
func (e *entry) bytes() int {
	n := len(e.Source) + len(e.DetailType) + len(e.Detail)
	for _, r := range e.Resources {
		n += len(r)
	}
	if e.Time != nil {
		n += timeBytes
	}
	return n
}

type putInput struct{ Entries []entry }

type putResult struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

type putOutput struct {
	Entries          []putResult
	FailedEntryCount int
}

func (s *Service) putEvents(in putInput) (out putOutput, err error) {
	const constraint = "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length "
	size, whole := 0, false
	for i := range in.Entries {
		size += in.Entries[i].bytes()
		whole = whole || in.Entries[i].missing() == ""
	}
	switch {
	case len(in.Entries) == 0:
		return out, refusal("ValidationException", "%sgreater than or equal to 1", constraint)
	case len(in.Entries) > maxEntries:
		return out, refusal("ValidationException", "%sless than or equal to %d", constraint, maxEntries)
	case size >= tooManyBytes:
		return out, refusal("ValidationException", "Total size of the entries in the request is over the limit.")
	case !whole:
		return out, refusal("ValidationException", "Parameter %s is not valid. Reason: %[1]s is a required argument.", in.Entries[0].missing())
	}
	for i := range in.Entries {
		done, err := s.take(&in.Entries[i])
		if e, ok := err.(*Error); ok {
			out.FailedEntryCount++
			done = putResult{ErrorCode: e.Code, ErrorMessage: e.Message}
		}
		out.Entries = append(out.Entries, done)
	}
	return out, nil
}

// missing is a parameter that the entry must have and has not.
func (e *entry) missing() string {
	switch {
	case e.Source == "":
		return "Source"
	case e.DetailType == "":
		return "DetailType"
	case e.Detail == "":
		return "Detail"
	}
	return ""
}

// take accepts one entry, or says why not.
func (s *Service) take(e *entry) (putResult, error) {
	object := json.Valid([]byte(e.Detail)) && bytes.HasPrefix(bytes.TrimSpace([]byte(e.Detail)), []byte("{"))
	switch {
	case e.missing() != "":
		return putResult{}, refusal("InvalidArgument", "Parameter %s is not valid. Reason: %[1]s is a required argument.", e.missing())
	case len(e.DetailType) > maxDetailType:
		return putResult{}, refusal("InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType must be less than or equal to %d characters.", maxDetailType)
	case strings.HasPrefix(e.Source, "aws."):
		return putResult{}, refusal("NotAuthorizedForSourceException", "Not authorized for the source.")
	case !object:
		return putResult{}, refusal("MalformedDetail", "Detail is malformed.")
	}
	s.put++
	event := Event{
		ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", s.put, s.put), Source: e.Source, DetailType: e.DetailType,
		Detail: e.Detail, Resources: e.Resources, Time: s.now(),
	}
	if e.Time != nil {
		event.Time = time.UnixMilli(int64(*e.Time * 1000)).UTC()
	}
	if s.refuse != nil && s.refuse(event) {
		return putResult{}, refusal("InternalFailure", "Unexpected error occurred, try again.")
	}
	bus := strings.TrimPrefix(e.EventBusName, arnPrefix)
	if bus == "" {
		bus = "default"
	}
	if s.buses[bus] != nil {
		s.buses[bus] = append(s.buses[bus], event)
	}
	return putResult{EventID: event.ID}, nil
}
