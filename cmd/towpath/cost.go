package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/cost"
)

func costCommand() *cli.Command {
	return &cli.Command{
		Name:      "cost",
		Usage:     "work out what an application costs a month, here, with KCL and with Lambda",
		ArgsUsage: " ",
		Description: "The shape is given, or counted with -application: shards that are not finished, workers with a\n" +
			"session, and what the shards bring, as the workers measured it. What is given goes before what is\n" +
			"counted.\n\n" +
			"Included are DynamoDB, billed by request, and enhanced fan-out or the reading of an on-demand stream.\n" +
			"Not included are the stream itself, what handlers and destinations do, and the machines of the\n" +
			"workers, unless -worker-hour says what one costs. Lambda's price includes its computing.\n\n" +
			"Prices are those of us-east-1, us-east-2 and us-west-2; -prices FILE reads others, a JSON object of\n" +
			"the form of \"prices\" in -output json.\n\n" +
			"  towpath cost -shards 100 -workers 10 -records 5000\n" +
			"  towpath cost -a clickstream -s clicks -worker-hour 0.0416\n\n" +
			"Exit status: 0 with the sum; 3 if the lease table is not there or not allowed; 4 if AWS is not\n" +
			"reached. Without -application nothing is asked of AWS.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "shards", Usage: "`NUMBER` of shards that are leased"},
			&cli.IntFlag{Name: "workers", Usage: "`NUMBER` of processes that share them (default 1)"},
			&cli.FloatFlag{Name: "records", Usage: "`NUMBER` of records a second, over all shards (default 0, an idle fleet)"},
			&cli.IntFlag{Name: "record-bytes", Usage: "`SIZE` of one (default 1024)"},
			&cli.DurationFlag{Name: "checkpoint-interval", Usage: "`TIME` between two writes of a position (default 10s)"},
			&cli.DurationFlag{Name: "lease-duration", Usage: "LeaseDuration, KCL's failoverTimeMillis: `TIME` (default 10s)"},
			&cli.BoolFlag{Name: "fan-out", Usage: "read by enhanced fan-out"},
			&cli.BoolFlag{Name: "on-demand", Usage: "of an on-demand stream"},
			&cli.FloatFlag{Name: "worker-hour", Usage: "`DOLLARS` for an hour of one worker's machine"},
			&cli.IntFlag{Name: "batch", Usage: "records of one invocation of Lambda: `NUMBER` (default 100)"},
			&cli.DurationFlag{Name: "handler", Usage: "`TIME` that it takes (default 100ms)"},
			&cli.IntFlag{Name: "memory", Usage: "its memory: `MB` (default 128)"},
			&cli.StringFlag{Name: "region", Usage: "whose prices: `REGION` (default us-east-1)"},
			&cli.StringFlag{Name: "prices", Usage: "`FILE` with other prices"},
			&cli.StringFlag{Name: "application", Aliases: []string{"a"}, Usage: "`NAME` of an application to count"},
			&cli.StringFlag{Name: "table", Usage: "lease `TABLE`, if it is not named after the application"},
			&cli.StringFlag{Name: "sessions", Usage: "session `TABLE`, if it is not the application's name with -sessions"},
			&cli.StringFlag{Name: "stream", Aliases: []string{"s"}, Usage: "`NAME` or ARN of the Kinesis data stream that it reads, to see whether it is on demand"},
		},
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			shape := cost.Shape{
				Shards: c.Int("shards"), Workers: c.Int("workers"), Records: c.Float("records"), RecordBytes: c.Int("record-bytes"),
				CheckpointInterval: c.Duration("checkpoint-interval"), LeaseDuration: c.Duration("lease-duration"),
				FanOut: c.Bool("fan-out"), OnDemand: c.Bool("on-demand"),
			}
			prices, err := pricesOf(c)
			if c.Args().Present() {
				err = errors.Join(err, fmt.Errorf("cost takes no arguments, and there is %q", c.Args().First()))
			}
			if c.String("application") == "" && !c.IsSet("shards") {
				err = errors.Join(err, errors.New("cost needs -shards NUMBER, or -application NAME to count them"))
			}
			for _, name := range []string{"worker-hour", "batch", "memory"} {
				if n := c.Float(name) + float64(c.Int(name)); n < 0 {
					err = errors.Join(err, fmt.Errorf("-%s is below 0", name))
				} else if !(n <= 1e6) {
					err = errors.Join(err, fmt.Errorf("-%s is %v, want a million at most", name, n))
				}
			}
			if c.Duration("handler") < 0 {
				err = errors.Join(err, errors.New("-handler is below 0"))
			}
			if err != nil {
				return usageError{err}
			}
			if c.String("application") != "" {
				if err := count(ctx, c, &shape); err != nil {
					return err
				}
			}
			shape.Workers = cmp.Or(shape.Workers, 1)
			if err := shape.Validate(); err != nil {
				return usageError{err}
			}
			shape = shape.WithDefaults()
			function := cost.Function{BatchSize: c.Int("batch"), Memory: c.Int("memory"), Duration: c.Duration("handler")}
			bills := []cost.Bill{cost.Towpath(shape, prices), cost.KCL(2, shape, prices), cost.KCL(3, shape, prices)}
			if hour := c.Float("worker-hour"); hour > 0 {
				machines := cost.Part{Name: "machines of the workers", Dollars: hour * cost.Month.Hours() * float64(shape.Workers)}
				for i := range bills {
					bills[i].Parts = append(bills[i].Parts, machines)
				}
			}
			if shape.Records > 0 {
				bills = append(bills, cost.Lambda(shape, function, prices))
			}
			return printBills(c, shape, prices, bills, function.WithDefaults())
		},
	}
}

