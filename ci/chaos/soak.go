package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	warmUp         = 0.25 // of a soak, whose samples are not judged
	mostSlope      = 1.0  // MiB an hour
	mostGoroutines = 1.25 // of what there were at least
	mostFDs        = 1.25
)

// usage is what workers that were there from beginning to end have used: the
// worst of them.
type usage struct {
	Watched         int     `json:"immortals"`
	RSSSlope        float64 `json:"rss_slope_mib_per_hour"`  // after the warm-up
	LiveSlope       float64 `json:"live_slope_mib_per_hour"` // likewise, of what a collection found to be in use
	LiveFirst       float64 `json:"live_first_mib"`
	LiveLast        float64 `json:"live_last_mib"`
	RSSFirst        float64 `json:"rss_first_mib"`    // the mean of the first tenth behind the warm-up
	RSSLast         float64 `json:"rss_last_mib"`     // and of the last tenth
	GoroutinesFirst float64 `json:"goroutines_first"` // the mean of that tenth, and so on
	GoroutinesLast  float64 `json:"goroutines_last"`
	FDsFirst        float64 `json:"fds_first"`
	FDsLast         float64 `json:"fds_last"`
	// The least of each tenth is what is judged: what leaks is never given back,
	// and how many calls are under way depends on how busy the machine is.
	GoroutinesFloorFirst float64 `json:"goroutines_floor_first"`
	GoroutinesFloorLast  float64 `json:"goroutines_floor_last"`
	FDsFloorFirst        float64 `json:"fds_floor_first"`
	FDsFloorLast         float64 `json:"fds_floor_last"`
}

// sampled is what one process uses at one time.
type sampled struct {
	at                         time.Duration
	rss, live, goroutines, fds float64
}

// usage judges the samples of the workers that were never killed.
func (g *stage) usage() (*usage, error) {
	text, err := os.ReadFile(filepath.Join(g.folder, "samples"))
	if err != nil {
		return nil, fmt.Errorf("read the samples: %w", err)
	}
	of := map[string][]sampled{}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 6 {
			continue // cut off by a kill
		}
		var n [5]float64
		for i := range n {
			n[i], _ = strconv.ParseFloat(f[i+1], 64) // written by this program
		}
		of[f[0]] = append(of[f[0]], sampled{time.Duration(n[0]), n[1] / 1024, n[2] / 1024, n[3], n[4]})
	}
	u := &usage{}
	for i := range g.immortals { // the first workers that were started
		u.add(of[fmt.Sprintf("w%d", i+1)])
	}
	var problems []error
	if u.Watched < g.immortals {
		problems = append(problems, fmt.Errorf("only %d of %d workers have enough samples", u.Watched, g.immortals))
	}
	if u.RSSSlope >= mostSlope {
		problems = append(problems, fmt.Errorf("memory grows by %.2f MiB an hour", u.RSSSlope))
	}
	if u.LiveSlope >= mostSlope {
		problems = append(problems, fmt.Errorf("what the heap has in use grows by %.2f MiB an hour", u.LiveSlope))
	}
	if u.GoroutinesFloorLast > mostGoroutines*u.GoroutinesFloorFirst {
		problems = append(problems, fmt.Errorf("goroutines grow from %.0f at least to %.0f", u.GoroutinesFloorFirst, u.GoroutinesFloorLast))
	}
	if u.FDsFloorLast > mostFDs*u.FDsFloorFirst {
		problems = append(problems, fmt.Errorf("file descriptors grow from %.0f at least to %.0f", u.FDsFloorFirst, u.FDsFloorLast))
	}
	return u, errors.Join(problems...)
}

// add takes one worker's samples.
func (u *usage) add(all []sampled) {
	all = all[int(warmUp*float64(len(all))):]
	if len(all) < 2 {
		return
	}
	tenth := max(1, len(all)/10)
	rss := func(s sampled) float64 { return s.rss }
	grows := slope(all, rss)
	if u.Watched == 0 || grows > u.RSSSlope {
		u.RSSSlope = round(grows)
		u.RSSFirst, u.RSSLast = round(mean(all[:tenth], rss)), round(mean(all[len(all)-tenth:], rss))
	}
	live := func(s sampled) float64 { return s.live }
	if grows := slope(all, live); u.Watched == 0 || grows > u.LiveSlope {
		u.LiveSlope = round(grows)
		u.LiveFirst, u.LiveLast = round(mean(all[:tenth], live)), round(mean(all[len(all)-tenth:], live))
	}
	goroutines := func(s sampled) float64 { return s.goroutines }
	if last := mean(all[len(all)-tenth:], goroutines); last > u.GoroutinesLast {
		u.GoroutinesFirst, u.GoroutinesLast = round(mean(all[:tenth], goroutines)), round(last)
	}
	fds := func(s sampled) float64 { return s.fds }
	if last := mean(all[len(all)-tenth:], fds); last > u.FDsLast {
		u.FDsFirst, u.FDsLast = round(mean(all[:tenth], fds)), round(last)
	}
	if last := least(all[len(all)-tenth:], goroutines); last > u.GoroutinesFloorLast {
		u.GoroutinesFloorFirst, u.GoroutinesFloorLast = least(all[:tenth], goroutines), last
	}
	if last := least(all[len(all)-tenth:], fds); last > u.FDsFloorLast {
		u.FDsFloorFirst, u.FDsFloorLast = least(all[:tenth], fds), last
	}
	u.Watched++
}

// slope is by how much a value grows in an hour: the line with the least squares.
func slope(all []sampled, value func(sampled) float64) float64 {
	hours := func(s sampled) float64 { return s.at.Hours() }
	x, y := mean(all, hours), mean(all, value)
	var above, below float64
	for _, s := range all {
		above += (hours(s) - x) * (value(s) - y)
		below += (hours(s) - x) * (hours(s) - x)
	}
	if below == 0 {
		return 0
	}
	return above / below
}

func mean(all []sampled, value func(sampled) float64) float64 {
	var sum float64
	for _, s := range all {
		sum += value(s)
	}
	return sum / float64(len(all))
}

func least(all []sampled, value func(sampled) float64) float64 {
	low := value(all[0])
	for _, s := range all {
		low = min(low, value(s))
	}
	return low
}

func round(f float64) float64 {
	n, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', 2, 64), 64) // of its own making
	return n
}
