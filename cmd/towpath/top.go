package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kinesisshards"
)

func topCommand() *cli.Command {
	return &cli.Command{
		Name:      "top",
		Usage:     "show a fleet live: workers, and the shards that are furthest behind",
		ArgsUsage: " ",
		Description: "With -stream each shard that is shown is asked for the first record behind its position, which\n" +
			"takes one of the five reads a second that a shard grants to all its readers, every -every; what\n" +
			"is not asked is by the row, ≤. STILL is since when no new position was seen.\n\n" +
			"-once prints one frame, as wide and high as it is told; -output json prints a document a look.\n\n" +
			"Keys: q quit; b s o l t sort by behind, shard, owner, load, still; e shows those that have ended;\n" +
			"space pauses; arrows scroll.\n\n" + onlyLooks,
		Flags: append(whose(), silenceFlag(),
			&cli.DurationFlag{Name: "every", Value: 2 * time.Second, Usage: "how often it is looked"},
			&cli.BoolFlag{Name: "probe", Value: true, Usage: "ask the stream how far behind the shards are that are shown, which it does unless told -probe=false"},
			&cli.BoolFlag{Name: "once", Usage: "print one frame, after two looks, and end"},
			&cli.IntFlag{Name: "width", Usage: "`CHARACTERS` of a line with -once (default: the terminal's, or 80)"},
			&cli.IntFlag{Name: "height", Usage: "`LINES` of a frame with -once (default: the terminal's, or 24)"},
			&cli.StringFlag{Name: "sort", Value: byBehind, Usage: "`BY` what shards are sorted: behind, shard, owner, load or still"},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := topUsage(c); err != nil {
				return err
			}
			view, cfg, err := viewOf(ctx, c)
			if err != nil {
				return err
			}
			t := &top{view: view, every: c.Duration("every"), show: screen{Application: applicationOf(c), Sort: c.String("sort")}, out: c.Root().Writer, color: colored(c)}
			if c.Bool("probe") {
				t.source = glancing(c, cfg)
			}
			t.width, t.height = sizeOf(t.out)
			if n := c.Int("width"); n > 0 {
				t.width = n
			}
			if n := c.Int("height"); n > 0 {
				t.height = n
			}
			ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			switch {
			case c.Bool("once"):
				return t.once(ctx, c)
			case wantsJSON(c):
				return ended(ctx, t.print(ctx, c))
			}
			return ended(ctx, t.live(ctx, c.Root().Reader))
		},
	}
}

func topUsage(c *cli.Command) error {
	problems := []error{unnamed(c, false)}
	if every := c.Duration("every"); every < 100*time.Millisecond {
		problems = append(problems, fmt.Errorf("-every %s asks too much: want 100ms or more", every))
	}
	if _, ok := sortKeys[c.String("sort")]; !ok {
		problems = append(problems, fmt.Errorf("-sort %q: want behind, shard, owner, load or still", c.String("sort")))
	}
	if !c.Bool("once") && !wantsJSON(c) && (!isTerminal(c.Root().Writer) || !isTerminal(c.Root().Reader)) {
		problems = append(problems, errors.New("top is live on a terminal, and this is none: add -once for one frame, or -output json"))
	}
	if err := errors.Join(problems...); err != nil {
		return usageError{err}
	}
	return nil
}

// ended is the error of a run that somebody ended, which is none.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// glancing is the source by which shards are asked for one record; nil if there is
// no stream.
func glancing(c *cli.Command, cfg aws.Config) shard.Source {
	if stream := c.String("stream"); stream != "" {
		return kinesisshards.Open(kinesis.NewFromConfig(cfg), stream, func(o *kinesisshards.Options) { o.Limit = 1 })
	}
	if table := c.String("changes-of"); table != "" {
		return dynamoshards.Open(dynamodbstreams.NewFromConfig(cfg), table, func(o *dynamoshards.Options) { o.Limit = 1 })
	}
	return nil
}

