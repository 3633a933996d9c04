package checkpointtest

import (
	"errors"
	"testing"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

func TestTableIsAsADriverIs(t *testing.T) {
	RunLeases(t, func(*testing.T) checkpoint.Leases { return NewTable() })
	RunParking(t, func(*testing.T) checkpoint.Leases { return NewTable() })
	RunRenewer(t, func(*testing.T) checkpoint.Leases { return NewTable() })
	RunStates(t, func(*testing.T) checkpoint.Leases {
		return &counting{Table: NewTable(), applied: map[string]int{}}
	})
}

// counting is a table whose effects are counted.
type counting struct {
	*Table
	applied map[string]int
}

func (c *counting) MakeEffect(name string, refused bool) any {
	return Effect{
		Refuse: func() error {
			if refused {
				return errors.New("refused")
			}
			return nil
		},
		Do: func() { c.applied[name]++ },
	}
}

func (c *counting) Applied(_ testing.TB, name string) int { return c.applied[name] }

// A hook ahead of a call keeps it from being applied, for one worker alone.
func TestInterfereCutsOneWorkerOff(t *testing.T) {
	table := NewTable()
	cut := errors.New("cut off")
	table.Interfere(func(_, caller string) error {
		if caller == "anna" {
			return cut
		}
		return nil
	}, nil)
	anna, bert := table.As("anna"), table.As("bert")
	if err := anna.Register(t.Context(), shard.Session{ID: "anna"}); !errors.Is(err, cut) {
		t.Errorf("got error %v, want %v", err, cut)
	}
	if _, err := anna.List(t.Context()); !errors.Is(err, cut) {
		t.Errorf("anna lists: got error %v, want %v", err, cut)
	}
	if all, err := bert.Sessions(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("bert sees %v, %v, want no session", all, err)
	}
}

// A row that was edited or deleted by hand refuses its owner's next write.
func TestEditsByHandRefuseTheOwner(t *testing.T) {
	table, ctx := NewTable(), t.Context()
	epoch, err := table.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Create(ctx, epoch, []shard.Lease{{Key: "shardId-0"}}); err != nil {
		t.Fatal(err)
	}
	free, _ := table.Get(ctx, "shardId-0")
	held, err := table.Take(ctx, free, "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	if !table.Edit("shardId-0", func(l *shard.Lease) { l.Checkpoint = shard.After("7", 0) }) || table.Edit("shardId-1", func(*shard.Lease) {}) {
		t.Error("edit does not say whether there is a row")
	}
	if _, err := table.Save(ctx, held, "anna", checkpoint.Progress{}); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("got error %v, want %v", err, checkpoint.ErrFenced)
	}
	table.Remove("shardId-0")
	var conflict *checkpoint.Conflict
	if _, err := table.Save(ctx, held, "anna", checkpoint.Progress{}); !errors.As(err, &conflict) || conflict.Exists {
		t.Errorf("got error %v, want a conflict without a row", err)
	}
}
