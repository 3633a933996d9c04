package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/tape"
)

func playCommand() *cli.Command {
	return &cli.Command{
		Name:      "play",
		Usage:     "put the events of a file into a stream, at their own pace or a multiple of it",
		ArgsUsage: " ",
		Description: `The file is one that record wrote, or any lines of JSON with -key-field, each of which becomes a
record under the key that stands there. A line that is neither is refused with its number, before
anything is put.

The first event is put at once, and the others as long after it as they arrived after it, divided by
-speed. Of one key the next event is put when the stream has accepted the one before it, so that its
order holds also where shards are throttled; so a single key goes no faster than one call after the
other, some 100 a second. A stream that is slower is caught up with as soon as it takes more.

If it is interrupted, it says how to go on: -skip N. Events behind that place which the stream had
accepted come twice; how many is said.

Without a terminal to ask on, nothing is put unless -yes is given. Events from standard input need it.

Examples:
  towpath play -stream copy -file noon.ndjson -yes
  towpath play -stream copy -file noon.ndjson -speed 10
  towpath play -stream copy -file noon.ndjson -speed max -rate 500
  towpath play -stream copy -file orders.ndjson -key-field .customer.id -time-field .created_at`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "stream", Aliases: []string{"s"}, Usage: "`NAME` or ARN of the Kinesis data stream to put into"},
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Value: "-", Usage: "`FILE` to play; - is standard input"},
			&cli.StringFlag{Name: "speed", Value: "1", Usage: "`N` times the pace of arrival, or max for no pace at all"},
			&cli.FloatFlag{Name: "rate", Usage: "put at most `N` events a second"},
			&cli.IntFlag{Name: "skip", Usage: "pass over the first `N` events, which an earlier run has put"},
			&cli.StringFlag{Name: "key-field", Usage: "the file has plain JSON; the key stands at `PATH`, such as .user.id"},
			&cli.StringFlag{Name: "time-field", Usage: "with -key-field: the time stands at `PATH`, as RFC 3339 or seconds or milliseconds since 1970 (default: none, and -speed does not matter)"},
			yes(),
		},
		OnUsageError: calledWrongly,
		Action:       play,
	}
}

// paceOf is what the flags say of the pace.
func paceOf(c *cli.Command) (tape.Pace, error) {
	p := tape.Pace{Rate: c.Float("rate")}
	var problems []error
	switch text := c.String("speed"); text {
	case "max":
		p.Unpaced = true
	default:
		speed, err := strconv.ParseFloat(text, 64)
		if err != nil || !(speed > 0) || speed > 1e9 {
			problems = append(problems, fmt.Errorf("-speed %q: want a number above 0, or max", text))
		}
		p.Speed = speed
	}
	if c.IsSet("rate") && !(p.Rate > 0 && p.Rate <= 1e9) {
		problems = append(problems, fmt.Errorf("-rate %v: want more than 0 events a second", p.Rate))
	}
	return p, errors.Join(problems...)
}

// eventsOf reads events as the flags say.
func eventsOf(c *cli.Command, from io.Reader) (*tape.Reader, error) {
	if field := c.String("key-field"); field != "" {
		return tape.NewPlainReader(from, field, c.String("time-field"))
	}
	if c.String("time-field") != "" {
		return nil, errors.New("-time-field is for plain JSON, which -key-field asks for")
	}
	return tape.NewReader(from), nil
}

