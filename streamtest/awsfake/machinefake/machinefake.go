// Package machinefake is AWS Step Functions in memory, as far as what starts
// executions sees it. It speaks the AWS JSON 1.0 protocol of the real service:
// StartExecution with the rules for names, the size of the input, and repeats,
// and DescribeExecution.
//
// An execution runs until [Service.End] is called. A repeat of its name is
// answered with the same execution while it runs and has the same input, and with
// ExecutionAlreadyExists otherwise; for express machines names mean nothing.
//
// # What is not here
//
// Definitions, states, histories, versions and aliases: a machine is a name, and
// what was started is looked at with [Service.Executions].
package machinefake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// The only region and account there are.
const (
	machinePrefix   = "arn:aws:states:us-east-1:000000000000:stateMachine:"
	executionPrefix = "arn:aws:states:us-east-1:000000000000:execution:"
	expressPrefix   = "arn:aws:states:us-east-1:000000000000:express:"
)

// The limits of StartExecution,
// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html.
const (
	maxInput = 262_144
	maxName  = 80
)

// Service is one account's Step Functions in one region. It is an http.Handler
// for the AWS JSON 1.0 protocol and safe for use by many goroutines. Make one
// with [New].
type Service struct {
	now func() time.Time

	mu       sync.Mutex // guards all below; held for work in memory only
	machines map[string]*machine
	started  int // executions, over all
}

type machine struct {
	name       string
	express    bool
	executions []*Execution
}

// Execution is an execution as it was started.
type Execution struct {
	ARN     string    // given by the service
	Name    string    // as it was asked for
	Input   string    // as it was sent
	Started time.Time // by the clock of the service
	Ended   bool      // since End was called
}

// New makes a Step Functions without machines, whose clock is now.
func New(now func() time.Time) *Service {
	return &Service{now: now, machines: map[string]*machine{}}
}

// CreateMachine makes a standard machine and returns its ARN. One that is there
// stays as it is.
func (s *Service) CreateMachine(name string) (arn string) { return s.create(name, false) }

// CreateExpressMachine makes an express machine, likewise.
func (s *Service) CreateExpressMachine(name string) (arn string) { return s.create(name, true) }

func (s *Service) create(name string, express bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.machines[name] == nil {
		s.machines[name] = &machine{name: name, express: express}
	}
	return machinePrefix + name
}

// Executions is everything a machine ever started, in order; nil if there is no
// such machine. The machine is named by its ARN.
func (s *Service) Executions(machineARN string) []Execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.machines[strings.TrimPrefix(machineARN, machinePrefix)]
	if m == nil {
		return nil
	}
	all := make([]Execution, 0, len(m.executions))
	for _, e := range m.executions {
		all = append(all, *e)
	}
	return all
}

// End ends an execution of that name with success.
func (s *Service) End(machineARN, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.machines[strings.TrimPrefix(machineARN, machinePrefix)]; m != nil {
		for _, e := range m.executions {
			e.Ended = e.Ended || e.Name == name
		}
	}
}

// operations are the calls the service knows, by the name in X-Amz-Target.
var operations = map[string]func(*Service, []byte) ([]byte, error){
	"DescribeExecution": operation((*Service).describeExecution),
	"StartExecution":    operation((*Service).startExecution),
}

type startInput struct {
	StateMachineARN string  `json:"stateMachineArn"`
	Name            *string `json:"name"`
	Input           *string `json:"input"`
}

type startOutput struct {
	ExecutionARN string  `json:"executionArn"`
	StartDate    float64 `json:"startDate"`
}

func (s *Service) startExecution(in startInput) (out startOutput, err error) {
	name, input := "", "{}"
	if in.Name != nil {
		name = *in.Name
	}
	if in.Input != nil {
		input = *in.Input
	}
	machineName, ours := strings.CutPrefix(in.StateMachineARN, machinePrefix)
	m := s.machines[machineName]
	switch {
	case !strings.HasPrefix(in.StateMachineARN, "arn:") || strings.Count(in.StateMachineARN, ":") < 6:
		return out, refusal("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: %s'", in.StateMachineARN)
	case in.Name != nil && !legalName(name):
		return out, refusal("InvalidName", "Invalid Name: '%s'", name)
	case len(input) > maxInput:
		return out, refusal("ValidationException", "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less than or equal to %d", maxInput)
	case !json.Valid([]byte(input)):
		return out, refusal("InvalidExecutionInput", "Invalid State Machine Execution Input: the input is not JSON")
	case m == nil || !ours:
		return out, refusal("StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", in.StateMachineARN)
	}
	if name == "" {
		name = fmt.Sprintf("%08x-0000-4000-8000-%012x", s.started+1, s.started+1)
	}
	i := slices.IndexFunc(m.executions, func(e *Execution) bool { return e.Name == name })
	if i >= 0 && !m.express {
		before := m.executions[i]
		if before.Ended || before.Input != input {
			return out, refusal("ExecutionAlreadyExists", "Execution Already Exists: '%s'", before.ARN)
		}
		return told(before), nil
	}
	s.started++
	e := &Execution{ARN: executionPrefix + m.name + ":" + name, Name: name, Input: input, Started: s.now()}
	if m.express {
		e.ARN = fmt.Sprintf("%s%s:%s:%012x", expressPrefix, m.name, name, s.started)
	}
	m.executions = append(m.executions, e)
	return told(e), nil
}

func told(e *Execution) startOutput { return startOutput{e.ARN, seconds(e.Started)} }

// seconds is a time as the protocol writes it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// legalName holds a name against
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html.
func legalName(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f && r <= 0x9f || r == utf8.RuneError || r == 0xfffe || r == 0xffff || strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", r)
	})
}

type describeInput struct {
	ExecutionARN string `json:"executionArn"`
}

type describeOutput struct {
	startOutput
	StateMachineARN string `json:"stateMachineArn"`
	Name            string `json:"name"`
	Status          string `json:"status"`
	Input           string `json:"input"`
}

func (s *Service) describeExecution(in describeInput) (out describeOutput, err error) {
	for _, m := range s.machines {
		for _, e := range m.executions {
			if e.ARN == in.ExecutionARN {
				out = describeOutput{told(e), machinePrefix + m.name, e.Name, "RUNNING", e.Input}
				if e.Ended {
					out.Status = "SUCCEEDED"
				}
				return out, nil
			}
		}
	}
	return out, refusal("ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", in.ExecutionARN)
}
