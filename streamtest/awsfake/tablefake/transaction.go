package tablefake

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// tokenLife is how long a ClientRequestToken makes a repeat harmless.
const tokenLife = 10 * time.Minute

// maxParts is how many items one transaction may name.
const maxParts = 100

type transactInput struct {
	TransactItems []struct {
		Put, Update, Delete, ConditionCheck *writeInput
	}
	ClientRequestToken     *string
	ReturnConsumedCapacity string
}

type nothing struct{}

func (s *Service) transactWriteItems(in transactInput) (nothing, error) {
	return locked(s, func() (nothing, error) { return nothing{}, s.transact(in) })
}

// transact applies all parts or none.
func (s *Service) transact(in transactInput) error {
	if n := len(in.TransactItems); n == 0 || n > maxParts {
		return invalid("Member must have length between 1 and %d", maxParts)
	}
	body, _ := json.Marshal(in.TransactItems)
	if token := in.ClientRequestToken; token != nil {
		if r, ok := s.tokens[*token]; ok && s.now().Sub(r.at) < tokenLife {
			if r.body != string(body) {
				return refusal("IdempotentParameterMismatchException", "the token was used with other parameters")
			}
			return nil
		}
	}
	var plans []plan
	var reasons []Reason
	cancelled := false
	seen := map[string]bool{}
	for _, part := range in.TransactItems {
		kind, w := "Put", part.Put
		for other, x := range map[string]*writeInput{"Update": part.Update, "Delete": part.Delete, "ConditionCheck": part.ConditionCheck} {
			if x != nil {
				kind, w = other, x
			}
		}
		if w == nil {
			return invalid("TransactItems can only contain one of Check, Put, Update or Delete")
		}
		p, err := s.prepare(kind, *w)
		reason := Reason{Code: "None"}
		var e *Error
		if errors.As(err, &e) {
			if e.Code == "ResourceNotFoundException" {
				return e
			}
			cancelled = true
			reason = Reason{Code: strings.TrimSuffix(e.Code, "Exception"), Message: e.Message, Item: e.Item}
			if e.Code == "ConditionalCheckFailedException" {
				reason.Code = "ConditionalCheckFailed"
			} else if e.Code == "ValidationException" {
				reason.Code = "ValidationError"
			}
		} else if err != nil {
			return err
		}
		if p.table != nil {
			id := p.table.name + "\x00" + p.table.schema.id(p.key)
			if seen[id] {
				return invalid("Transaction request cannot include multiple operations on one item")
			}
			seen[id] = true
		}
		plans, reasons = append(plans, p), append(reasons, reason)
	}
	if cancelled {
		codes := make([]string, len(reasons))
		for i, r := range reasons {
			codes[i] = r.Code
		}
		return &Error{
			Code:    "TransactionCanceledException",
			Message: fmt.Sprintf("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", ")),
			Reasons: reasons,
		}
	}
	for _, p := range plans {
		s.apply(p)
		p.table.writes += writeUnits(max(p.before.size(), p.after.size())) // a transaction costs twice
	}
	if token := in.ClientRequestToken; token != nil {
		s.tokens[*token] = replay{string(body), s.now()}
	}
	return nil
}
