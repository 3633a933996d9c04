package lineartest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// The shards of a play: two parents, and what they are split and merged into.
var (
	keys     = []string{"shardId-000000000000", "shardId-000000000001", "shardId-000000000002", "shardId-000000000003"}
	children = map[string][]shard.Shard{
		keys[0]: {{ID: keys[2], Parents: keys[:1]}, {ID: keys[3], Parents: keys[:2]}},
		keys[1]: {{ID: keys[3], Parents: keys[:2]}},
	}
)

// incarnations is how many sessions each worker of a play has at most at once in
// the others' minds.
const incarnations = 3

// player is one worker of a play, with what it believes about the table: what it
// was last told, which may be old.
type player struct {
	*rand.Rand
	table    *Table
	name     string
	others   []string
	me       string // its incarnation
	lives    int
	rows     map[string]shard.Lease
	sessions map[string]shard.Session
	epoch    int64
}

// Play lets one client call a table so many times, one call after the other,
// until ctx ends: as a worker does that has gone astray. It takes, saves, hands
// over, ends shards, moves positions, revokes others, runs the maintenance, and
// deletes and puts back rows, by what it was last told, which is often old, and
// sometimes by what it could not know. What a call fails with is recorded and
// not returned. Among must have the names of all clients of the play, this one's
// at place own; random must be this client's alone.
func (t *Table) Play(ctx context.Context, random *rand.Rand, among []string, own, calls int) {
	p := &player{Rand: random, table: t, name: among[own], others: among, rows: map[string]shard.Lease{}, sessions: map[string]shard.Session{}}
	p.reborn(ctx)
	for range calls {
		if ctx.Err() != nil {
			return
		}
		p.act(ctx)
	}
}

// reborn begins a new incarnation.
func (p *player) reborn(ctx context.Context) {
	p.me = incarnation(p.name, p.lives)
	p.lives++
	p.table.Register(ctx, shard.Session{ID: p.me, Version: 1})
}

func incarnation(name string, n int) string { return fmt.Sprintf("%s/%d", name, n) }

// act is one call.
func (p *player) act(ctx context.Context) {
	key := keys[p.weighted(50, 20, 20, 10)]
	row, known := p.rows[key]
	switch {
	case !known || p.chance(25):
		p.look(ctx, key)
	case p.chance(20):
		p.live(ctx)
	case p.chance(12):
		p.upkeep(ctx, key, row)
	case row.Holder() == p.me || p.chance(10):
		p.hold(ctx, row)
	default:
		p.covet(ctx, row)
	}
}

func (p *player) chance(percent int) bool { return p.IntN(100) < percent }

// weighted is an index, each as likely as its weight.
func (p *player) weighted(weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := p.IntN(sum)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	return 0
}

// look reads a row, or all.
func (p *player) look(ctx context.Context, key string) {
	if p.chance(15) {
		if all, err := p.table.List(ctx); err == nil {
			for _, l := range all {
				p.rows[l.Key] = l
			}
		}
		return
	}
	l, err := p.table.Get(ctx, key)
	switch a, told := told(err); {
	case err == nil:
		p.rows[key] = l
	case told && a.verdict == absent && p.rows[key].Counter > 0 && p.chance(60):
		p.learn(p.table.PutBack(ctx, p.rows[key], p.me))
	case told && a.verdict == absent:
		if p.epoch == 0 || p.chance(30) {
			p.begin(ctx)
		}
		p.table.Create(ctx, p.epoch, []shard.Lease{{Key: key, Shard: key, CreatedFrom: [...]string{"initial", "repair"}[p.IntN(2)]}})
		if _, known := p.rows[key]; !known {
			p.rows[key] = shard.Lease{Key: key, Shard: key, Checkpoint: shard.TrimHorizon()}
		}
	}
}

func (p *player) begin(ctx context.Context) {
	if epoch, err := p.table.Begin(ctx); err == nil {
		p.epoch = epoch
	}
}

