package main

import (
	"context"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/dashboard"
	"github.com/towpath/towpath/overview"
)

// thousand is a fleet of 1,000 open shards and 100 that they came from, of which
// every one is another at each look.
func thousand() dashboard.Source {
	var looks atomic.Int64
	return dashboard.Source{Name: "thousand", Tables: func(context.Context) (*overview.Fleet, error) {
		n := looks.Add(1)
		f := &overview.Fleet{At: time.Now(), Kind: overview.KindTowpath, Control: overview.Control{Known: true}}
		f.Stream = overview.Stream{ARN: "arn:aws:kinesis:eu-west-1:123456789012:stream/thousand", Name: "thousand", Retention: overview.Seconds(24 * time.Hour)}
		for i := range 100 {
			f.Shards = append(f.Shards, made(i, i, 100, overview.StateEnded, n, nil))
		}
		for i := range 1000 {
			state := overview.StateHeld
			switch {
			case i%97 == 0:
				state = overview.StateHandingOver
			case i%53 == 0:
				state = overview.StateFree
			}
			f.Shards = append(f.Shards, made(100+i, i, 1000, state, n, []string{shardID(i / 10)}))
		}
		for i := range 20 {
			f.Workers = append(f.Workers, overview.Worker{ID: fmt.Sprintf("worker-%d/00000000000000%02d", i, i), Name: fmt.Sprintf("worker-%d", i), Kind: overview.KindTowpath,
				Life: overview.LifeAlive, Sign: "session", Beat: n, Leases: 50, Load: 50 * 12.5})
		}
		return f, nil
	}}
}

func shardID(i int) string { return fmt.Sprintf("shardId-%012d", i) }

// made is the i-th of so many equal ranges.
func made(id, i, of int, state overview.State, look int64, parents []string) overview.Shard {
	all := new(big.Int).Lsh(big.NewInt(1), 128)
	at := func(i int) *big.Int {
		return new(big.Int).Div(new(big.Int).Mul(all, big.NewInt(int64(i))), big.NewInt(int64(of)))
	}
	s := overview.Shard{Key: shardID(id), ID: shardID(id), State: state, Listed: true, Open: state != overview.StateEnded, Row: true, Parents: parents,
		FirstHash: at(i).String(), LastHash: new(big.Int).Sub(at(i+1), big.NewInt(1)).String(), Part: 1 / float64(of),
		Counter: look + int64(i), Position: fmt.Sprintf("4965%052d", look*1000+int64(i)), BehindKnown: true, Load: 12.5,
		LastArrival: time.Now().Add(-time.Duration(i%90) * time.Second), Behind: overview.Seconds(time.Duration(i%90)*time.Second + time.Duration(look)*time.Millisecond)}
	switch state {
	case overview.StateHeld:
		s.Owner = fmt.Sprintf("worker-%d/00000000000000%02d", i%20, i%20)
	case overview.StateHandingOver:
		s.From, s.Owner = fmt.Sprintf("worker-%d/00000000000000%02d", i%20, i%20), fmt.Sprintf("worker-%d/00000000000000%02d", (i+1)%20, (i+1)%20)
	case overview.StateEnded:
		s.Behind, s.Position = 0, "SHARD_END"
	}
	return s
}

// evil would do something if a name were ever taken for markup, script or an
// address.
const evil = `<img src=x onerror="window.hurt=1;alert('hurt');fetch('https://example.com/')">`

// hostile is a fleet in which everything that can be named is named by an enemy.
func hostile() dashboard.Source {
	var recorder dashboard.Recorder
	hooks := recorder.Hooks(consumer.Hooks{})
	text := evil + "</script><script>window.hurt=1</script>\u202e" + `"'{{.}}` + "\n\x00"
	hooks.BatchDone(consumer.BatchEvent{Worker: text, Shard: text, Handler: text, Records: 3, Attempt: 1, Err: fmt.Errorf("%s", text)})
	hooks.ShardLeft(consumer.ShardLeftEvent{Worker: text, Shard: text, To: text, Took: time.Second})
	return dashboard.Source{Name: evil, Recorder: &recorder,
		Tables: func(context.Context) (*overview.Fleet, error) {
			f := &overview.Fleet{At: time.Now(), Control: overview.Control{Known: true, Move: text, Pauses: []overview.Pause{{Shard: text, KeyHash: text}}}}
			f.Stream = overview.Stream{ARN: text, Name: text}
			one := made(0, 0, 1, overview.StateHeld, 1, []string{text})
			one.Key, one.ID, one.Owner, one.Position, one.Fault, one.Stream = "__proto__"+text, text, text, text, text, text
			two := made(1, 0, 1, overview.State(text), 1, nil)
			two.Key, two.ID = "__proto__", "__proto__"
			f.Shards = []overview.Shard{one, two}
			f.Workers = []overview.Worker{{ID: text, Name: text, Kind: overview.Kind(text), Life: overview.Life(text), RevokedBy: text}, {ID: "constructor"}}
			f.Problems = []overview.Problem{{Kind: overview.Trouble(text), Says: text, Shard: text}}
			return f, nil
		},
		Statuses: []func() consumer.Status{func() consumer.Status {
			return consumer.Status{Worker: text + "2", Valid: true, ControlError: text, Shards: []consumer.ShardStatus{{Shard: text, Stream: text, Handler: text, Error: text, ReadAt: time.Now()}}}
		}}}
}