// top looks and draws.
type top struct {
	view          overview.Config
	source        shard.Source // nil asks nobody
	every         time.Duration
	out           io.Writer
	color         bool
	width, height int
	show          screen
}

// remembered is how many looks the line of the past shows.
const remembered = 200

// look takes the next picture, and asks the shards that it will show.
func (t *top) look(ctx context.Context, s screen) (screen, error) {
	f, err := overview.Look(ctx, t.view)
	if f == nil {
		return s, err
	}
	t.view.Before, s.Fleet = f, f
	s.Trouble = ""
	if err != nil {
		s.Trouble = oneLine(sentenceOf(err, statusOf(err)))
	}
	probed, probeErr := t.probe(ctx, s)
	s.Probed = probed
	if probeErr != nil && s.Trouble == "" {
		s.Trouble = oneLine(sentenceOf(probeErr, statusOf(probeErr)))
	}
	worst, _ := s.worst()
	s.Past = append(s.Past[max(0, len(s.Past)-remembered+1):len(s.Past):len(s.Past)], worst)
	return s, ctx.Err()
}

// probes is how many shards are asked at a look, and at once.
const (
	probes       = 200
	probesAtOnce = 16
)

// probe asks how far behind the shards are that will be shown.
func (t *top) probe(ctx context.Context, s screen) (map[string]time.Duration, error) {
	if t.source == nil || s.Fleet.Stream.ARN == "" {
		return nil, nil
	}
	stream := shard.Stream{
		ARN: s.Fleet.Stream.ARN, Name: s.Fleet.Stream.Name, CreatedAt: s.Fleet.Stream.CreatedAt, Retention: s.Fleet.Stream.Retention.Of(), Now: s.Fleet.At,
	}
	behind, mu := map[string]time.Duration{}, sync.Mutex{} // mu guards behind
	asking, run := errgroup.WithContext(ctx)
	asking.SetLimit(probesAtOnce)
	asked := 0
	for _, d := range s.sorted() {
		if at, ok := d.At(); !ok || at.IsEnd() || !d.Listed || asked == probes {
			continue
		}
		asked++
		asking.Go(func() error {
			p, err := pageBehind(run, t.source, d.Start(stream))
			if errors.Is(err, shard.ErrThrottled) || errors.Is(err, shard.ErrNoShard) {
				return nil // it is shown by its row
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			behind[d.Key] = p.behind(time.Now())
			return nil
		})
	}
	return behind, asking.Wait()
}

// once prints one frame or one document. It looks twice, so that it is seen who
// lives.
func (t *top) once(ctx context.Context, c *cli.Command) error {
	s, err := t.look(ctx, t.show)
	if err == nil {
		err = pause(ctx, t.every)
	}
	if err == nil {
		s, err = t.look(ctx, s)
	}
	if err != nil {
		return err
	}
	if wantsJSON(c) {
		return printJSON(c, wholeOf(c, s))
	}
	if _, err := fmt.Fprintln(t.out, frame(s, t.width, t.height, t.color)); err != nil {
		return fmt.Errorf("write the frame: %w", err)
	}
	return nil
}

// wholeOf is a picture as a document, with the shards as they were asked.
func wholeOf(c *cli.Command, s screen) any {
	d := documentOf(c, s.Fleet)
	d.Workers, d.Shards = s.Fleet.Workers, s.Fleet.Shards
	probed := map[string]overview.Seconds{}
	for key, behind := range s.Probed {
		probed[key] = overview.Seconds(behind)
	}
	return struct {
		document
		Behind map[string]overview.Seconds `json:"behind_seconds,omitempty"`
	}{d, probed}
}

// print prints a document a look, a line each.
func (t *top) print(ctx context.Context, c *cli.Command) error {
	s := t.show
	for {
		var err error
		if s, err = t.look(ctx, s); err != nil {
			return err
		}
		if err := printLine(c, wholeOf(c, s)); err != nil {
			return err
		}
		if err := pause(ctx, t.every); err != nil {
			return err
		}
	}
}
