package dynamocheckpoint

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// controlRow is the row of the session table that is no session.
const controlRow = "control"

// Register implements checkpoint.Sessions. A registration whose answer was lost
// finds its own row when it is sent again, by the client or by the caller, and
// is refused like any other; ids are random, so the way out is a new id.
func (t *Table) Register(ctx context.Context, s shard.Session) error {
	if s.ID == "" || s.ID == controlRow {
		return fmt.Errorf("register %q: this cannot be the id of a worker", s.ID)
	}
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	e := register.with(nil)
	_, err := t.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.sessions, Item: sessionRow(s), ConditionExpression: e.condition,
		ReturnValuesOnConditionCheckFailure: allOld,
	})
	if err == nil {
		return nil
	}
	if _, refused := refusal(err); refused {
		return sessionConflict(register.name, s.ID, true)
	}
	return t.failed(register.name, s.ID, t.sessions, err)
}

// sessionConflict is the refusal of a write to a session. There is no lease in
// it.
func sessionConflict(name, id string, exists bool) error {
	return &checkpoint.Conflict{Write: name, Key: id, Exists: exists, Row: shard.Lease{Key: id}}
}

// Heartbeat implements checkpoint.Sessions. The caller's context alone bounds
// it.
func (t *Table) Heartbeat(ctx context.Context, s shard.Session) (shard.Session, error) {
	row, err := t.update(ctx, heartbeat, t.sessions, "id", s.ID, values{
		":one": number(1), ":load": loadOf(s), ":plans": number(s.Plans), ":looks": number(s.Looks), ":leaving": truth(s.Leaving),
		":shareGen": number(s.ShareGen),
	}, repeatSoon)
	if err == nil {
		return sessionOf(row), nil
	}
	return shard.Session{}, t.over(heartbeat, s.ID, err)
}

// repeatWithin bounds the SDK's wait before it repeats a heartbeat, which is up
// to seconds otherwise: a table that throttles every second write must not cost
// a worker its session.
const repeatWithin = 50 * time.Millisecond

func repeatSoon(o *dynamodb.Options) {
	if o.Retryer != nil {
		o.Retryer = retry.AddWithMaxBackoffDelay(o.Retryer, repeatWithin)
	}
}

// over is ErrSessionOver for a write that was refused because the session is
// gone or revoked.
func (t *Table) over(w write, id string, err error) error {
	if _, refused := refusal(err); refused {
		return fmt.Errorf("%s %s: %w", w.name, id, checkpoint.ErrSessionOver)
	}
	return t.failed(w.name, id, t.sessions, err)
}

// Session implements checkpoint.Sessions.
func (t *Table) Session(ctx context.Context, id string) (shard.Session, error) {
	row, err := t.get(ctx, t.sessions, "id", id)
	if err != nil {
		return shard.Session{}, err
	}
	if row == nil || id == controlRow {
		return shard.Session{}, fmt.Errorf("read %s in table %s: %w", id, t.sessions, checkpoint.ErrNoSession)
	}
	return sessionOf(row), nil
}

// Sessions implements checkpoint.Sessions: an eventually consistent scan, at
// half the price.
func (t *Table) Sessions(ctx context.Context) ([]shard.Session, error) {
	var all []shard.Session
	err := t.scan(ctx, t.sessions, false, func(row item) {
		if s := sessionOf(row); s.ID != "" && s.ID != controlRow {
			all = append(all, s)
		}
	})
	return all, err
}

// Revoke implements checkpoint.Sessions.
func (t *Table) Revoke(ctx context.Context, seen shard.Session, by string) error {
	bounded, cancel := t.bounded(ctx)
	defer cancel()
	_, err := t.update(bounded, revoke, t.sessions, "id", seen.ID, values{":me": text(by), ":seen": number(seen.Beat)})
	if err == nil {
		return nil
	}
	old, refused := refusal(err)
	if !refused {
		return t.failed(revoke.name, seen.ID, t.sessions, err)
	}
	if len(old) == 0 {
		if old, err = t.get(ctx, t.sessions, "id", seen.ID); err != nil {
			return fmt.Errorf("revoke %s was refused: %w", seen.ID, err)
		}
	}
	return sessionConflict(revoke.name, seen.ID, old != nil)
}

