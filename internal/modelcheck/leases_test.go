package modelcheck

import "testing"

func TestScratchLeases(t *testing.T) {
	for _, c := range []Leases{
		{Workers: 2, Records: 2, Counter: 3, Orphans: 1},
		{Workers: 2, Records: 1, Counter: 3, Orphans: 1, HandOvers: true},
		{Workers: 2, Records: 1, Counter: 3, Orphans: 1, Seeks: 1},
		{Workers: 2, Records: 1, Counter: 3, Orphans: 1, Deletes: 1},
		{Workers: 2, Records: 2, Counter: 4, Orphans: 0, HandOvers: true, Seeks: 1},
		{Workers: 2, Records: 2, Counter: 3, Orphans: 1, HandOvers: true},
		{Workers: 3, Records: 1, Counter: 3, Orphans: 0, HandOvers: true},
		{Workers: 2, Records: 2, Counter: 4, Orphans: 1},
	} {
		r := Explore(c.Model, 12_000_000)
		t.Logf("%s %+v", r, c)
		if r.Breach != nil {
			t.Error(r.Breach)
		}
	}
}
