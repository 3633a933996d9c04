package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/dashboard"
	"github.com/towpath/towpath/overview"
)

// denial is what a role without permission is told.
const denial = "look at the fleet: AccessDeniedException: not authorized to perform: dynamodb:Scan on resource: table/clickstream"

// troubled are applications on one page of which each lacks something.
func troubled() []dashboard.Source {
	fleet := func(states ...overview.State) *overview.Fleet {
		f := &overview.Fleet{At: time.Now(), Kind: overview.KindTowpath, Control: overview.Control{Known: true}}
		for i, state := range states {
			f.Shards = append(f.Shards, made(i, i, len(states), state, 1, nil))
		}
		return f
	}
	var looks atomic.Int64
	var seen dashboard.Recorder
	hooks := seen.Hooks(consumer.Hooks{})
	for i := range 300 { // more than are kept
		hooks.GaveUp(consumer.GaveUpEvent{Worker: "one/0123456789abcdef", Shard: shardID(i)})
	}
	return []dashboard.Source{
		{Name: "denied", Tables: func(context.Context) (*overview.Fleet, error) { return nil, errors.New(denial) }},
		{Name: "empty", Tables: func(context.Context) (*overview.Fleet, error) { return fleet(), nil }},
		{Name: "one shard", Tables: func(context.Context) (*overview.Fleet, error) { return fleet(overview.StateHeld), nil }},
		{Name: "throttled later", Tables: func(context.Context) (*overview.Fleet, error) {
			if looks.Add(1) > 1 {
				return nil, errors.New("look at the fleet: ProvisionedThroughputExceededException: the level of configured provisioned throughput for the table was exceeded")
			}
			f := fleet(overview.StateHeld, overview.StateOrphaned, overview.StateFault, overview.StateHole, overview.StateFree)
			f.Workers = []overview.Worker{{ID: "worker-0/0000000000000000", Kind: overview.KindTowpath, Life: overview.LifeGone}}
			f.Problems = []overview.Problem{{Kind: overview.TroubleOrphan, Shard: shardID(1), Says: "its owner worker-1/0000000000000001 has no session that lives"}}
			return f, nil
		}},
		{Name: "paused here", Recorder: &seen, Statuses: []func() consumer.Status{func() consumer.Status {
			return consumer.Status{Worker: "one/0123456789abcdef", Valid: true, Limited: true, Shards: []consumer.ShardStatus{{Shard: shardID(0), ReadAt: time.Now().Add(-65 * time.Minute), Paused: true}}}
		}}},
	}
}

// troubles opens each of them, and asks what its tiles say: what is not known is
// not shown as nothing, and what is old not as new.
func (l *looker) troubles() (string, error) {
	var told []string
	for _, c := range []struct {
		source       string
		notice       string            // what stands above
		tiles        map[string]string // what the tiles say, by their ids
		bars         int
		name, scheme string
	}{
		{"denied", "The tables cannot be read: " + denial, map[string]string{"shards": "–", "workers": "–", "lag": "–", "rate": "–", "parked": "–", "failures": "–"}, 0, "dashboard-denied", "light"},
		{"empty", "", map[string]string{"shards": "0", "workers": "0", "lag": "–"}, 0, "dashboard-empty", "light"},
		{"one shard", "", map[string]string{"shards": "1", "lag": "≤"}, 1, "dashboard-one", "light"},
		{"throttled later", "What the tables told", map[string]string{"shards": "5", "lag": "≤", "workers": "0 of 1"}, 5, "dashboard-throttled", "dark"},
		{"paused here", "Limited to 0 calls", map[string]string{"shards": "1", "lag": "≤ 6", "failures": "300"}, 1, "dashboard-paused", "light"},
	} {
		t, end, err := newTab(l.browser, l.house.origin)
		if err != nil {
			return "", err
		}
		err = errors.Join(t.sized(1280, 900, c.scheme), t.visit(l.house.origin+"/trouble/?source="+strings.ReplaceAll(c.source, " ", "+")),
			t.until(20*time.Second, fmt.Sprintf(`document.getElementById("link").dataset.state === "live" && document.getElementById("notices").textContent.includes(%q) && document.querySelectorAll("#lineage .bar").length === %d`, c.notice, c.bars)))
		for id, want := range c.tiles {
			got, err2 := eval[string](t, fmt.Sprintf(`document.querySelector("#tile-%s .value").textContent`, id))
			if err2 == nil && !strings.HasPrefix(got, want) {
				err2 = fmt.Errorf("%s is said to be %q, want %s", id, got, want)
			}
			err = errors.Join(err, err2)
		}
		cut, err2 := eval[string](t, `[...document.querySelectorAll(".tile .value")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent).join(", ")`)
		if err2 == nil && cut != "" {
			err2 = fmt.Errorf("tiles are too narrow for %s", cut)
		}
		err = errors.Join(err, err2)
		tabs, err2 := eval[float64](t, `document.querySelectorAll("nav a").length`)
		if err2 == nil && tabs != 5 {
			err2 = fmt.Errorf("%.0f applications are named, want 5", tabs)
		}
		_, err3 := t.picture(filepath.Join(l.pictures, c.name+".png"))
		err = errors.Join(err, err2, err3, well(t))
		end()
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.source, err)
		}
		told = append(told, c.source)
	}
	return strings.Join(told, ", "), nil
}
