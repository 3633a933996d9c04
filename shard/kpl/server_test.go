package kpl_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/shard/kpl"
)

var golden = flag.Bool("golden", false, "write testdata/aggregates.json anew, with the other library")

// goldenFile has aggregates that another library made.
const goldenFile = "testdata/aggregates.json"

// plain is a user record as ci/aggregates.py knows it.
type plain struct {
	Key  string `json:"key"`
	Hash string `json:"hash"`
	Data []byte `json:"data"`
}

// made are user records, and the aggregate that another library made of them.
type made struct {
	Users  []plain `json:"users"`
	Record []byte  `json:"record"`
}

// samples are user records of every kind, in groups. Within a group all or none
// have an explicit hash key.
func samples() (groups [][]plain) {
	groups = append(groups,
		[]plain{{Key: "one", Data: []byte("alone")}},
		[]plain{{Key: "a", Data: []byte("x")}, {Key: "b", Data: []byte{}}, {Key: "a", Data: []byte{0, 255, 0x80}}},
		[]plain{{Key: "clé", Hash: "0", Data: []byte("ünï")}, {Key: "鍵", Hash: "340282366920938463463374607431768211455", Data: []byte("データ")}},
		[]plain{{Key: "large", Data: bytes.Repeat([]byte("0123456789"), 200)}, {Key: "small", Data: []byte("s")}},
	)
	random := rand.New(rand.NewPCG(7, 7))
	for range 6 {
		hashed := random.IntN(2) == 0
		var users []plain
		for i := range 2 + random.IntN(70) {
			u := plain{Key: fmt.Sprint("key-", random.IntN(150)), Data: fmt.Append(nil, i, strings.Repeat("x", random.IntN(20)))}
			if hashed {
				u.Hash = fmt.Sprint(random.Uint64N(50))
			}
			users = append(users, u)
		}
		groups = append(groups, users)
	}
	return groups
}

func aggregated(users []plain) []byte {
	a := kpl.Aggregator{MaxBytes: 1 << 20, Mixed: true}
	for _, u := range users {
		a.Add(kpl.User{PartitionKey: u.Key, ExplicitHashKey: u.Hash, Data: u.Data})
	}
	return a.Flush().Data
}

// same fails the test unless an aggregate has these user records.
func same(t *testing.T, record []byte, users []plain) {
	t.Helper()
	var want []kpl.User
	for i, u := range users {
		want = append(want, kpl.User{Index: int64(i), PartitionKey: u.Key, ExplicitHashKey: u.Hash, Data: u.Data})
	}
	if got := show(all(t, record)); got != show(want) {
		t.Errorf("got  %q\nwant %q", got, show(want))
	}
}

// What another library has written is read, and what is written here is the same
// to the byte.
func TestAggregatesOfAnotherLibraryAreRead(t *testing.T) {
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []made
	if err := json.Unmarshal(text, &all); err != nil || len(all) < 10 {
		t.Fatalf("%s has %d aggregates, %v", goldenFile, len(all), err)
	}
	for i, m := range all {
		same(t, m.Record, m.Users)
		if got := aggregated(m.Users); len(m.Users) > 1 && !bytes.Equal(got, m.Record) {
			t.Errorf("aggregate %d is written as\n%x, want\n%x", i, got, m.Record)
		}
	}
}

// The library that AWS offers for Python reads what is written here, and writes
// what is read here, and what lies in testdata.
func TestAggregatesAgreeWithPythonServer(t *testing.T) {
	if servertest.Lacks(t, "kpl") {
		return
	}
	python := servertest.Endpoint(t, "kpl")
	groups := samples()
	var written [][]byte
	ask(t, python, "write", groups, &written)
	var theirs []made
	for i, record := range written {
		theirs = append(theirs, made{groups[i], record})
		same(t, record, groups[i])
	}
	text, err := json.MarshalIndent(theirs, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if *golden {
		if err := os.WriteFile(goldenFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if stored, err := os.ReadFile(goldenFile); err != nil || !bytes.Equal(bytes.TrimSpace(stored), text) {
		t.Errorf("%s is not what the library writes (%v): run this test with -golden", goldenFile, err)
	}

	groups = groups[1:] // a single user record is put as it is
	var ours [][]byte
	for _, users := range groups {
		ours = append(ours, aggregated(users))
	}
	var read [][]plain
	ask(t, python, "read", ours, &read)
	for i := range groups {
		equal := func(a, b plain) bool { return a.Key == b.Key && a.Hash == b.Hash && bytes.Equal(a.Data, b.Data) }
		if !slices.EqualFunc(read[i], groups[i], equal) {
			t.Errorf("of aggregate %d it reads %q, want %q", i, read[i], groups[i])
		}
	}
}

// ask runs the script over one question.
func ask(t *testing.T, python, mode string, question, answer any) {
	t.Helper()
	in, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python, "../../ci/aggregates.py", mode)
	var complaints bytes.Buffer
	command.Stdin, command.Stderr = bytes.NewReader(in), &complaints
	out, err := command.Output()
	if err == nil {
		err = json.Unmarshal(out, answer)
	}
	if err != nil {
		t.Fatalf("ci/aggregates.py %s: %v\n%s", mode, err, complaints.Bytes())
	}
}
