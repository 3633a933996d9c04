package topicfake

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// namespace is that of the service's answers.
const namespace = "http://sns.amazonaws.com/doc/2010-03-31/"

// Error is an answer of the service that is not a success.
type Error struct {
	Code    string // as in the API reference, for example NotFound
	Message string // for people
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refusal(code, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

func invalid(parameter, reason string) error {
	return refusal("InvalidParameter", "Invalid parameter: %s Reason: %s", parameter, reason)
}

// operations are the calls the service knows, by the parameter Action. They run
// under the lock; an answer is marshalled as …Result.
var operations = map[string]func(*Service, url.Values) (any, error){
	"CreateTopic":              (*Service).createTopic,
	"DeleteTopic":              (*Service).deleteTopic,
	"GetTopicAttributes":       (*Service).getTopicAttributes,
	"ListSubscriptionsByTopic": (*Service).listSubscriptions,
	"ListTopics":               (*Service).listTopics,
	"Publish":                  (*Service).publish,
	"PublishBatch":             (*Service).publishBatch,
	"SetTopicAttributes":       (*Service).setTopicAttributes,
	"Subscribe":                (*Service).subscribe,
	"Unsubscribe":              (*Service).unsubscribe,
}

// ServeHTTP answers one request of the query protocol.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, status := s.answer(body)
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

// answer is the XML and the status that a request gets.
func (s *Service) answer(body []byte) ([]byte, int) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return explain(refusal("MalformedQueryString", "%v", err))
	}
	action := form.Get("Action")
	call, known := operations[action]
	if !known {
		return explain(refusal("InvalidAction", "The action %s is not valid for this endpoint.", action))
	}
	s.mu.Lock()
	result, err := call(s, form)
	s.mu.Unlock()
	if err != nil {
		return explain(err)
	}
	return marshal(action+"Response", func(e *xml.Encoder) error {
		if result == nil {
			return nil
		}
		return e.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: action + "Result"}})
	})
}

// marshal writes an element with what inside makes.
func marshal(name string, inside func(*xml.Encoder) error) ([]byte, int) {
	var b buffer
	e := xml.NewEncoder(&b)
	start := xml.StartElement{Name: xml.Name{Local: name}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: namespace}}}
	err := e.EncodeToken(start)
	if err == nil {
		err = inside(e)
	}
	if err == nil {
		err = e.EncodeToken(start.End())
	}
	if err == nil {
		err = e.Flush()
	}
	if err != nil {
		return []byte(err.Error()), http.StatusInternalServerError
	}
	return b, http.StatusOK
}

type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// explain is the XML and the status that carry an error.
func explain(err error) ([]byte, int) {
	e, ok := err.(*Error)
	if !ok {
		e = &Error{"InternalError", err.Error()}
	}
	status, fault := http.StatusBadRequest, "Sender"
	switch e.Code {
	case "NotFound":
		status = http.StatusNotFound
	case "InternalError":
		status, fault = http.StatusInternalServerError, "Receiver"
	}
	body, _ := marshal("ErrorResponse", func(x *xml.Encoder) error {
		return x.EncodeElement(struct{ Type, Code, Message string }{fault, e.Code, e.Message}, xml.StartElement{Name: xml.Name{Local: "Error"}})
	})
	return body, status
}

// mapOf reads the parameters name.entry.1.key, name.entry.1.value and so on.
func mapOf(form url.Values, name string) map[string]string {
	m := map[string]string{}
	for i := 1; ; i++ {
		at := fmt.Sprintf("%s.entry.%d.", name, i)
		if !form.Has(at + "key") {
			return m
		}
		m[form.Get(at+"key")] = form.Get(at + "value")
	}
}

// pairs is a map in an answer.
type pairs struct {
	Entry []pair `xml:"entry"`
}

type pair struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}
