package checkpointtest

import (
	"slices"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// ended is a row that anna has worked to its end.
func ended(b *bench) shard.Lease {
	return b.got(b.End(b.Context(), b.owned(key, anna), anna, nil, false))
}

func doAsk(change func(*shard.Lease)) func(*bench, shard.Lease) error {
	return func(b *bench, row shard.Lease) error {
		_, err := b.Ask(b.Context(), with(row, change), cleo)
		return err
	}
}

func doWithdraw(change func(*shard.Lease)) func(*bench, shard.Lease) error {
	return func(b *bench, row shard.Lease) error {
		_, err := b.Withdraw(b.Context(), with(row, change))
		return err
	}
}

func doRefuse(me string, change func(*shard.Lease)) func(*bench, shard.Lease) error {
	return func(b *bench, row shard.Lease) error {
		_, err := b.Refuse(b.Context(), with(row, change), me)
		return err
	}
}

func doFinish(me string, change func(*shard.Lease)) func(*bench, shard.Lease) error {
	return func(b *bench, row shard.Lease) error {
		_, err := b.Finish(b.Context(), with(row, change), me, at200)
		return err
	}
}

func asSeen(*shard.Lease)      {}
func older(l *shard.Lease)     { l.Counter-- }
func cleoOwns(l *shard.Lease)  { l.Owner = cleo }
func cleoHolds(l *shard.Lease) { l.CheckpointOwner = cleo }
func annaOwns(l *shard.Lease)  { l.Owner = anna }
func annaHolds(l *shard.Lease) { l.CheckpointOwner = anna }
func bertSeen(l *shard.Lease)  { l.Owner, l.CheckpointOwner = bert, "" }

var handoverTests = slices.Concat(
	refusals("hand-over",
		refusal{"asked of somebody who is not the owner", ownedRow, doAsk(cleoOwns)},
		refusal{"asked of the owner of a free row", freeRow, doAsk(annaOwns)},
		refusal{"asked twice", askedRow, doAsk(annaOwns)},
		refusal{"asked of the next owner", askedRow, doAsk(bertSeen)},
		refusal{"asked for a finished shard", ended, doAsk(asSeen)},
		refusal{"withdrawn after the counter moved", askedRow, doWithdraw(older)},
		refusal{"withdrawn from another next owner", askedRow, doWithdraw(cleoOwns)},
		refusal{"withdrawn for another holder", askedRow, doWithdraw(cleoHolds)},
		refusal{"withdrawn though it has ended", ownedRow, doWithdraw(annaHolds)},
		refusal{"refused after the counter moved", askedRow, doRefuse(anna, older)},
		refusal{"refused by the next owner", askedRow, doRefuse(bert, asSeen)},
		refusal{"refused by a stranger", askedRow, doRefuse(cleo, asSeen)},
		refusal{"refused though nobody asked", ownedRow, doRefuse(anna, asSeen)},
		refusal{"finished after the counter moved", askedRow, doFinish(anna, older)},
		refusal{"finished by the next owner", askedRow, doFinish(bert, asSeen)},
		refusal{"finished by a stranger", askedRow, doFinish(cleo, asSeen)},
		refusal{"finished though nobody asked", ownedRow, doFinish(anna, asSeen)},
	),
	canWriteRefusals("release", doRelease),
	[]named{
		{name: "ask names the next owner and leaves the counter", run: func(b *bench) {
			seen := b.owned(key, anna)
			want := with(seen, func(l *shard.Lease) { l.Owner, l.CheckpointOwner = bert, anna })
			b.equal(b.got(b.Ask(b.Context(), seen, bert)), want)
			b.stands(want)
		}},
		{name: "ask gets through an owner's saves", run: func(b *bench) {
			seen := b.owned(key, anna)
			now := b.got(b.Save(b.Context(), seen, anna, at200))
			b.equal(b.got(b.Ask(b.Context(), seen, bert)), with(now, func(l *shard.Lease) { l.Owner, l.CheckpointOwner = bert, anna }))
		}},
		{name: "ask and withdraw want both sides", run: func(b *bench) {
			seen := b.free(key)
			if _, err := b.Ask(b.Context(), seen, bert); err == nil {
				b.Error("asked nobody")
			}
			if _, err := b.Ask(b.Context(), with(seen, annaOwns), ""); err == nil {
				b.Error("asked for nobody")
			}
			if _, err := b.Withdraw(b.Context(), seen); err == nil {
				b.Error("withdrew what was not asked")
			}
			b.stands(seen)
		}},
		{name: "withdraw gives the lease back and leaves the counter", run: func(b *bench) {
			seen := b.asked()
			want := with(seen, func(l *shard.Lease) { l.Owner, l.CheckpointOwner = anna, "" })
			b.equal(b.got(b.Withdraw(b.Context(), seen)), want)
			b.stands(want)
		}},
		{name: "refuse keeps the lease", run: func(b *bench) {
			held := b.asked()
			want := with(held, func(l *shard.Lease) { l.Owner, l.CheckpointOwner, l.Counter = anna, "", held.Counter+1 })
			b.equal(b.got(b.Refuse(b.Context(), held, anna)), want)
			b.stands(want)
		}},
		{name: "finish saves and transfers", run: func(b *bench) {
			held := b.asked()
			want := with(held, func(l *shard.Lease) {
				l.CheckpointOwner, l.Counter, l.Checkpoint = "", held.Counter+1, at200.Position
			})
			b.equal(b.got(b.Finish(b.Context(), held, anna, at200)), want)
			b.stands(want)
		}},
		{name: "finish goes to whoever is next by now", run: func(b *bench) {
			held := b.asked()
			back := b.got(b.Withdraw(b.Context(), held))
			b.got(b.Ask(b.Context(), back, cleo))
			got := b.got(b.Finish(b.Context(), held, anna, at200))
			if got.Owner != cleo || got.CheckpointOwner != "" {
				b.Fatalf("got %v, want cleo to own it", got)
			}
		}},
		{name: "release lets go", run: func(b *bench) {
			held := b.owned(key, anna)
			want := with(held, func(l *shard.Lease) { l.Owner, l.Counter, l.Checkpoint = "", held.Counter+1, at200.Position })
			b.equal(b.got(b.Release(b.Context(), held, anna, at200, "")), want)
			b.stands(want)
		}},
		{name: "release gives to another", run: func(b *bench) {
			held := b.owned(key, anna)
			want := with(held, func(l *shard.Lease) { l.Owner, l.Counter = bert, held.Counter+1 })
			b.equal(b.got(b.Release(b.Context(), held, anna, at100, bert)), want)
			b.stands(want)
		}},
		{name: "release ends a hand-over", run: func(b *bench) {
			held := b.asked()
			want := with(held, func(l *shard.Lease) { l.Owner, l.CheckpointOwner, l.Counter = "", "", held.Counter+1 })
			b.equal(b.got(b.Release(b.Context(), held, anna, at100, "")), want)
			b.stands(want)
		}},
		{name: "every write moves the counter but ask and withdraw", run: func(b *bench) {
			l := b.free(key)
			step := func(name string, by int64, next shard.Lease, err error) {
				b.Helper()
				b.must(err)
				if next.Counter != l.Counter+by {
					b.Fatalf("%s took the counter from %d to %d, want %+d", name, l.Counter, next.Counter, by)
				}
				l = next
			}
			do := func(name string, by int64) func(shard.Lease, error) {
				return func(next shard.Lease, err error) { b.Helper(); step(name, by, next, err) }
			}
			ctx, p := b.Context(), checkpoint.Progress{}
			do("take", 1)(b.Take(ctx, l, anna, ""))
			do("save", 1)(b.Save(ctx, l, anna, p))
			do("ask", 0)(b.Ask(ctx, l, bert))
			do("withdraw", 0)(b.Withdraw(ctx, l))
			do("ask", 0)(b.Ask(ctx, l, bert))
			do("refuse", 1)(b.Refuse(ctx, l, anna))
			do("ask", 0)(b.Ask(ctx, l, bert))
			do("finish", 1)(b.Finish(ctx, l, anna, p))
			do("release", 1)(b.Release(ctx, l, bert, p, ""))
			do("take", 1)(b.Take(ctx, l, cleo, anna))
			do("end", 1)(b.End(ctx, l, cleo, nil, false))
		}},
	},
)