// learn takes over what a write has told, most of the time.
func (p *player) learn(l shard.Lease, err error) {
	if err == nil {
		if p.chance(85) {
			p.rows[l.Key] = l
		}
		return
	}
	if c, refused := conflictOf(err); refused && c.Exists && c.Row.Key != "" && p.chance(80) {
		p.rows[c.Key] = c.Row
	}
}

// hold is what a holder does.
func (p *player) hold(ctx context.Context, row shard.Lease) {
	progress := checkpoint.Progress{Position: p.after(row.Checkpoint)}
	switch p.weighted(40, 12, 12, 12, 8, 4) {
	case 0:
		p.learn(p.table.Save(ctx, row, p.me, progress))
	case 1:
		p.learn(p.table.Release(ctx, row, p.me, progress, p.anybody()))
	case 2:
		p.learn(p.table.Finish(ctx, row, p.me, progress))
	case 3:
		p.learn(p.table.Refuse(ctx, row, p.me))
	case 4:
		p.learn(p.table.End(ctx, row, p.me, children[row.Key], p.chance(20)))
	default:
		p.learn(p.table.Seek(ctx, row, shard.After(strconv.Itoa(p.IntN(1000)), 0)))
	}
}

// after is a position behind another one.
func (p *player) after(at shard.Position) shard.Position {
	n, _ := strconv.Atoi(at.Sequence) // a word is before all numbers
	return shard.After(strconv.Itoa(n+1+p.IntN(5)), int64(p.IntN(2)))
}

// anybody is a worker, and sometimes nobody.
func (p *player) anybody() string {
	if p.chance(30) {
		return ""
	}
	return incarnation(p.others[p.IntN(len(p.others))], p.IntN(incarnations))
}

// covet is what those do that do not hold a lease.
func (p *player) covet(ctx context.Context, row shard.Lease) {
	switch choice := p.weighted(45, 12, 20, 20, 4); {
	case choice == 1 && row.Owner != "":
		p.learn(p.table.Take(ctx, row, p.me, row.Owner))
	case choice == 3 && row.CheckpointOwner != "":
		p.learn(p.table.Withdraw(ctx, row))
	case choice >= 2 && row.Owner != "" && row.CheckpointOwner == "":
		p.learn(p.table.Ask(ctx, row, p.me))
	case choice == 4:
		p.learn(p.table.Seek(ctx, row, shard.After(strconv.Itoa(p.IntN(1000)), 0)))
	default:
		p.learn(p.table.Take(ctx, row, p.me, ""))
	}
}

// live is what has to do with sessions.
func (p *player) live(ctx context.Context) {
	id := p.anybody()
	if id == "" {
		id = p.me
	}
	seen, known := p.sessions[id]
	switch choice := p.weighted(35, 30, 25, 5, 5); {
	case choice == 0:
		if _, err := p.table.Heartbeat(ctx, shard.Session{ID: p.me}); err != nil {
			if a, told := told(err); told && a.verdict == sessionOver {
				p.reborn(ctx)
			}
		}
	case choice == 2 && known:
		p.table.Revoke(ctx, seen, p.me)
	case choice == 3:
		p.table.Leave(ctx, p.me)
		p.reborn(ctx)
	case choice == 4:
		p.table.Bury(ctx, shard.Session{ID: id})
	default:
		if s, err := p.table.Session(ctx, id); err == nil {
			p.sessions[id] = s
		}
	}
}

// upkeep is the maintenance, and what hands do.
func (p *player) upkeep(ctx context.Context, key string, row shard.Lease) {
	if p.epoch == 0 {
		p.begin(ctx)
	}
	switch p.weighted(20, 30, 15, 25) {
	case 0:
		p.begin(ctx)
	case 1:
		p.table.Delete(ctx, p.epoch, row)
	case 2:
		p.table.Drop(ctx, p.epoch, row)
	default:
		if _, err := p.table.Get(ctx, key); err != nil || p.chance(20) {
			p.learn(p.table.PutBack(ctx, row, p.me))
		}
	}
}
