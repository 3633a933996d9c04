package kpl_test

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/towpath/towpath/shard/kpl"
)

const magic = "\xF3\x89\x9A\xC2"

// frame puts a message between the magic and its digest.
func frame(message string) []byte {
	sum := md5.Sum([]byte(message))
	return append([]byte(magic+message), sum[:]...)
}

// str and num are fields of a message, written apart from the package's own.
func str(number int, value string) string {
	b := binary.AppendUvarint([]byte{byte(number<<3 | 2)}, uint64(len(value)))
	return string(b) + value
}

func num(number int, value uint64) string {
	return string(binary.AppendUvarint([]byte{byte(number << 3)}, value))
}

// user is a user record in a message.
func user(key uint64, data string) string { return str(3, num(1, key)+str(3, data)) }

// all are the user records of an aggregate.
func all(t *testing.T, data []byte) []kpl.User {
	t.Helper()
	a, err := kpl.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	users := rest(a)
	if int64(len(users)) != a.Len() || a.Left() != 0 {
		t.Errorf("%d user records came of %d, and %d are left", len(users), a.Len(), a.Left())
	}
	return users
}

func rest(a *kpl.Aggregate) (users []kpl.User) {
	for u, ok := a.Next(); ok; u, ok = a.Next() {
		users = append(users, u)
	}
	return users
}

func show(users []kpl.User) string {
	var b strings.Builder
	for _, u := range users {
		fmt.Fprintf(&b, "%d:%s/%s=%s ", u.Index, u.PartitionKey, u.ExplicitHashKey, u.Data)
	}
	return strings.TrimSpace(b.String())
}

