package iam

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// Scope are the names of what a program touches. A table is given by its name, in
// the account and Region of Stream, or by its ARN. What no mode asks for may be
// left empty.
type Scope struct {
	// Stream is the ARN of a stream of Kinesis, or that of a table of DynamoDB or
	// of its stream.
	Stream string
	// Application names the tables and the fan-out consumer, as dynamocheckpoint
	// has it; what is below names one of them otherwise.
	Application string
	// Table is the lease table. Default: Application.
	Table string
	// Sessions is the session table. Default: Application with -sessions behind.
	Sessions string
	// States is the state table. Default: Application with -state behind.
	States string
	// Parked is the table of parked records. Default: Application with -parked
	// behind.
	Parked string
	// Consumer is the name or the ARN of the fan-out consumer. Default:
	// Application.
	Consumer string
	// Overflow is arn:aws:s3:::bucket/prefix, where large states are. The prefix
	// may be empty. If the bucket is encrypted with a key of your own,
	// kms:Decrypt and kms:GenerateDataKey on it are yours to add: DestinationKey
	// is that of the destinations alone.
	Overflow string
	// Once is the table of effects.
	Once string
	// From is the lease table that a fork is made from.
	From string
	// Destinations are ARNs of queues, topics, buses, functions, streams, delivery
	// streams, state machines and tables, and arn:aws:s3:::bucket/prefix.
	Destinations []string
	// Tags says that tables which are made get tags.
	Tags bool
	// StreamKey is the ARN of the KMS key that the stream is encrypted with.
	// Default: none is customer managed.
	StreamKey string
	// DestinationKey is the ARN of the KMS key that the destinations are encrypted
	// with. Default: none is customer managed.
	DestinationKey string
}

// arn is a name of a resource in its parts.
type arn struct{ partition, service, region, account, resource string }

func (a arn) String() string {
	return strings.Join([]string{"arn", a.partition, a.service, a.region, a.account, a.resource}, ":")
}

// parse takes an ARN apart. A wildcard in a name would make a policy wider than
// it looks; nothing that has a name contains one.
func parse(s string) (arn, error) {
	parts := strings.SplitN(s, ":", 6)
	switch {
	case len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || parts[5] == "":
		return arn{}, fmt.Errorf("%q is no ARN, want arn:partition:service:region:account:resource", s)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`*?$"\`, r) }):
		return arn{}, fmt.Errorf("%q is the ARN of nothing: a name has no space, wildcard or variable in it", s)
	case parts[2] != "s3" && (parts[3] == "" || parts[4] == ""):
		return arn{}, fmt.Errorf("%q names no region or no account", s)
	}
	return arn{parts[1], parts[2], parts[3], parts[4], parts[5]}, nil
}

// names are a scope taken apart.
type names struct {
	Scope
	stream       arn // of Kinesis, or the table's; zero if there is none
	label        string
	destinations []arn
	problems     []error
}

func (s Scope) parsed() *names {
	n := &names{Scope: s}
	if s.Stream != "" {
		n.stream = n.read("Stream", s.Stream)
		kind, rest, _ := strings.Cut(n.stream.resource, "/")
		switch {
		case n.stream.service == "kinesis" && kind == "stream" && rest != "" && !strings.Contains(rest, "/"):
		case n.stream.service == "dynamodb" && kind == "table" && rest != "":
			table, label, ofStream := strings.Cut(rest, "/stream/")
			if strings.Contains(table, "/") || ofStream && label == "" {
				n.problem(fmt.Errorf("Stream %q: want table/name or table/name/stream/label", s.Stream))
			}
			n.stream.resource, n.label = "table/"+table, label
		case n.stream != arn{}:
			n.problem(fmt.Errorf("Stream %q: want the ARN of a stream of Kinesis, of a table of DynamoDB, or of its stream", s.Stream))
		}
	}
	for i, d := range s.Destinations {
		n.destinations = append(n.destinations, n.read(fmt.Sprintf("Destinations[%d]", i), d))
	}
	return n
}

func (n *names) problem(err error) { n.problems = append(n.problems, err) }

func (n *names) read(field, s string) arn {
	a, err := parse(s)
	if err != nil {
		n.problem(fmt.Errorf("%s: %w", field, err))
	}
	return a
}

// table is the ARN of a table given by name or ARN; empty if it is not given.
func (n *names) table(field, given, suffix string) string {
	if given == "" && n.Application != "" {
		given = n.Application + suffix
	}
	switch {
	case given == "":
		return ""
	case strings.HasPrefix(given, "arn:"):
		a := n.read(field, given)
		if name, ok := strings.CutPrefix(a.resource, "table/"); a != (arn{}) && (a.service != "dynamodb" || !ok || strings.Contains(name, "/")) {
			n.problem(fmt.Errorf("%s %q: want the name of a table, or arn:aws:dynamodb:region:account:table/name", field, given))
		}
		return a.String()
	case !isName(given):
		n.problem(fmt.Errorf("%s %q: a table's name is of letters, digits, '_', '.' and '-'", field, given))
		return ""
	case n.stream == arn{}:
		n.problem(fmt.Errorf("%s %q: give its ARN, or Stream, whose account and region are then meant", field, given))
		return ""
	}
	return n.beside("dynamodb", "table/"+given)
}

// beside is the ARN of something where the stream is.
func (n *names) beside(service, resource string) string {
	return arn{n.stream.partition, service, n.stream.region, n.stream.account, resource}.String()
}

func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '.' || r == '-')
	})
}

// consumer is the ARN of the fan-out consumer. The service puts the time of its
// creation behind its name.
func (n *names) consumer() string {
	given := cmp.Or(n.Consumer, n.Application)
	switch {
	case given == "" || n.stream.service != "kinesis":
		return ""
	case strings.HasPrefix(given, n.stream.String()+"/consumer/"):
		return n.read("Consumer", given).String()
	case !isName(given):
		n.problem(fmt.Errorf("Consumer %q: want a name of letters, digits, '_', '.' and '-', or the ARN of a consumer of the stream", given))
		return ""
	}
	return n.stream.String() + "/consumer/" + given + ":*"
}

// sent are the destinations of a service whose resource begins with a word.
func (n *names) sent(service, begin string) []arn {
	var all []arn
	for _, d := range n.destinations {
		if d.service == service && strings.HasPrefix(d.resource, begin) {
			all = append(all, d)
		}
	}
	return all
}

// bucket takes arn:aws:s3:::bucket/prefix apart.
func bucket(a arn) (whole, prefix string) {
	name, prefix, _ := strings.Cut(a.resource, "/")
	a.resource = name
	return a.String(), strings.TrimSuffix(prefix, "/")
}

// err is every problem, once: several rows of the table read the same name.
func (n *names) err() error {
	var all []error
	said := map[string]bool{}
	for _, p := range n.problems {
		if !said[p.Error()] {
			said[p.Error()] = true
			all = append(all, p)
		}
	}
	return errors.Join(all...)
}
