package awsfake

import (
	"sync"
	"time"
)

// Exchange is one finished call with its outcome.
type Exchange struct {
	Call
	Sent    time.Time // when the call reached the fake
	Done    time.Time // when the answer left it, or the connection broke
	Applied bool      // the service acted on it, whatever the caller was told
	Status  int       // HTTP status; 0 if the caller got no answer
	Answer  []byte    // the answer's body, also when it was lost; not to be changed
	Err     error     // what the caller saw instead of an answer
}

// log counts calls.
type log struct {
	mu       sync.Mutex // guards all below
	counts   map[[3]string]int
	requests int // answers given, for their ids
}

// Trace has f told of every call after it ended and before its caller knows,
// until remove is called. f runs in the goroutine of the call, several at a
// time: it must be safe for that and should be quick.
func (a *AWS) Trace(f func(Exchange)) (remove func()) {
	return a.observers.add(f)
}

// Count is the number of calls that reached the fake, applied or not, by
// caller, service and operation; an empty string counts all of them.
func (a *AWS) Count(caller, service, operation string) int {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	total := 0
	for key, n := range a.log.counts {
		c := Call{Caller: key[0], Service: key[1]}
		if c.is(caller, service) && (operation == "" || operation == key[2]) {
			total += n
		}
	}
	return total
}

// count adds a call to the counters.
func (l *log) count(c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = map[[3]string]int{}
	}
	l.counts[[3]string{c.Caller, c.Service, c.Operation}]++
}

// request is the number of the next answer.
func (l *log) request() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	return l.requests
}

// tell passes a finished call to the observers.
func (a *AWS) tell(e Exchange) {
	for _, f := range a.observers.now() {
		(*f)(e)
	}
}
