package iam

import "strings"

// place is a kind of resource: how its statement is called, which name of the
// scope it needs (empty is the stream), and which resources of a scope are of this kind. Of places with
// the same need a mode wants one, as a worker reads one kind of stream.
type place struct {
	sid   string
	wants string
	of    func(*names) []string
	only  func(*names) map[string]map[string][]string // a condition, or nil
}

// What a scope must name.
const (
	wantsKinesis      = "Stream, the ARN of a stream of Kinesis"
	wantsTable        = "Application or Table"
	wantsSessions     = "Application or Sessions"
	wantsConsumer     = "Application or Consumer"
	wantsDestinations = "Destinations"
	wantsOverflow     = "Overflow, arn:aws:s3:::bucket/prefix"
)

var (
	stream         = &place{sid: "Stream", of: ofKinesis}
	fanOutConsumer = &place{sid: "FanOutConsumer", wants: wantsConsumer, of: func(n *names) []string { return some(n.consumer()) }}
	// consumerByName is the same consumer as a call names it that does not know its
	// ARN: IAM judges by what is passed, and there is no time of creation in that.
	consumerByName = &place{sid: "FanOutConsumerByName", wants: wantsConsumer, of: func(n *names) []string {
		if name, ok := strings.CutSuffix(n.consumer(), ":*"); ok {
			return some(name)
		}
		return nil // it is given by its ARN
	}}
	tableStream = &place{sid: "TableStream", of: func(n *names) []string {
		if n.stream.service != "dynamodb" {
			return nil
		}
		if n.label != "" {
			return some(n.stream.String() + "/stream/" + n.label)
		}
		return some(n.stream.String() + "/stream/*")
	}}
	// tableStreams is asked for the newest stream of a table.
	tableStreams = &place{sid: "StreamsOfTable", of: func(n *names) []string {
		if n.stream.service != "dynamodb" || n.label != "" {
			return nil
		}
		return some(n.stream.String() + "/stream/*")
	}}

	// changedTable is the table whose stream is read.
	changedTable = &place{sid: "ChangedTable", of: func(n *names) []string {
		if n.stream.service != "dynamodb" {
			return nil
		}
		return some(n.stream.String())
	}}

	leaseTable   = &place{sid: "Leases", wants: wantsTable, of: func(n *names) []string { return some(n.leases()) }}
	sessionTable = &place{sid: "Sessions", wants: wantsSessions, of: func(n *names) []string { return some(n.table("Sessions", n.Sessions, "-sessions")) }}
	stateTable   = &place{sid: "States", wants: "Application or States", of: func(n *names) []string { return some(n.table("States", n.States, "-state")) }}
	parkedTable  = &place{sid: "Parked", wants: "Application or Parked", of: func(n *names) []string { return some(n.table("Parked", n.Parked, "-parked")) }}
	onceTable    = &place{sid: "Once", wants: "Once", of: func(n *names) []string { return some(n.alone("Once", n.Once)) }}
	forkedTable  = &place{sid: "ForkedTable", wants: "From", of: func(n *names) []string { return some(n.alone("From", n.From)) }}
	ownerIndex   = &place{sid: "LeasesByOwner", wants: wantsTable, of: func(n *names) []string {
		if table := n.leases(); table != "" {
			return some(table + "/index/LeaseOwnerToLeaseKeyIndex")
		}
		return nil
	}}
	kclTables = &place{sid: "TablesOfKCL", wants: "Application", of: func(n *names) []string {
		if n.Application == "" {
			return nil
		}
		return some(n.table("Application", "", "-CoordinatorState"), n.table("Application", "", "-WorkerMetricStats"))
	}}

	queues     = sentTo("Queues", "sqs", "")
	topics     = sentTo("Topics", "sns", "")
	buses      = sentTo("Buses", "events", "event-bus/")
	functions  = sentTo("Functions", "lambda", "function:")
	streams    = sentTo("Streams", "kinesis", "stream/")
	deliveries = sentTo("DeliveryStreams", "firehose", "deliverystream/")
	machines   = sentTo("StateMachines", "states", "stateMachine:")
	tables     = sentTo("Tables", "dynamodb", "table/")

	objects = &place{sid: "Objects", wants: wantsDestinations, of: func(n *names) []string {
		var all []string
		for _, d := range n.sent("s3", "") {
			all = append(all, within(d))
		}
		return all
	}}
	buckets = &place{sid: "Buckets", wants: wantsDestinations, of: func(n *names) []string {
		var all []string
		for _, d := range n.sent("s3", "") {
			whole, _ := bucket(d)
			all = append(all, whole)
		}
		return all
	}, only: func(n *names) map[string]map[string][]string { return listed(n.sent("s3", "")) }}

	overflowObjects = &place{sid: "StateObjects", wants: wantsOverflow, of: func(n *names) []string {
		if a := n.overflow(); a != (arn{}) {
			return some(within(a))
		}
		return nil
	}}
	overflowBucket = &place{sid: "StateBucket", wants: wantsOverflow, of: func(n *names) []string {
		if a := n.overflow(); a != (arn{}) {
			whole, _ := bucket(a)
			return some(whole)
		}
		return nil
	}, only: func(n *names) map[string]map[string][]string { return listed([]arn{n.overflow()}) }}
)

// wanted is what a scope must name for this place. Which kind of stream depends on
// what the mode reads: either will do for those that only look.
func (p *place) wanted(m Mode) string {
	switch {
	case p.wants != "":
		return p.wants
	case m == Changes:
		return "Stream, the ARN of a table of DynamoDB or of its stream"
	case m == Polling || m == FanOut || m == BootstrapFanOut || m == Play:
		return wantsKinesis
	}
	return "Stream"
}

func some(of ...string) []string {
	var all []string
	for _, s := range of {
		if s != "" && s != (arn{}).String() {
			all = append(all, s)
		}
	}
	return all
}

func ofKinesis(n *names) []string {
	if n.stream.service != "kinesis" {
		return nil
	}
	return some(n.stream.String())
}

func (n *names) leases() string { return n.table("Table", n.Table, "") }

// alone is a table that no application names.
func (n *names) alone(field, given string) string {
	if given == "" {
		return ""
	}
	return n.table(field, given, "")
}

func (n *names) overflow() arn {
	if n.Overflow == "" {
		return arn{}
	}
	return n.read("Overflow", n.Overflow)
}

func sentTo(sid, service, begin string) *place {
	return &place{sid: sid, wants: wantsDestinations, of: func(n *names) []string {
		var all []string
		for _, d := range n.sent(service, begin) {
			all = append(all, d.String())
		}
		return all
	}}
}

// within are the objects below a prefix.
func within(a arn) string {
	whole, prefix := bucket(a)
	if prefix != "" {
		prefix += "/"
	}
	return whole + "/" + prefix + "*"
}

// listed bounds the listing of buckets to their prefixes, which one condition
// says for all of them; there is none if a bucket is listed as a whole.
func listed(all []arn) map[string]map[string][]string {
	var prefixes []string
	for _, a := range all {
		_, prefix := bucket(a)
		if prefix == "" {
			return nil
		}
		prefixes = append(prefixes, prefix, prefix+"/*")
	}
	return map[string]map[string][]string{"StringLike": {"s3:prefix": prefixes}}
}
