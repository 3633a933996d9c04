package dynamocheckpoint

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/shard"
)

// Control implements checkpoint.Controls. A row that cannot be understood is an
// error, and never a default that would start handlers.
func (t *Table) Control(ctx context.Context) (shard.Control, error) {
	row, err := t.get(ctx, t.sessions, "id", controlRow)
	if err != nil {
		return shard.Control{}, err
	}
	return t.controlOf(row)
}

// SetControl implements checkpoint.Controls. A table that nobody has prepared
// yet may be told something; the first start finds it.
func (t *Table) SetControl(ctx context.Context, seen, next shard.Control) (shard.Control, error) {
	bounded, cancel := t.bounded(ctx)
	defer cancel()
	v := values{
		":next": number(seen.Gen + 1), ":limited": truth(next.Limited), ":limit": number(int64(next.Limit)),
		":since": number(next.Since), ":shares": sharesRow(next.Shares), ":pauses": pausesRow(next.Pauses),
	}
	if seen.Gen > 0 {
		v[":gen"] = number(seen.Gen)
	}
	w := setControl
	if next.Move.Active() {
		w.set += ", moveId = :moveId, #move = :move"
		v[":moveId"], v[":move"] = text(next.Move.ID), moveRow(next.Move)
	} else {
		w.remove = "moveId, #move"
	}
	row, err := t.update(bounded, w, t.sessions, "id", controlRow, v)
	if err == nil {
		return t.controlOf(row)
	}
	old, refused := refusal(err)
	if !refused {
		return shard.Control{}, t.failed(setControl.name, controlRow, t.sessions, err)
	}
	return shard.Control{}, sessionConflict(setControl.name, controlRow, len(old) > 0)
}

// SessionsNow implements checkpoint.Controls: a strongly consistent scan.
func (t *Table) SessionsNow(ctx context.Context) ([]shard.Session, error) {
	var all []shard.Session
	err := t.scan(ctx, t.sessions, true, func(row item) {
		if s := sessionOf(row); s.ID != "" && s.ID != controlRow {
			all = append(all, s)
		}
	})
	return all, err
}

func sharesRow(shares map[string]shard.Share) types.AttributeValue {
	row := item{}
	for id, s := range shares {
		row[id] = &types.AttributeValueMemberM{Value: item{
			"calls": number(int64(s.Calls)), "gen": number(s.Gen), "ceiling": number(int64(s.Ceiling)),
		}}
	}
	return &types.AttributeValueMemberM{Value: row}
}

// pausesRow leaves out what is empty.
func pausesRow(pauses []shard.Pause) types.AttributeValue {
	rows := make([]types.AttributeValue, 0, len(pauses))
	for _, p := range pauses {
		row := item{}
		if p.Shard != "" {
			row["shard"] = text(p.Shard)
		}
		if p.KeyHash != "" {
			row["keyHash"] = text(p.KeyHash)
		}
		rows = append(rows, &types.AttributeValueMemberM{Value: row})
	}
	return &types.AttributeValueMemberL{Value: rows}
}

// moveRow leaves out what is empty. The id stands beside it, where conditions
// name it.
func moveRow(m shard.Move) types.AttributeValue {
	row := item{
		"to": text(markText(m.To)), "since": number(millis(m.Since)),
		"writing": truth(m.Writing), "done": number(int64(m.Done)), "total": number(int64(m.Total)),
	}
	for name, words := range map[string]string{"what": m.What, "by": m.By} {
		if words != "" {
			row[name] = text(words)
		}
	}
	return &types.AttributeValueMemberM{Value: row}
}

