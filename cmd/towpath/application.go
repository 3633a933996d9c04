package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/reposition"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// whose are the flags that say which application, and what it reads.
func whose() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "application", Aliases: []string{"a"}, Usage: "`NAME` of the application, which names its tables"},
		&cli.StringFlag{Name: "table", Usage: "lease `TABLE`, if it is not named after the application"},
		&cli.StringFlag{Name: "sessions", Usage: "session `TABLE`, if it is not the application's name with -sessions"},
		&cli.StringFlag{Name: "stream", Aliases: []string{"s"}, Usage: "`NAME` or ARN of the Kinesis data stream that it reads"},
		&cli.StringFlag{Name: "changes-of", Usage: "`TABLE` of DynamoDB whose stream it reads, instead of -stream"},
	}
}

// moving are the flags of every command that moves positions.
func moving() []cli.Flag {
	return append(whose(),
		&cli.DurationFlag{Name: "silence", Usage: "for how long a worker does not answer before it counts as dead; at least the fleet's LeaseDuration (default 1m)"},
		&cli.DurationFlag{Name: "patience", Usage: "for how long the fleet may take to stand still (default 5m)"},
		yes(),
	)
}

// misnamed says what is missing of the flags of whose.
func misnamed(c *cli.Command) error {
	var problems []error
	if c.Args().Present() {
		problems = append(problems, fmt.Errorf("%s takes no arguments, and there is %q", c.Name, c.Args().First()))
	}
	if c.String("application") == "" {
		problems = append(problems, fmt.Errorf("%s needs -application NAME", c.Name))
	}
	if (c.String("stream") == "") == (c.String("changes-of") == "") {
		problems = append(problems, fmt.Errorf("%s needs -stream NAME or -changes-of TABLE, one of them", c.Name))
	}
	return errors.Join(problems...)
}

// leasesOf are the tables of an application.
func leasesOf(cfg aws.Config, application, table, sessions string, create bool) *dynamocheckpoint.Table {
	return dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), application, func(o *dynamocheckpoint.Options) {
		o.TableName, o.SessionTable = cmp.Or(table, o.TableName), cmp.Or(sessions, o.SessionTable)
		o.CreateTables = create
	})
}

// sourceOf is the stream that the flags of whose name.
func sourceOf(c *cli.Command, cfg aws.Config) shard.Source {
	if stream := c.String("stream"); stream != "" {
		return kinesisshards.Open(kinesis.NewFromConfig(cfg), stream)
	}
	return dynamoshards.Open(dynamodbstreams.NewFromConfig(cfg), c.String("changes-of"))
}

// Whose table an application's positions are taken from.
const (
	kindKCL    = "kcl"
	kindVMware = "vmware"
	kindHarlow = "harlow"
)

// rowsOf is the table that a fork is made from, and whether it lacks the ends of
// shards.
func rowsOf(c *cli.Command, cfg aws.Config) (rows reposition.Rows, noEnds bool) {
	name, table := c.String("from"), c.String("from-table")
	client := dynamodb.NewFromConfig(cfg)
	switch c.String("from-kind") {
	case kindVMware:
		return dynamocheckpoint.VMware(client, cmp.Or(table, name)), false
	case kindHarlow:
		stream := c.String("stream") // by its name, also where an ARN is given
		return dynamocheckpoint.Harlow(client, table, name, stream[strings.LastIndex(stream, "/")+1:]), true
	}
	return leasesOf(cfg, name, table, "", false), false
}

// mover is what moves the positions of the application that the flags name.
func mover(ctx context.Context, c *cli.Command, create bool) (*reposition.Mover, aws.Config, error) {
	cfg, err := environment(ctx, c)
	if err != nil {
		return nil, cfg, err
	}
	m, err := reposition.Open(reposition.Config{
		Leases: leasesOf(cfg, c.String("application"), c.String("table"), c.String("sessions"), create),
		Source: sourceOf(c, cfg), By: who(), Silence: c.Duration("silence"), Patience: c.Duration("patience"),
		Report: func(m shard.Move) { fmt.Fprintln(aside(c), printable(m.String())) },
	})
	if err != nil {
		return nil, cfg, usageError{err} // a name that is none
	}
	return m, cfg, nil
}

// who is who calls the command.
func who() string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed host"
	}
	return cmp.Or(os.Getenv("USER"), os.Getenv("USERNAME"), "somebody") + " on " + host
}