// Leave implements checkpoint.Sessions. A session that was revoked stays, for
// those who take its leases, and is ErrSessionOver; one that was told something is
// ErrUnread; one that is gone is no error.
func (t *Table) Leave(ctx context.Context, id string) error {
	if id == "" || id == controlRow {
		return fmt.Errorf("leave %q: this is not the id of a worker", id)
	}
	err := t.deleteSession(ctx, leave, id)
	old, refused := refusal(err)
	if !refused {
		return err
	}
	if len(old) == 0 {
		if old, err = t.get(ctx, t.sessions, "id", id); err != nil {
			return fmt.Errorf("leave %s was refused: %w", id, err)
		}
	}
	switch {
	case old == nil:
		return nil
	case old["revokedBy"] != nil:
		return fmt.Errorf("leave %s: %w", id, checkpoint.ErrSessionOver)
	}
	return fmt.Errorf("leave %s: %w", id, checkpoint.ErrUnread)
}

// Tell implements checkpoint.Sessions.
func (t *Table) Tell(ctx context.Context, id string, h shard.Hint) error {
	return t.hint(ctx, tell, id, []shard.Hint{h})
}

// Forget implements checkpoint.Sessions.
func (t *Table) Forget(ctx context.Context, id string, hints []shard.Hint) error {
	if len(hints) == 0 {
		return nil
	}
	return t.hint(ctx, forget, id, hints)
}

func (t *Table) hint(ctx context.Context, w write, id string, hints []shard.Hint) error {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	_, err := t.update(ctx, w, t.sessions, "id", id, values{":hints": inbox(hints)})
	if err == nil {
		return nil
	}
	return t.over(w, id, err)
}

// inbox is a set of hints; DynamoDB refuses a set that names one twice.
func inbox(hints []shard.Hint) types.AttributeValue {
	var words []string
	said := map[string]bool{}
	for _, h := range hints {
		if s := h.String(); !said[s] {
			said[s] = true
			words = append(words, s)
		}
	}
	return set(words)
}

func sessionRow(s shard.Session) item {
	row := item{
		"id": text(s.ID), "hb": number(s.Beat), "load": loadOf(s), "plans": number(s.Plans),
		"leaving": truth(s.Leaving), "maxLeases": number(int64(s.MaxLeases)), "ver": number(int64(s.Version)),
		"shareGen": number(s.ShareGen), "looks": number(s.Looks),
	}
	if s.RevokedBy != "" {
		row["revokedBy"] = text(s.RevokedBy)
	}
	if len(s.Inbox) > 0 {
		row["inbox"] = inbox(s.Inbox)
	}
	return row
}

// loadOf is the load as DynamoDB can hold it: it has no infinity, and at most
// 125 decimal places. A load beyond all measure is written as none.
func loadOf(s shard.Session) types.AttributeValue {
	load := s.Load
	if size := math.Abs(load); math.IsNaN(load) || size > 1e100 || size < 1e-100 {
		load = 0
	}
	return &types.AttributeValueMemberN{Value: strconv.FormatFloat(load, 'g', -1, 64)}
}

// sessionOf reads a row of the session table. What cannot be read is left out:
// a session is judged by whether its beat moves, and one whose beat cannot be
// read does not. A hint that cannot be read is dropped, for nothing hangs on it.
func sessionOf(row item) shard.Session {
	r := &reading{row: row}
	s := shard.Session{
		ID: r.text("id"), Beat: r.count("hb"), RevokedBy: r.text("revokedBy"), Leaving: r.truth("leaving"),
		Plans: r.count("plans"), Load: r.fraction("load"), MaxLeases: int(r.count("maxLeases")), Version: int(r.count("ver")),
		ShareGen: r.count("shareGen"), Looks: r.count("looks"),
	}
	for _, word := range r.words("inbox") {
		if h, err := shard.ParseHint(word); err == nil && h.String() == word {
			s.Inbox = append(s.Inbox, h)
		}
	}
	return s
}