func play(ctx context.Context, c *cli.Command) error {
	pace, err := paceOf(c)
	problems := []error{err}
	if c.Args().Present() {
		problems = append(problems, fmt.Errorf("play takes no arguments, and there is %q: name the file with -file", c.Args().First()))
	}
	if c.String("stream") == "" {
		problems = append(problems, errors.New("play needs -stream NAME"))
	}
	if c.Int("skip") < 0 {
		problems = append(problems, fmt.Errorf("-skip %d: want 0 or more", c.Int("skip")))
	}
	_, err = eventsOf(c, nil)
	problems = append(problems, err)
	from, survey, err := surveyed(c)
	if err := errors.Join(append(problems, err)...); err != nil {
		return usageError{err}
	}
	defer from.Close()
	cfg, err := environment(ctx, c)
	if err != nil {
		return err
	}
	planned, err := playPlan(ctx, c, cfg, survey, pace)
	if err != nil {
		return err
	}
	if err := planned.print(c); err != nil {
		return err
	}
	if do, err := agreed(c); err != nil || !do {
		return err
	}
	events, err := eventsOf(c, from)
	if err != nil {
		return err
	}
	ctx, stop := undisturbed(ctx) // how to go on is said, whatever ends it
	defer stop()
	p, said := newProgress(c), time.Now()
	played, err := tape.Play(ctx, tape.Config{
		Events: events.Next, Into: tape.Into(kinesis.NewFromConfig(cfg), c.String("stream")), Pace: pace, Skip: c.Int("skip"),
		Tell: func(now tape.Played) {
			p.say(now.Put, planned.Events, "%s put, %s late", counted(now.Put, "event", "events"), cmp.Or(short(now.Late), "0s"))
			if wantsJSON(c) && time.Since(said) >= time.Second {
				said = time.Now()
				_ = printLine(c, endOf("progress", now, p.took()))
			}
		},
	})
	p.clear()
	return playedTo(ctx, c, played, p.took(), err)
}

// surveyed opens the file and reads it once. Standard input is read once only, and
// is not surveyed.
func surveyed(c *cli.Command) (io.ReadCloser, *tape.Survey, error) {
	name := c.String("file")
	if name == "-" {
		if !c.Bool("yes") {
			return nil, nil, errors.New("events from standard input need -yes, as it cannot be asked for an answer")
		}
		return io.NopCloser(c.Root().Reader), nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("-file: %w", err)
	}
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, nil, errors.Join(fmt.Errorf("-file %s is no file that can be read twice: give it as standard input, with -yes", name), f.Close())
	}
	events, err := eventsOf(c, f)
	if err != nil {
		return nil, nil, f.Close() // what is wrong is said already
	}
	survey, err := tape.Look(events.Next, max(c.Int("skip"), 0))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return f, &survey, nil
}

// planOfPlay is what play is about to do, in the form of -output json.
type planOfPlay struct {
	Event    string   `json:"event"`
	File     string   `json:"file"`
	Stream   string   `json:"stream"`
	Shards   int      `json:"shards"`
	Skip     int      `json:"skip,omitempty"`
	Events   int      `json:"events,omitempty"`
	Keys     int      `json:"keys,omitempty"`
	Bytes    int64    `json:"bytes,omitempty"`
	Takes    float64  `json:"takes_seconds,omitempty"`
	Warnings []string `json:"warnings,omitempty"`

	known bool
	pace  tape.Pace
	span  time.Duration
}

// What a shard takes in a second,
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html.
const (
	shardPuts     = 1000
	shardPutBytes = 1_000_000
)

func playPlan(ctx context.Context, c *cli.Command, cfg aws.Config, s *tape.Survey, pace tape.Pace) (*planOfPlay, error) {
	p := &planOfPlay{Event: "plan", File: c.String("file"), Skip: c.Int("skip"), pace: pace}
	source := kinesisshards.Open(kinesis.NewFromConfig(cfg), c.String("stream"))
	if err := source.Validate(); err != nil {
		return nil, usageError{err}
	}
	stream, err := source.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("describe the stream: %w", err)
	}
	listed, err := source.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the shards: %w", err)
	}
	p.Stream = stream.Name
	for _, one := range listed {
		if one.Open() {
			p.Shards++
		}
	}
	if s == nil {
		return p, nil
	}
	takes := s.Takes(pace)
	p.known, p.Events, p.Keys, p.Bytes, p.Takes, p.span = true, s.Events, s.Keys, s.Bytes, takes.Seconds(), s.Last.Sub(s.First)
	warn := func(is bool, format string, args ...any) {
		if is {
			p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
		}
	}
	most := max(float64(s.Events)/shardPuts, float64(s.Bytes)/shardPutBytes) / float64(max(p.Shards, 1))
	warn(most > 1 && most > takes.Seconds(), "the stream needs at least %s for that: a shard takes %d records and 1 MB a second",
		short(time.Duration(most*float64(time.Second))), shardPuts)
	warn(s.Back > 0 && !pace.Unpaced, "%s arrived before the one in front, and %s put without a wait",
		counted(s.Back, "event", "events"), map[bool]string{true: "is", false: "are"}[s.Back == 1])
	warn(s.First.IsZero() && s.Events > 1 && !pace.Unpaced && pace.Rate == 0, "no event says when it arrived: all are put at once")
	return p, nil
}

