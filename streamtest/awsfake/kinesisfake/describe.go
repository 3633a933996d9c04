package kinesisfake

import (
	"maps"
	"regexp"
	"slices"
	"time"
)

var streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)

type streamMode struct{ StreamMode string }

type createStreamInput struct {
	StreamName        string
	ShardCount        *int
	StreamModeDetails *streamMode
}

func (s *Service) createStream(in createStreamInput) (nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !streamName.MatchString(in.StreamName) {
		return nothing{}, refusal("ValidationException", "StreamName %q does not match %s", in.StreamName, streamName)
	}
	if s.streams[in.StreamName] != nil {
		return nothing{}, refusal("ResourceInUseException", "Stream %s under account %s already exists.", in.StreamName, account)
	}
	onDemand := in.StreamModeDetails != nil && in.StreamModeDetails.StreamMode == "ON_DEMAND"
	shards := 4 // with which an on-demand stream starts
	switch {
	case onDemand && in.ShardCount != nil:
		return nothing{}, invalid("ShardCount cannot be given for a stream of mode ON_DEMAND.")
	case !onDemand && (in.ShardCount == nil || *in.ShardCount < 1):
		return nothing{}, refusal("ValidationException", "ShardCount must be at least 1.")
	case !onDemand:
		shards = *in.ShardCount
	}
	s.streams[in.StreamName] = s.newStream(account, in.StreamName, shards, onDemand)
	return nothing{}, nil
}

type deleteStreamInput struct {
	named
	EnforceConsumerDeletion *bool
}

func (s *Service) deleteStream(in deleteStreamInput) (nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.named)
	if err != nil {
		return nothing{}, err
	}
	consumers := t.registered(s.now())
	if enforce := in.EnforceConsumerDeletion; len(consumers) > 0 && (enforce == nil || !*enforce) {
		return nothing{}, refusal("ResourceInUseException", "Stream %s under account %s has %d registered consumers.", t.name, account, len(consumers))
	}
	for _, c := range consumers {
		c.end(notFound("Stream %s under account %s was deleted.", t.name, account))
	}
	delete(s.streams, t.key())
	return nothing{}, nil
}

// streamSummary is what all descriptions of a stream share.
type streamSummary struct {
	StreamName              string
	StreamARN               string
	StreamStatus            string
	StreamModeDetails       streamMode
	StreamCreationTimestamp epoch
}

func (t *stream) summary() streamSummary {
	mode := "PROVISIONED"
	if t.onDemand {
		mode = "ON_DEMAND"
	}
	return streamSummary{t.name, t.arn(), t.status(), streamMode{mode}, epoch(t.created)}
}

type monitoring struct{ ShardLevelMetrics []string }

// details is what both descriptions of one stream share.
type details struct {
	streamSummary
	RetentionPeriodHours int
	EnhancedMonitoring   []monitoring
	EncryptionType       string
	KeyId                string `json:",omitempty"`
}

func (t *stream) details() details {
	encryption := "NONE"
	if t.kms != "" {
		encryption = "KMS"
	}
	return details{t.summary(), int(t.retention / time.Hour), []monitoring{{[]string{}}}, encryption, t.kms}
}

type describeStreamInput struct {
	named
	Limit                 *int
	ExclusiveStartShardId *string
}

type describeStreamOutput struct {
	StreamDescription streamDescription
}

type streamDescription struct {
	details
	Shards        []shardDescription
	HasMoreShards bool
}

func (s *Service) describeStream(in describeStreamInput) (out describeStreamOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.named)
	if err != nil {
		return out, err
	}
	limit, after := defaultDescribeMax, -1
	if in.Limit != nil {
		limit = *in.Limit
	}
	if in.ExclusiveStartShardId != nil {
		if after, err = t.number(*in.ExclusiveStartShardId); err != nil {
			return out, err
		}
	}
	out.StreamDescription = streamDescription{details: t.details(), Shards: []shardDescription{}}
	horizon := t.horizon(s.now())
	for _, d := range t.shards[after+1:] {
		if d.expired(horizon) {
			continue
		}
		if len(out.StreamDescription.Shards) >= limit {
			out.StreamDescription.HasMoreShards = true
			break
		}
		out.StreamDescription.Shards = append(out.StreamDescription.Shards, d.describe())
	}
	return out, nil
}

type describeStreamSummaryOutput struct {
	StreamDescriptionSummary streamDescriptionSummary
}

type streamDescriptionSummary struct {
	details
	OpenShardCount     int
	ConsumerCount      int
	MaxRecordSizeInKiB int
}

func (s *Service) describeStreamSummary(in named) (out describeStreamSummaryOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in)
	if err != nil {
		return out, err
	}
	out.StreamDescriptionSummary = streamDescriptionSummary{
		details: t.details(), OpenShardCount: len(t.open), MaxRecordSizeInKiB: maxRecordBytes >> 10,
		ConsumerCount: len(t.registered(s.now())),
	}
	return out, nil
}

type listStreamsInput struct {
	Limit                    *int
	ExclusiveStartStreamName string
	NextToken                string // the name of the last stream told
}

type listStreamsOutput struct {
	StreamNames     []string
	StreamSummaries []streamSummary
	HasMoreStreams  bool
	NextToken       string `json:",omitempty"`
}

func (s *Service) listStreams(in listStreamsInput) (out listStreamsOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit, after := 100, max(in.ExclusiveStartStreamName, in.NextToken)
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 {
		return out, refusal("ValidationException", "Limit must be at least 1.")
	}
	out.StreamNames, out.StreamSummaries = []string{}, []streamSummary{}
	now := s.now()
	for _, name := range slices.Sorted(maps.Keys(s.streams)) {
		if name <= after || s.streams[name].account != account {
			continue
		}
		if len(out.StreamNames) == limit {
			out.HasMoreStreams, out.NextToken = true, out.StreamNames[limit-1]
			break
		}
		t := s.streams[name]
		t.settle(now)
		out.StreamNames = append(out.StreamNames, name)
		out.StreamSummaries = append(out.StreamSummaries, t.summary())
	}
	return out, nil
}