func TestDecodeReadsTheFormat(t *testing.T) {
	const most = "340282366920938463463374607431768211455" // 2^128 - 1
	tests := map[string]struct{ message, want string }{
		"one":      {str(1, "a") + user(0, "x"), "0:a/=x"},
		"several":  {str(1, "a") + str(1, "b") + user(1, "x") + user(0, "y") + user(1, ""), "0:b/=x 1:a/=y 2:b/="},
		"none":     {str(1, "a"), ""},
		"hash key": {str(1, "a") + str(2, "0") + str(2, most) + str(3, num(1, 0)+num(2, 1)+str(3, "x")), "0:a/" + most + "=x"},
		"an empty hash key is none": {
			str(1, "a") + str(2, "") + str(3, num(1, 0)+num(2, 0)+str(3, "x")), "0:a/=x"},
		"tables behind": {user(1, "x") + str(1, "a") + user(0, "y") + str(1, "b"), "0:b/=x 1:a/=y"},
		"tags":          {str(1, "a") + str(3, num(1, 0)+str(3, "x")+str(4, str(1, "t")+str(2, "v"))), "0:a/=x"},
		"the last of a field counts": {
			str(1, "a") + str(1, "b") + str(3, num(1, 9)+str(3, "old")+str(3, "new")+num(1, 1)), "0:b/=new"},
		"unknown fields": {
			num(9, 1) + str(1, "a") + str(10, "?") + "\x59........" + "\x65...." +
				str(3, num(7, 3)+"\x59........"+num(1, 0)+str(8, "?")+"\x65...."+str(3, "x")), "0:a/=x"},
		"another wire type is another field": {
			num(1, 5) + num(3, 5) + str(1, "a") + str(3, str(1, "?")+num(1, 0)+num(3, 1)+str(3, "x")+str(2, "?")), "0:a/=x"},
		"a key of 256 characters": {str(1, strings.Repeat("é", 256)) + user(0, "x"), "0:" + strings.Repeat("é", 256) + "/=x"},
		"an aggregate in it":      {str(1, "a") + user(0, string(frame(str(1, "b")+user(0, "y")))), "0:a/=" + string(frame(str(1, "b")+user(0, "y")))},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			if got := show(all(t, frame(c.message))); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestWhatHasNotTheFrameIsAPlainRecord(t *testing.T) {
	good := frame(str(1, "a") + user(0, "x"))
	wrong := bytes.Clone(good)
	wrong[len(wrong)-1]++
	changed := bytes.Clone(good)
	changed[6]++
	tests := map[string][]byte{
		"nil": nil, "empty": {}, "text": []byte("hello"), "magic alone": []byte(magic),
		"magic and too little": []byte(magic + "fifteen bytes.."), "wrong digest": wrong, "changed": changed,
		"cut": good[:len(good)-1], "another magic": append([]byte{0xF3, 0x89, 0x9A, 0xC3}, good[4:]...),
		"magic and zeroes": append([]byte(magic), make([]byte, 16)...), "nothing between": frame(""),
	}
	for name, data := range tests {
		if a, err := kpl.Decode(data); a != nil || !errors.Is(err, kpl.ErrPlain) {
			t.Errorf("%s: got %v, %v, want ErrPlain", name, a, err)
		}
	}
}

// malformed are messages that no aggregate has: with the right digest around
// them, their producer meant something that cannot be known.
var malformed = map[string]struct {
	message string
	record  int64
	says    string
}{
	"garbage":                       {"garbage!", -1, "wire type"},
	"field 0":                       {"\x02\x00", -1, "field with the number 0"},
	"a huge field number":           {"\x80\x80\x80\x80\x20", -1, "field with the number"},
	"a group":                       {"\x0b\x0c", -1, "wire type 3"},
	"wire type 7":                   {"\x0f", -1, "wire type 7"},
	"a tag that is cut":             {"\x80", -1, "cut short"},
	"a length that is cut":          {"\x0a\x80", -1, "cut short"},
	"a key that is cut":             {"\x0a\x05abcd", -1, "cut short"},
	"a claim of a billion bytes":    {"\x0a\x80\x94\xeb\xdc\x03abcd", -1, "cut short"},
	"a claim of 2^64-1 bytes":       {"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01abcd", -1, "cut short"},
	"a number of 70 bits":           {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", -1, "64 bits"},
	"a number that does not end":    {"\x08" + strings.Repeat("\xff", 20), -1, "64 bits"},
	"fixed64 that is cut":           {"\x09abc", -1, "cut short"},
	"fixed32 that is cut":           {"\x0dabc", -1, "cut short"},
	"no table":                      {user(0, "x"), 0, "number 0 of 0"},
	"an index behind its table":     {str(1, "a") + user(0, "x") + user(1, "y"), 1, "number 1 of 1"},
	"an index of 2^63":              {str(1, "a") + user(1<<63, "x"), 0, "of 1"},
	"an index of 2^64-1":            {str(1, "a") + user(1<<64-1, "x"), 0, "of 1"},
	"a hash index behind its table": {str(1, "a") + str(2, "1") + str(3, num(1, 0)+num(2, 1)+str(3, "x")), 0, "explicit hash key is number 1 of 1"},
	"a hash index without a table":  {str(1, "a") + str(3, num(1, 0)+num(2, 0)+str(3, "x")), 0, "explicit hash key is number 0 of 0"},
	"no index":                      {str(1, "a") + str(3, str(3, "x")), 0, "no partition key"},
	"no data":                       {str(1, "a") + str(3, num(1, 0)), 0, "no data"},
	"an empty record":               {str(1, "a") + user(0, "x") + str(3, ""), 1, "no partition key"},
	"a record that is cut":          {str(1, "a") + str(3, num(1, 0)+"\x1a\x05abc"), 0, "cut short"},
	"a hash key of 129 bits":        {str(1, "a") + str(2, "340282366920938463463374607431768211456") + user(0, "x"), -1, "128 bits"},
	"a hash key of a novel":         {str(1, "a") + str(2, strings.Repeat("9", 5000)) + user(0, "x"), -1, "128 bits"},
	"a hash key below zero":         {str(1, "a") + str(2, "-1") + user(0, "x"), -1, "128 bits"},
	"a hash key of other digits":    {str(1, "a") + str(2, "١٢٣") + user(0, "x"), -1, "128 bits"},
	"a key that is no text":         {str(1, "\xff\xfe") + user(0, "x"), -1, "partition key 0 is no text"},
	"a key of 257 characters":       {str(1, strings.Repeat("é", 257)) + user(0, "x"), -1, "at most 256"},
}

func TestWhatCannotBeReadIsMalformed(t *testing.T) {
	for name, c := range malformed {
		t.Run(name, func(t *testing.T) {
			a, err := kpl.Decode(frame(c.message))
			var m *kpl.MalformedError
			if a != nil || !errors.As(err, &m) || errors.Is(err, kpl.ErrPlain) {
				t.Fatalf("got %v, %v, want a *MalformedError", a, err)
			}
			if m.Record != c.record || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got record %d, %v; want record %d, %q", m.Record, err, c.record, c.says)
			}
		})
	}
}

// Where a message is cut, with a digest made for what is left, it is malformed
// or has fewer user records, whose data is what it was.
func TestCutsAreMalformedOrWhole(t *testing.T) {
	message := str(1, "a") + str(1, "bcd") + str(2, "12345") + user(0, "one") + user(1, "two") + str(3, num(1, 1)+num(2, 0)+str(3, "three"))
	whole := show(all(t, frame(message)))
	for n := range len(message) {
		a, err := kpl.Decode(frame(message[:n]))
		if err != nil {
			continue
		}
		if got := show(rest(a)); !strings.HasPrefix(whole, got) {
			t.Errorf("cut at %d: got %q, want the beginning of %q", n, got, whole)
		}
	}
}

// What a record claims costs nothing, and what it has costs little: four bytes a
// key beside the record, and nothing for each user record.
func TestClaimsCostNothing(t *testing.T) {
	claims := []string{
		"\x0a\x80\x94\xeb\xdc\x03",         // a key of a billion bytes
		"\x1a\x80\x94\xeb\xdc\x03\x08\x00", // a record of as many
		str(1, "a") + user(1_000_000_000, "x"),
	}
	for _, c := range claims {
		data := frame(c)
		if n := testing.AllocsPerRun(10, func() { _, _ = kpl.Decode(data) }); n > 20 {
			t.Errorf("%q: %v allocations", c, n)
		}
	}
	many := frame(str(1, "key") + strings.Repeat(user(0, ""), 100_000))
	n := testing.AllocsPerRun(3, func() {
		a, err := kpl.Decode(many)
		if err != nil {
			t.Fatal(err)
		}
		for _, ok := a.Next(); ok; _, ok = a.Next() {
		}
	})
	if n > 10 {
		t.Errorf("100,000 user records took %v allocations, want those of the aggregate alone", n)
	}
	keys := frame(strings.Repeat(str(1, ""), 1_000_000))
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := kpl.Decode(keys); err != nil {
				b.Fatal(err)
			}
		}
	})
	if got := result.AllocedBytesPerOp(); got > 5<<20 {
		t.Errorf("a million keys in 2 MB took %d bytes, want 4 MB", got)
	}
}

