package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/towpath/towpath/shard"
)

// places is how a place in a stream is written on the command line.
const places = "horizon, tip, a time such as 2026-05-04T12:30:00Z, or SEQUENCE[/SUB]"

// placeOf reads the place that a flag says.
func placeOf(flag, text string) (shard.Position, error) {
	switch strings.ToLower(text) {
	case "horizon":
		return shard.TrimHorizon(), nil
	case "tip":
		return shard.Latest(), nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return shard.AtTime(at), nil
	}
	number, index, indexed := strings.Cut(text, "/")
	p := shard.After(number, 0)
	if indexed {
		sub, err := strconv.ParseInt(index, 10, 64)
		if err != nil {
			return p, fmt.Errorf("-%s %q is no place: want %s", flag, text, places)
		}
		p.Sub = sub
	}
	if !p.IsRecord() || p.Validate() != nil || number == "" {
		return p, fmt.Errorf("-%s %q is no place: want %s", flag, text, places)
	}
	return p, nil
}
