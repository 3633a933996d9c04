package main

import (
	"time"

	"github.com/towpath/towpath/reposition"
)

// planned is a move of positions as a document.
type planned struct {
	Done     bool          `json:"done"`
	What     string        `json:"what"`
	Kind     string        `json:"kind"`
	Shard    string        `json:"shard,omitempty"`
	Planned  time.Time     `json:"planned"`
	Rows     int           `json:"rows_written"`
	Steps    []plannedStep `json:"steps"`
	Warnings []string      `json:"warnings"`
}

// plannedStep is what becomes of one shard. How much is repeated or skipped is left
// out if it is not known.
type plannedStep struct {
	Shard   string         `json:"shard"`
	Do      string         `json:"do"`
	From    string         `json:"from,omitempty"`
	To      string         `json:"to,omitempty"`
	Owner   string         `json:"owner,omitempty"`
	Repeats *plannedExtent `json:"repeats,omitempty"`
	Skips   *plannedExtent `json:"skips,omitempty"`
}

type plannedExtent struct {
	Records int  `json:"records"`
	More    bool `json:"more,omitempty"`
}

func planDocument(p *reposition.Plan, done bool) planned {
	d := planned{Done: done, What: p.What(), Kind: string(p.Kind), Shard: p.Shard, Planned: p.Made.UTC(), Rows: p.Changes(), Steps: []plannedStep{}, Warnings: []string{}}
	d.Warnings = append(d.Warnings, p.Warnings...)
	for _, s := range p.Steps {
		step := plannedStep{Shard: s.Shard, Do: string(s.Do), Owner: s.Owner, Repeats: extentOf(s.Repeats), Skips: extentOf(s.Skips)}
		if s.Row {
			step.From = s.From.String()
		}
		if s.Do != reposition.ActLeave {
			step.To = s.To.String()
		}
		d.Steps = append(d.Steps, step)
	}
	return d
}

func extentOf(e reposition.Extent) *plannedExtent {
	if !e.Known {
		return nil
	}
	return &plannedExtent{e.Records, e.More}
}
