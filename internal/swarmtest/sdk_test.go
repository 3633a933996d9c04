package swarmtest

import (
	"flag"
	"fmt"
	"log/slog"
	"testing"
	"time"
)

var logs = flag.Bool("logs", false, "tell the workers' logs (of the sdk world), with the virtual time")

// stamped writes lines with the time of the bubble.
type stamped struct{}

func (stamped) Write(line []byte) (int, error) {
	return fmt.Printf("%s %s", time.Now().Format("04:05.000"), line)
}

func init() {
	worlds["sdk"] = func(t *testing.T, p *Plan) World {
		if *logs {
			verbose = slog.New(slog.NewTextHandler(stamped{}, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		return SDK(t, p)
	}
}
