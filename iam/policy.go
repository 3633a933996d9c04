package iam

import (
	"errors"
	"fmt"
	"slices"
)

// Policy is a policy document. Marshalled to JSON it is what IAM takes.
type Policy struct {
	// Version is that of the language of policies, 2012-10-17.
	Version string
	// Statement is one statement for each kind of resource.
	Statement []Statement
}

// Statement allows some actions on some resources.
type Statement struct {
	// Sid says what the resources are.
	Sid string
	// Effect is Allow.
	Effect string
	// Action are the actions, sorted, such as dynamodb:GetItem.
	Action []string
	// Resource are ARNs.
	Resource []string
	// Condition bounds the statement, by operator and key; nil if it is not.
	Condition map[string]map[string][]string `json:",omitempty"`
}

// For is the policy that allows a program of these modes what it asks for over
// what the scope names, and nothing else. Its error says everything that is
// missing or wrong.
func For(s Scope, modes ...Mode) (Policy, error) {
	n := s.parsed()
	if len(modes) == 0 {
		n.problem(errors.New("no mode is given"))
	}
	p := Policy{Version: "2012-10-17"}
	for _, mode := range modes {
		if _, err := ParseMode(string(mode)); err != nil {
			n.problem(err)
			continue
		}
		found := map[string]bool{} // whether a place that wants this has resources
		for _, need := range needs {
			if need.mode != mode {
				continue
			}
			resources := need.on.of(n)
			wants := need.on.wanted(mode)
			found[wants] = found[wants] || len(resources) > 0
			p.allow(need, resources, n)
		}
		for _, need := range needs {
			if wants := need.on.wanted(mode); need.mode == mode && !found[wants] {
				n.problem(fmt.Errorf("mode %s needs %s", mode, wants))
				found[wants] = true // said once
			}
		}
	}
	n.unused(modes)
	p.Statement = append(p.Statement, n.keys(modes)...)
	if err := n.err(); err != nil {
		return Policy{}, fmt.Errorf("iam: %w", err)
	}
	return p, nil
}

// allow adds what one row of the table asks for.
func (p *Policy) allow(need need, resources []string, n *names) {
	if len(resources) == 0 {
		return
	}
	actions := need.actions
	if n.Tags && slices.Contains(actions, "dynamodb:CreateTable") {
		actions = append(slices.Clone(actions), tagging)
	}
	i := slices.IndexFunc(p.Statement, func(s Statement) bool { return s.Sid == need.on.sid })
	if i < 0 {
		i = len(p.Statement)
		st := Statement{Sid: need.on.sid, Effect: "Allow", Resource: resources}
		if need.on.only != nil {
			st.Condition = need.on.only(n)
		}
		p.Statement = append(p.Statement, st)
	}
	all := slices.Concat(p.Statement[i].Action, actions)
	slices.Sort(all)
	p.Statement[i].Action = slices.Compact(all)
}

// unused refuses destinations that no statement speaks of: somebody would
// believe that they are allowed.
func (n *names) unused(modes []Mode) {
	for i, d := range n.destinations {
		if d == (arn{}) {
			continue // said before
		}
		used := false
		for _, need := range needs {
			if slices.Contains(modes, need.mode) && need.on.wants == wantsDestinations {
				one := &names{Scope: n.Scope, stream: n.stream, destinations: []arn{d}}
				used = used || len(need.on.of(one)) > 0
			}
		}
		if !used {
			n.problem(fmt.Errorf("Destinations[%d]: no mode that is given does anything with %s", i, d))
		}
	}
}
