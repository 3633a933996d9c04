package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// KinesisClient is what is asked of Kinesis beside what the source asks.
// *kinesis.Client satisfies it.
type KinesisClient interface {
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error)
	DescribeStreamConsumer(context.Context, *kinesis.DescribeStreamConsumerInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamConsumerOutput, error)
	ListStreamConsumers(context.Context, *kinesis.ListStreamConsumersInput, ...func(*kinesis.Options)) (*kinesis.ListStreamConsumersOutput, error)
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

// DynamoClient is what is asked of DynamoDB. *dynamodb.Client satisfies it.
type DynamoClient interface {
	dynamocheckpoint.Client
	DescribeContinuousBackups(context.Context, *dynamodb.DescribeContinuousBackupsInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeContinuousBackupsOutput, error)
	DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
}

// Config says what is looked over. Application, Table, Dynamo and Source are
// required.
type Config struct {
	// Application is the application's name.
	Application string
	// Table are its tables.
	Table *dynamocheckpoint.Table
	// Dynamo is where they are.
	Dynamo DynamoClient
	// Source is the stream, read one record at a time (Options.Limit of its driver),
	// as only the distance to the tip is looked at.
	Source shard.Source
	// Sample is the stream again, for a sample of a minute of each shard; nil is
	// none, and loads are taken from the rows.
	Sample shard.Source
	// Kinesis is asked for what only its streams have; nil for a DynamoDB stream.
	Kinesis KinesisClient
	// Changes is the table whose stream is read; empty for Kinesis.
	Changes string
	// FanOut is the name of the fan-out consumer that the workers use; empty if
	// they poll.
	FanOut string
	// Modes are what workers do, whose calls are tried. Default: reading the stream
	// and keeping leases.
	Modes []iam.Mode
	// ProbeWrites has writes tried that cannot take effect: see the package.
	ProbeWrites bool
	// Watch is the time between the two looks at the fleet; default 3 s. Workers
	// beat every tenth of their LeaseDuration: of a shorter watch it looks as if they
	// did not.
	Watch time.Duration
	// Version is that of the tool, for the report.
	Version string
}

// Validate says what is missing, all at once.
func (c Config) Validate() error {
	var problems []error
	need := func(there bool, what string) {
		if !there {
			problems = append(problems, fmt.Errorf("doctor: Config.%s is missing", what))
		}
	}
	need(c.Application != "", "Application")
	need(c.Table != nil, "Table")
	need(c.Dynamo != nil, "Dynamo")
	need(c.Source != nil, "Source")
	need((c.Kinesis != nil) != (c.Changes != ""), "Kinesis or Changes, one of them,")
	if c.Watch < 0 {
		problems = append(problems, fmt.Errorf("doctor: Config.Watch is %v, want 0 (the default) or more", c.Watch))
	}
	return errors.Join(problems...)
}

// gathering is one go at the facts.
type gathering struct {
	Config
	Facts
	keys map[dynamocheckpoint.TableRole][]string // the key attributes of tables that are there
	// undescribed are the names of tables that may not be described.
	undescribed []string
	unseen      bool // the tables beside KCL's leases may not be read
}

// Gather asks for the facts. It is an error only if nothing can be looked at: the
// stream is not there or not answered for, or the lease table may not be read.
// With a lease table that is not there (checkpoint.ErrNoTable) come the facts of
// everything else, what the workers are allowed of the stream among them.
func Gather(ctx context.Context, cfg Config) (Facts, error) {
	if err := cfg.Validate(); err != nil {
		return Facts{}, err
	}
	if cfg.Watch == 0 {
		cfg.Watch = 3 * time.Second
	}
	g := &gathering{Config: cfg, keys: map[dynamocheckpoint.TableRole][]string{}}
	g.Facts.Application, g.Facts.FanOut, g.Facts.Version = cfg.Application, cfg.FanOut, cfg.Version
	g.Attributes = map[string]int{}
	if err := g.stream(ctx); err != nil {
		return g.Facts, err
	}
	if err := g.tables(ctx); err != nil {
		return g.Facts, err
	}
	missing := g.fleet(ctx)
	if missing != nil && !errors.Is(missing, checkpoint.ErrNoTable) {
		return g.Facts, missing
	}
	g.positions(ctx)
	g.sample(ctx)
	g.probe(ctx)
	if err := context.Cause(ctx); err != nil {
		return g.Facts, err
	}
	return g.Facts, missing
}

// unanswered notes what could not be asked, once: there are two looks.
func (g *gathering) unanswered(what string, err error) {
	said := slices.ContainsFunc(g.Unanswered, func(u Unanswered) bool { return u.What == what })
	if err != nil && !said {
		g.Unanswered = append(g.Unanswered, Unanswered{What: what, Err: err})
	}
}

// stream asks which stream it is.
func (g *gathering) stream(ctx context.Context) (err error) {
	if g.Stream, err = g.Source.Describe(ctx); err != nil {
		return err
	}
	g.HostNow = time.Now()
	if g.Shards, err = g.Source.List(ctx); err != nil {
		return fmt.Errorf("list the shards: %w", err)
	}
	if g.Config.Changes != "" {
		out, err := g.Dynamo.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &g.Config.Changes})
		g.unanswered("whether the stream of table "+g.Config.Changes+" is enabled", err)
		if err == nil {
			g.Facts.Changes = &ChangesOf{}
			if s := out.Table.StreamSpecification; s != nil {
				g.Facts.Changes.Enabled, g.Facts.Changes.View = aws.ToBool(s.StreamEnabled), string(s.StreamViewType)
			}
		}
		return nil
	}
	out, err := g.Config.Kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamARN: &g.Stream.ARN})
	if err != nil {
		g.unanswered("the state of the stream", err)
		return nil
	}
	d := out.StreamDescriptionSummary
	g.Facts.Kinesis = &KinesisStream{Status: string(d.StreamStatus), Key: aws.ToString(d.KeyId)}
	if d.StreamModeDetails != nil {
		g.Facts.Kinesis.Mode = string(d.StreamModeDetails.StreamMode)
	}
	in := &kinesis.ListStreamConsumersInput{StreamARN: &g.Stream.ARN}
	for {
		page, err := g.Config.Kinesis.ListStreamConsumers(ctx, in)
		if err != nil {
			g.unanswered("which consumers are registered for enhanced fan-out", err)
			return nil
		}
		for _, c := range page.Consumers {
			g.Facts.Kinesis.Consumers = append(g.Facts.Kinesis.Consumers, Consumer{Name: aws.ToString(c.ConsumerName), Status: string(c.ConsumerStatus)})
		}
		if in = (&kinesis.ListStreamConsumersInput{StreamARN: &g.Stream.ARN, NextToken: page.NextToken}); page.NextToken == nil {
			g.Facts.Kinesis.Listed = true
			return nil
		}
	}
}

// pause is the time between the two looks.
func (g *gathering) pause(ctx context.Context) error {
	g.Apart = g.Watch
	return clock.Sleep(ctx, g.Watch)
}
