package kpl_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/towpath/towpath/shard/kpl"
)

// randomUsers are user records with keys of a few kinds.
func randomUsers(random *rand.Rand, n, keys int) (users []kpl.User) {
	for i := range n {
		u := kpl.User{Index: int64(i), PartitionKey: fmt.Sprint("key-", strings.Repeat("x", random.IntN(200)), random.IntN(keys))}
		if random.IntN(3) == 0 {
			u.ExplicitHashKey = fmt.Sprint(random.Uint64N(uint64(keys)))
		}
		u.Data = bytes.Repeat([]byte{byte(i)}, random.IntN(300))
		users = append(users, u)
	}
	return users
}

// What is aggregated comes out as it went in, in order, under the sizes that were
// said, whatever the keys are.
func TestAggregatesComeOutAsTheyWentIn(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		a := kpl.Aggregator{MaxBytes: 1 + random.IntN(20_000), MaxRecords: random.IntN(40), Mixed: true}
		users := randomUsers(random, 1+random.IntN(300), 1+random.IntN(300))
		next, maxBytes, maxRecords := 0, a.MaxBytes, a.MaxRecords
		flush := func() {
			t.Helper()
			said := a.Bytes()
			n := a.Len()
			r := a.Flush()
			if r.Users != n || a.Len() != 0 || a.Bytes() != 0 {
				t.Fatalf("seed %d: %d user records were said, %d came, %d are left", seed, n, r.Users, a.Len())
			}
			if maxRecords > 0 && n > maxRecords {
				t.Errorf("seed %d: %d user records in one, want at most %d", seed, n, maxRecords)
			}
			first := users[next]
			if r.PartitionKey != first.PartitionKey || r.ExplicitHashKey != first.ExplicitHashKey {
				t.Errorf("seed %d: it goes to %q/%q, want the first's %q/%q", seed, r.PartitionKey, r.ExplicitHashKey, first.PartitionKey, first.ExplicitHashKey)
			}
			if n == 1 {
				if !bytes.Equal(r.Data, first.Data) {
					t.Errorf("seed %d: a single user record is not put as it is", seed)
				}
				next++
				return
			}
			if got := len(r.Data) + len(r.PartitionKey); got != said || got > maxBytes {
				t.Errorf("seed %d: an aggregate has %d bytes, said %d, at most %d", seed, got, said, maxBytes)
			}
			got := all(t, r.Data)
			for i := range got {
				got[i].Index += int64(next)
			}
			if want := users[next : next+n]; show(got) != show(want) {
				t.Fatalf("seed %d: got  %s\nwant %s", seed, show(got), show(want))
			}
			next += n
		}
		for _, u := range users {
			if a.Add(u) {
				continue
			}
			flush()
			if !a.Add(u) {
				t.Fatalf("seed %d: an empty aggregator refused a record", seed)
			}
		}
		flush()
		if next != len(users) {
			t.Errorf("seed %d: %d came of %d", seed, next, len(users))
		}
	}
}

// Unless it is told otherwise, an aggregate has one partition key and one
// explicit hash key, so that all of it belongs to one shard for ever.
func TestAnAggregateHasOneKey(t *testing.T) {
	var a kpl.Aggregator
	add := func(want bool, key, hash string) {
		t.Helper()
		if got := a.Add(kpl.User{PartitionKey: key, ExplicitHashKey: hash, Data: []byte("x")}); got != want {
			t.Errorf("%q/%q was taken: %v, want %v", key, hash, got, want)
		}
	}
	add(true, "a", "")
	add(true, "a", "")
	add(false, "b", "")
	add(false, "a", "7")
	if r := a.Flush(); r.PartitionKey != "a" || r.Users != 2 {
		t.Errorf("got %+v", r)
	}
	add(true, "a", "7")
	add(false, "a", "")
	add(true, "a", "7")
}

// A record that is larger than an aggregate may be goes alone, and is put as it
// is. So does one that is alone, unless a reader would unpack it.
func TestASingleRecordIsPutAsItIs(t *testing.T) {
	a := kpl.Aggregator{MaxBytes: 100}
	large := kpl.User{PartitionKey: "a", Data: make([]byte, 1000)}
	if !a.Add(large) || a.Add(kpl.User{PartitionKey: "a"}) {
		t.Error("want the large record alone")
	}
	if r := a.Flush(); len(r.Data) != 1000 || r.Users != 1 {
		t.Errorf("got %d bytes of %d user records", len(r.Data), r.Users)
	}
	inner := frame(str(1, "b") + user(0, "y"))
	a.Add(kpl.User{PartitionKey: "a", Data: inner})
	if got := all(t, a.Flush().Data); len(got) != 1 || !bytes.Equal(got[0].Data, inner) {
		t.Errorf("a record that looks like an aggregate comes out as %s", show(got))
	}
	if r := a.Flush(); r.Users != 0 || r.Data != nil {
		t.Errorf("nothing was added, and %+v came", r)
	}
}

func TestAnAggregateFillsUpToItsSize(t *testing.T) {
	var a kpl.Aggregator
	n := 0
	for a.Add(kpl.User{PartitionKey: "device-7", Data: make([]byte, 100)}) {
		n++
	}
	if size := a.Bytes(); size > 51_200 || size < 51_200-110 || n < 480 {
		t.Errorf("%d records of 100 bytes make %d bytes, want nearly 51,200", n, size)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("hello"), false)
	f.Add(frame(str(1, "a")+str(2, "99")+user(0, "x")+user(0, "y")), false)
	for _, c := range malformed {
		f.Add([]byte(c.message), true)
	}
	f.Add([]byte(str(1, "a")+str(1, "b")+str(2, "12")+user(1, "x")+str(3, num(1, 0)+num(2, 0)+str(3, "yy"))), true)
	f.Fuzz(func(t *testing.T, data []byte, framed bool) {
		if framed {
			data = frame(string(data)) // with the right digest, or little is seen
		}
		before := bytes.Clone(data)
		a, err := kpl.Decode(data)
		if err != nil {
			return
		}
		mixed := kpl.Aggregator{MaxBytes: 1 << 30, Mixed: true}
		var users []kpl.User
		bytesOf := 0
		for u, ok := a.Next(); ok; u, ok = a.Next() {
			users = append(users, u)
			bytesOf += len(u.Data)
			if !mixed.Add(u) {
				t.Fatal("the aggregator is full")
			}
		}
		if bytesOf > len(data) || int64(len(users)) != a.Len() {
			t.Fatalf("%d bytes came of %d, %d user records of %d", bytesOf, len(data), len(users), a.Len())
		}
		if !bytes.Equal(before, data) {
			t.Fatal("the record was changed")
		}
		if len(users) < 2 {
			return
		}
		b, err := kpl.Decode(mixed.Flush().Data)
		if err != nil {
			t.Fatalf("what was read and written cannot be read: %v", err)
		}
		if got := show(rest(b)); got != show(users) {
			t.Fatalf("read, written and read again:\n%s\nwas\n%s", got, show(users))
		}
	})
}