// pricesOf are the prices that the flags name.
func pricesOf(c *cli.Command) (cost.Prices, error) {
	file := c.String("prices")
	if file == "" {
		return cost.In(cmp.Or(c.String("region"), cost.Default))
	}
	if c.String("region") != "" {
		return cost.Prices{}, errors.New("-prices and -region exclude each other: the file names its region")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return cost.Prices{}, fmt.Errorf("read the prices: %w", err)
	}
	var p cost.Prices
	in := json.NewDecoder(strings.NewReader(string(text)))
	in.DisallowUnknownFields()
	if err := in.Decode(&p); err != nil {
		return p, fmt.Errorf("prices in %s: %w", file, err)
	}
	if err := errors.Join(unpriced(text), p.Validate()); err != nil {
		return p, fmt.Errorf("prices in %s: %w", file, err)
	}
	return p, nil
}

// unpriced says which prices a file leaves out: they would count as free.
func unpriced(text []byte) error {
	form, err := json.Marshal(cost.Prices{})
	if err != nil {
		return err
	}
	var has, all map[string]any
	if err := errors.Join(json.Unmarshal(text, &has), json.Unmarshal(form, &all)); err != nil {
		return err
	}
	var lacks []string
	for name, empty := range all {
		if _, isPrice := empty.(float64); isPrice && has[name] == nil {
			lacks = append(lacks, name)
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	slices.Sort(lacks)
	return fmt.Errorf("%s missing, and would count as free: give 0 for what you do not use", strings.Join(lacks, ", "))
}

// count fills in what the flags leave open from what is there.
func count(ctx context.Context, c *cli.Command, s *cost.Shape) error {
	cfg, err := environment(ctx, c)
	if err != nil {
		return err
	}
	leases := leasesOf(cfg, c.String("application"), c.String("table"), c.String("sessions"), false)
	if err := leases.Validate(); err != nil {
		return usageError{err}
	}
	rows, err := leases.List(ctx)
	if err != nil {
		return err
	}
	shards, load, mistrusted := 0, 0.0, 0
	owners := map[string]bool{}
	for _, row := range rows {
		if row.Fault != nil {
			mistrusted++
			continue
		}
		if !row.Finished() {
			shards, load = shards+1, load+row.Load
		}
		if row.Owner != "" {
			owners[row.Owner] = true
		}
	}
	sessions, err := leases.Sessions(ctx)
	if err != nil && !errors.Is(err, checkpoint.ErrNoTable) { // a fleet of KCL has none
		return err
	}
	workers := 0
	for _, w := range sessions {
		if w.Alive() {
			workers++
		}
	}
	described, err := dynamodb.NewFromConfig(cfg).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(cmp.Or(c.String("table"), c.String("application")))})
	if err != nil {
		return fmt.Errorf("describe the lease table: %w", err)
	}
	if n := aws.ToInt64(described.Table.ItemCount); n > 0 {
		s.RowBytes = int(aws.ToInt64(described.Table.TableSizeBytes) / n)
	}
	if !c.IsSet("shards") {
		s.Shards = max(1, shards)
	}
	if !c.IsSet("workers") {
		if workers == 0 {
			workers = len(owners) // KCL's
		}
		s.Workers = max(1, workers)
	}
	if !c.IsSet("records") {
		s.Records = load * 1024 / float64(s.WithDefaults().RecordBytes)
		if load == 0 {
			fmt.Fprintln(aside(c), "No row says what its shard brings, as those of KCL before 3 never do: it counts as nothing. Say -records if something comes in.")
		}
	}
	if mistrusted > 0 {
		fmt.Fprintf(aside(c), "%s cannot be believed and not counted.\n", counted(mistrusted, "row", "rows"))
	}
	if c.String("stream") == "" {
		return nil
	}
	in := &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(c.String("stream"))}
	if strings.HasPrefix(c.String("stream"), "arn:") {
		in = &kinesis.DescribeStreamSummaryInput{StreamARN: in.StreamName}
	}
	out, err := kinesis.NewFromConfig(cfg).DescribeStreamSummary(ctx, in)
	if err != nil {
		return fmt.Errorf("describe stream %s: %w", c.String("stream"), err)
	}
	if d := out.StreamDescriptionSummary; d != nil && d.StreamModeDetails != nil && !c.IsSet("on-demand") {
		s.OnDemand = d.StreamModeDetails.StreamMode == types.StreamModeOnDemand
	}
	return nil
}