// moveOf reads a move. One that cannot be understood is a fault of the whole row:
// nobody may work meanwhile.
func (r *reading) moveOf() shard.Move {
	_, there := r.row["move"]
	_, named := r.row["moveId"]
	if !there && !named {
		return shard.Move{}
	}
	m := shard.Move{ID: r.text("moveId")}
	if m.ID == "" {
		r.wrong("moveId", "is missing")
	}
	in := r.inside("move", r.row["move"])
	m.What, m.By, m.Since, m.Writing = in.text("what"), in.text("by"), in.instant("since"), in.truth("writing")
	m.Done, m.Total = in.size("done"), in.size("total")
	at, err := parseMark(in.text("to"))
	if err != nil {
		in.wrong("to", "is no position: %v", err)
	}
	m.To = at
	r.adopt("move", in)
	return m
}

// controlOf reads what a fleet is told from the control row. Without a
// generation nobody has said anything.
func (t *Table) controlOf(row item) (shard.Control, error) {
	r := &reading{row: row}
	said := false
	for _, name := range []string{"gen", "limited", "limit", "limitSince", "shares", "pauses", "move", "moveId"} {
		_, there := row[name]
		said = said || there
	}
	if !said {
		return shard.Control{}, nil
	}
	c := shard.Control{Gen: r.mustCount("gen"), Limited: r.mustTruth("limited"), Limit: r.size("limit"), Since: r.mustCount("limitSince")}
	if c.Gen == 0 {
		r.wrong("gen", "is 0")
	}
	if c.Since > c.Gen {
		r.wrong("limitSince", "is %d, behind gen %d", c.Since, c.Gen)
	}
	for id, v := range r.entries("shares") {
		share := r.inside("shares of "+strconv.Quote(id), v)
		s := shard.Share{Calls: share.size("calls"), Gen: share.mustCount("gen"), Ceiling: share.size("ceiling")}
		r.adopt("shares of "+strconv.Quote(id), share)
		if c.Shares == nil {
			c.Shares = map[string]shard.Share{}
		}
		c.Shares[id] = s
	}
	for i, v := range r.list("pauses") {
		what := fmt.Sprintf("pauses, number %d", i)
		pause := r.inside(what, v)
		c.Pauses = append(c.Pauses, shard.Pause{Shard: pause.text("shard"), KeyHash: pause.text("keyHash")})
		for name := range pause.row {
			if name != "shard" && name != "keyHash" {
				// Whatever it is to narrow down, without it too much is paused.
				pause.wrong(name, "is not known here")
			}
		}
		r.adopt(what, pause)
	}
	c.Move = r.moveOf()
	if r.fault != nil {
		return shard.Control{}, fmt.Errorf("row %s of table %s: %w", controlRow, t.sessions, r.fault)
	}
	return c, nil
}

// mustTruth is truth for an attribute without which a row means nothing.
func (r *reading) mustTruth(name string) bool {
	if _, there := r.row[name]; !there {
		r.wrong(name, "is missing")
	}
	return r.truth(name)
}

// size is a number of calls.
func (r *reading) size(name string) int {
	n := r.mustCount(name)
	if n > math.MaxInt32 {
		r.wrong(name, "is %d, beyond %d", n, math.MaxInt32)
		return 0
	}
	return int(n)
}

// entries is a map; a missing one is a fault.
func (r *reading) entries(name string) item {
	m, ok := r.row[name].(*types.AttributeValueMemberM)
	if !ok {
		r.wrong(name, "is %s, want a map", kind(r.row[name]))
		return nil
	}
	return m.Value
}

// list is a list; a missing one is a fault.
func (r *reading) list(name string) []types.AttributeValue {
	l, ok := r.row[name].(*types.AttributeValueMemberL)
	if !ok {
		r.wrong(name, "is %s, want a list", kind(r.row[name]))
		return nil
	}
	return l.Value
}

// inside reads a map within a row, and adopt takes its fault over.
func (r *reading) inside(what string, v types.AttributeValue) *reading {
	m, ok := v.(*types.AttributeValueMemberM)
	if !ok {
		r.wrong(what, "is %s, want a map", kind(v))
		return &reading{}
	}
	return &reading{row: m.Value}
}

func (r *reading) adopt(what string, inner *reading) {
	if inner.fault != nil {
		r.wrong(what, "has a fault: %v", inner.fault)
	}
}