func (p *planOfPlay) print(c *cli.Command) error {
	if wantsJSON(c) {
		return printLine(c, p)
	}
	file := p.File
	if file == "-" {
		file = "standard input"
	}
	text := fmt.Sprintf("play %s into %s, which has %s", file, p.Stream, counted(p.Shards, "open shard", "open shards"))
	if p.known {
		text += fmt.Sprintf(": %s, %s, %s", counted(p.Events, "event", "events"), counted(p.Keys, "key", "keys"), sized(p.Bytes))
		switch {
		case p.pace.Unpaced && p.pace.Rate == 0:
			text += ", as fast as the stream takes them"
		case p.span > 0 && !p.pace.Unpaced:
			text += fmt.Sprintf("; %s of arrivals take %s", short(p.span), short(time.Duration(p.Takes*float64(time.Second))))
		case p.Takes > 0:
			text += ", in " + short(time.Duration(p.Takes*float64(time.Second)))
		}
	}
	if p.Skip > 0 {
		text += fmt.Sprintf("; the first %s are passed over", grouped(p.Skip))
	}
	for _, w := range p.Warnings {
		text += "\nwarning: " + w
	}
	if _, err := fmt.Fprintln(c.Root().Writer, harmlessText(text)); err != nil {
		return fmt.Errorf("nothing is put: print the plan: %w", err)
	}
	return nil
}

// playEnd is how far play came, in the form of -output json.
type playEnd struct {
	Event string  `json:"event"`
	Put   int     `json:"put"`
	Bytes int64   `json:"bytes"`
	Next  int     `json:"next"`
	Twice int     `json:"twice,omitempty"`
	Late  float64 `json:"late_seconds,omitempty"`
	Took  float64 `json:"took_seconds"`
}

func endOf(event string, p tape.Played, took time.Duration) playEnd {
	return playEnd{event, p.Put, p.Bytes, p.Next, p.Twice, p.Late.Seconds(), took.Seconds()}
}

// playedTo says how it ended, and how to go on if it was not at the end.
func playedTo(ctx context.Context, c *cli.Command, p tape.Played, took time.Duration, err error) error {
	if wantsJSON(c) {
		event := "done"
		if err != nil {
			event = "ended"
		}
		err = errors.Join(err, printLine(c, endOf(event, p, took)))
	}
	if err == nil {
		if !wantsJSON(c) {
			_, err = fmt.Fprintf(c.Root().Writer, "%s put, %s, in %s\n", counted(p.Put, "event", "events"), sized(p.Bytes), short(took))
		}
		return err
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if p.Next == 0 && p.Put == 0 {
		return fmt.Errorf("%w; nothing was put", err)
	}
	twice := ""
	if p.Twice > 0 {
		twice = fmt.Sprintf(" (which repeats %s)", counted(p.Twice, "event", "events"))
	}
	// Of a call that AWS refuses for what is in it, the first event that stays is it.
	if errors.Is(err, destination.ErrRefused) && statusOf(err) == exitFailed {
		twice += fmt.Sprintf(", or with -skip %d without the one that was refused", p.Next+1)
	}
	return fmt.Errorf("%s put: %w; go on with -skip %d%s", counted(p.Put, "event", "events"), err, p.Next, twice)
}