// printBills writes a document, or the sums and the parts of the first.
func printBills(c *cli.Command, s cost.Shape, p cost.Prices, bills []cost.Bill, f cost.Function) error {
	if wantsJSON(c) {
		type bill struct {
			cost.Bill
			Total float64 `json:"dollars_per_month"`
		}
		var all []bill
		for _, b := range bills {
			all = append(all, bill{b, b.Total().Dollars})
		}
		return printJSON(c, struct {
			Shape      cost.Shape  `json:"shape"`
			Checkpoint float64     `json:"checkpoint_interval_seconds"`
			Lease      float64     `json:"lease_duration_seconds"`
			Prices     cost.Prices `json:"prices"`
			Bills      []bill      `json:"bills"`
		}{s, s.CheckpointInterval.Seconds(), s.LeaseDuration.Seconds(), p, all})
	}
	how := "polling"
	if s.FanOut {
		how = "enhanced fan-out"
	}
	if s.OnDemand {
		how += " of an on-demand stream"
	}
	load := "idle"
	if s.Records > 0 {
		load = fmt.Sprintf("%s records/s of %d bytes, positions written every %s", cost.Thousands(s.Records), s.RecordBytes, short(s.CheckpointInterval))
	}
	if _, err := fmt.Fprintf(c.Root().Writer, "%s, %s, %s, %s; prices of %s since %s\n\n",
		counted(s.Shards, "shard", "shards"), counted(s.Workers, "worker", "workers"), load, how, p.Region, p.Since); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	t := newTable(c, "FOR", "WHAT", "WRITES/S", "READS/S", "$/MONTH")
	for i, b := range bills {
		name := b.Of
		if i == 0 {
			for _, part := range b.Parts {
				t.row(quiet, name, part.Name, figure(part.Writes), figure(part.Reads), figure(part.Dollars))
			}
		}
		sum := b.Total()
		t.row(strong, name, "total", figure(sum.Writes), figure(sum.Reads), figure(sum.Dollars))
	}
	if err := t.print(); err != nil {
		return err
	}
	var without []string
	if !c.IsSet("worker-hour") {
		without = append(without, "The machines of the workers are not in it (-worker-hour).")
	}
	if s.Records > 0 {
		without = append(without, fmt.Sprintf("Lambda's computing is: batches of %d, %s each, with %d MB.", f.BatchSize, short(f.Duration), f.Memory))
	}
	if len(without) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(c.Root().Writer, "\n%s\n", strings.Join(without, " ")); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// figure is a number in a table; nothing for none.
func figure(n float64) string {
	switch {
	case n == 0:
		return ""
	case n < 0.05:
		return "<0.1"
	}
	return cost.Thousands(n)
}
