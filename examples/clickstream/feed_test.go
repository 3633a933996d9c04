package main

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func loadText(t *testing.T, text string, c columns) feed {
	t.Helper()
	f, err := loadFeed("log", strings.NewReader(text), c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func loadDefault(t *testing.T) feed {
	t.Helper()
	r, name, err := openLog("")
	if err != nil {
		t.Fatal(err)
	}
	f, err := loadFeed(name, r, shopColumns)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFeedIsInEventTimeOrderAndNumberedPerKey(t *testing.T) {
	f := loadText(t, "user_id,event,timestamp\n"+
		"b,third,30\n"+
		"a,second,20\n"+
		"b,tie-1,10\n"+
		"a,broken,x\n"+
		"b,tie-2,10\n", shopColumns)
	var got []string
	for _, it := range f.Items {
		e, err := decodeEvent(it.Data)
		if err != nil {
			got = append(got, "bad "+it.PartitionKey+": "+string(it.Data))
			continue
		}
		if it.PartitionKey != e.Key {
			t.Errorf("%s has the partition key %q", e.Name, it.PartitionKey)
		}
		got = append(got, fmt.Sprintf("%s %d %s", e.Key, e.N, e.Name))
	}
	want := []string{"b 1 tie-1", "bad row 5: a,broken,x", "b 2 tie-2", "a 1 second", "b 3 third"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if f.Events != 4 || f.Keys != 2 || len(f.Bad) != 1 {
		t.Errorf("events %d, keys %d, bad %v; want 4, 2, one", f.Events, f.Keys, f.Bad)
	}
}

func TestLongKeysFitThePartitionKeyAndStayEqual(t *testing.T) {
	long := strings.Repeat("ü", 257)
	if got := partitionKey(long); len(got) != 64 || got != partitionKey(long) || got == partitionKey(long+"x") {
		t.Errorf("got %q", got)
	}
	if fits := long[:512]; partitionKey(fits) != fits {
		t.Error("a key of 256 characters was changed")
	}
}

func TestPoisonDependsOnTheSeedAloneAndLeavesTheOrder(t *testing.T) {
	base := loadDefault(t)
	a, b, c := base, base, base
	a.addPoison(7, 1)
	b.addPoison(7, 1)
	c.addPoison(7, 2)
	if !reflect.DeepEqual(a.Items, b.Items) {
		t.Error("the same seed gave two feeds")
	}
	if reflect.DeepEqual(a.Items, c.Items) {
		t.Error("two seeds gave the same feed")
	}
	var rest []item
	for _, it := range a.Items {
		if _, err := decodeEvent(it.Data); err == nil {
			rest = append(rest, it)
		}
	}
	if !reflect.DeepEqual(rest, base.Items) || a.Poison != 7 {
		t.Errorf("without its %d poison records the feed is not what it was", a.Poison)
	}
	for _, p := range poisons {
		if e, err := decodeEvent([]byte(p)); err == nil {
			t.Errorf("%q is no poison: %+v", p, e)
		}
	}
}

// The promise of the whole example, without a stream in between.
func TestDefaultLogHasExactlyTheLabelledSessions(t *testing.T) {
	f := loadDefault(t)
	if f.Events != 31_106 || f.Keys != 600 || len(f.Bad) != 0 {
		t.Errorf("events %d, users %d, bad %d; want 31106, 600, 0", f.Events, f.Keys, len(f.Bad))
	}
	l := newLedger()
	for i, it := range f.Items {
		e, err := decodeEvent(it.Data)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(i)
		l.deliver(id)
		if v := l.handle(id, e); v.Violation != "" || v.Repeat {
			t.Fatalf("record %d: %+v", i, v)
		}
	}
	want := totals{Read: 31_106, Handled: 31_106, Keys: 600, Sessions: 3605}
	if got := l.sums(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	// And the log's own labels, read as the key, are as many.
	labels, err := loadFeed("log", bytes.NewReader(defaultLog), columns{Key: []string{"user_id", "session_id"}, Time: "timestamp", Event: "event"})
	if err != nil || labels.Keys != defaultLogSessions {
		t.Errorf("the log labels %d sessions (%v), want %d", labels.Keys, err, defaultLogSessions)
	}
}

func TestALogOfOneHeaderIsAnError(t *testing.T) {
	_, err := loadFeed("log", strings.NewReader("user_id,event,timestamp\n"), shopColumns)
	if err == nil || err.Error() != "log:1: there is a header and no row after it" {
		t.Errorf("got %v", err)
	}
}

func Example_feed() {
	const log = `user,at,what
ann,2024-03-13 10:00:00,home
ann,2024-03-13 10:31:00,home
bob,not a time,home
ann,2024-03-13 10:05:00,buy
`
	f, err := loadFeed("clicks.csv", strings.NewReader(log), columns{Key: []string{"user"}, Time: "at", Event: "what"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Bad[0])
	l := newLedger()
	for i, it := range f.Items {
		id := fmt.Sprint("record ", i)
		l.deliver(id)
		e, err := decodeEvent(it.Data)
		if err != nil {
			l.fail(id)
			continue
		}
		v := l.handle(id, e)
		fmt.Println(e.Key, e.N, e.Time.Format(time.TimeOnly), e.Name, "new session:", v.NewSession)
	}
	t := l.sums()
	fmt.Println("read", t.Read, "handled", t.Handled, "failed", t.Failed, "sessions", t.Sessions)
	// Output:
	// clicks.csv:4: column "at": time "not a time" is none of: RFC 3339, 2006-01-02 15:04:05, Unix seconds, Unix milliseconds
	// ann 1 10:00:00 home new session: true
	// ann 2 10:05:00 buy new session: false
	// ann 3 10:31:00 home new session: false
	// read 4 handled 3 failed 1 sessions 1
}