func TestDataIsNotCopied(t *testing.T) {
	data := frame(str(1, "a") + user(0, "payload"))
	u := all(t, data)[0]
	at := bytes.Index(data, []byte("payload"))
	if &u.Data[0] != &data[at] {
		t.Error("the data of a user record is a copy")
	}
	if cap(u.Data) != len(u.Data) {
		t.Errorf("the data has room for %d bytes of what is behind it", cap(u.Data)-len(u.Data))
	}
}

// A copy of an aggregate goes on by itself.
func TestACopyGoesOnByItself(t *testing.T) {
	a, err := kpl.Decode(frame(str(1, "a") + user(0, "x") + user(0, "y")))
	if err != nil {
		t.Fatal(err)
	}
	a.Next()
	b := *a
	if one, two := show(rest(a)), show(rest(&b)); one != two || one != "1:a/=y" {
		t.Errorf("the rest is %q, and that of the copy %q", one, two)
	}
}

func TestFramedIsTheBeginningAndTheLength(t *testing.T) {
	for data, want := range map[string]bool{
		"": false, "hello": false, magic: false, magic + "fifteen bytes..": false, magic + "sixteen bytes...": false, magic + "seventeen bytes..": true,
	} {
		if got := kpl.Framed([]byte(data)); got != want {
			t.Errorf("%q: framed is %v, want %v", data, got, want)
		}
	}
}
