package dice_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/internal/dice"
)

func TestDiceOfASeedAreTheSameAtTheSameTime(t *testing.T) {
	draw := func(seed uint64) (all []time.Duration, id string) {
		synctest.Test(t, func(t *testing.T) {
			d := dice.From(dice.With(t.Context(), seed))
			for range 100 {
				time.Sleep(time.Nanosecond)
				all = append(all, d.N(time.Second, "beat", "shardId-000000000001"))
			}
			id = d.ID("worker")
		})
		return all, id
	}
	one, id := draw(1)
	again, sameID := draw(1)
	other, otherID := draw(2)
	if id != sameID || id == otherID || len(id) != 16 {
		t.Errorf("ids of seeds 1, 1 and 2 are %s, %s and %s", id, sameID, otherID)
	}
	same, different, sum := 0, 0, time.Duration(0)
	for i := range one {
		if one[i] == again[i] {
			same++
		}
		if one[i] != other[i] {
			different++
		}
		sum += one[i]
	}
	if same != 100 || different != 100 {
		t.Errorf("of 100 draws %d are the same for the same seed, and %d others for another", same, different)
	}
	if mean := sum / 100; mean < 400*time.Millisecond || mean > 600*time.Millisecond {
		t.Errorf("the mean of 100 draws below a second is %v", mean)
	}
}

func TestDiceDifferByPurpose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dice.From(dice.With(t.Context(), 1))
		seen := map[float64]string{}
		for _, purpose := range []string{"", "a", "b", "ab", "beat", "12345678", "123456789", "shardId-000000000001", "shardId-000000000002"} {
			x := d.Float64(purpose)
			if was, ok := seen[x]; ok || x < 0 || x >= 1 {
				t.Errorf("%q draws %v, and %q did", purpose, x, was)
			}
			seen[x] = purpose
		}
		if d.Float64("a", "b") == d.Float64("ab") {
			t.Error("two words draw the same as one")
		}
	})
}

func TestDiceWithoutASeedAreTheGlobalGenerator(t *testing.T) {
	d := dice.From(context.Background())
	if one, other := d.ID("worker"), d.ID("worker"); one == other {
		t.Error("two ids are the same")
	}
	if x := d.N(time.Hour); x < 0 || x >= time.Hour {
		t.Errorf("a draw below an hour is %v", x)
	}
	if d.Float64() == d.Float64() {
		t.Error("two draws are the same")
	}
}
