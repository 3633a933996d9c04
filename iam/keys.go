package iam

import (
	"fmt"
	"slices"
)

// keyed are the services that ask KMS in the name of the caller, and for what:
// https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html,
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html,
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html.
// The others ask in their own name, with a grant or by the policy of the key.
var keyed = []struct {
	mode    Mode
	service string
	actions []string
}{
	{Send, "sqs", []string{"kms:Decrypt", "kms:GenerateDataKey"}},
	{Send, "sns", []string{"kms:Decrypt", "kms:GenerateDataKey"}},
	{Send, "s3", []string{"kms:GenerateDataKey"}},
	{Send, "kinesis", []string{"kms:GenerateDataKey"}},
	{Redrive, "sqs", []string{"kms:Decrypt"}},
	{Redrive, "s3", []string{"kms:Decrypt"}},
	{Failures, "sqs", []string{"kms:Decrypt"}},
	{Failures, "s3", []string{"kms:Decrypt"}},
}

// keys are the statements about keys of KMS: usable through the service that the
// data is in, and not by themselves.
func (n *names) keys(modes []Mode) []Statement {
	var all []Statement
	if n.StreamKey != "" {
		key := n.key("StreamKey", n.StreamKey)
		var actions []string
		if asks(modes, "kinesis:GetRecords", "kinesis:SubscribeToShard") {
			actions = append(actions, "kms:Decrypt")
		}
		if slices.Contains(modes, Play) { // into the stream, where Send is into destinations
			actions = append(actions, "kms:GenerateDataKey")
		}
		if len(actions) == 0 || n.stream.service != "kinesis" {
			n.problem(fmt.Errorf("StreamKey: no mode that is given reads a stream of Kinesis"))
		}
		all = append(all, through("StreamKey", key, actions, []string{"kinesis"}))
	}
	if n.DestinationKey == "" {
		return all
	}
	key := n.key("DestinationKey", n.DestinationKey)
	type group struct{ actions, services []string }
	var groups []group
	for _, k := range keyed {
		if !slices.Contains(modes, k.mode) || !slices.ContainsFunc(n.destinations, func(d arn) bool { return d.service == k.service }) {
			continue
		}
		i := slices.IndexFunc(groups, func(g group) bool { return slices.Equal(g.actions, k.actions) })
		if i < 0 {
			i, groups = len(groups), append(groups, group{actions: k.actions})
		}
		groups[i].services = append(groups[i].services, k.service)
	}
	if len(groups) == 0 {
		n.problem(fmt.Errorf("DestinationKey: none of the destinations needs it of the caller"))
	}
	for i, g := range groups {
		sid := "DestinationKey"
		if i > 0 {
			sid = fmt.Sprint(sid, i+1)
		}
		all = append(all, through(sid, key, g.actions, g.services))
	}
	return all
}

// asks reports whether one of the modes asks for one of the actions.
func asks(modes []Mode, actions ...string) bool {
	return slices.ContainsFunc(needs, func(n need) bool {
		return slices.Contains(modes, n.mode) && slices.ContainsFunc(n.actions, func(a string) bool { return slices.Contains(actions, a) })
	})
}

func (n *names) key(field, s string) arn {
	a := n.read(field, s)
	if a != (arn{}) && a.service != "kms" {
		n.problem(fmt.Errorf("%s %q: want the ARN of a key of KMS", field, s))
	}
	return a
}

// through allows a key where these services use it for the caller.
func through(sid string, key arn, actions, services []string) Statement {
	suffix := ".amazonaws.com"
	if key.partition == "aws-cn" {
		suffix += ".cn"
	}
	via := make([]string, len(services))
	for i, s := range services {
		via[i] = s + "." + key.region + suffix
	}
	return Statement{
		Sid: sid, Effect: "Allow", Action: actions, Resource: []string{key.String()},
		Condition: map[string]map[string][]string{"StringEquals": {"kms:ViaService": via}},
	}
}
