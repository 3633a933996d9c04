package recordpage_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/towpath/towpath/internal/recordpage"
)

// cborOf is a page in CBOR, with every second map and list of unknown length.
func cborOf(t testing.TB, body []byte) []byte {
	t.Helper()
	var p recordpage.Page
	if err := recordpage.ReadJSON(body, &p, recordpage.Apart); err != nil {
		t.Fatal(err)
	}
	c := recordpage.CBOR(nil).OpenMap().Text("Records").List(len(p.Records))
	for i, r := range p.Records {
		if i%2 == 0 {
			c = c.OpenMap()
		} else {
			c = c.Map(4)
		}
		c = c.Text("SequenceNumber").Text(r.Sequence).Text("ApproximateArrivalTimestamp").Time(r.ArrivedAt).
			Text("Data").Bytes(r.Data).Text("PartitionKey").Text(r.Key)
		if i%2 == 0 {
			c = c.End()
		}
	}
	c = c.Text("NextShardIterator").Text(*p.Next).Text("MillisBehindLatest").Number(*p.Behind)
	return c.Text("ChildShards").OpenList().End().End()
}

// What is read of CBOR is what is read of the same in JSON.
func TestBothFormatsSayTheSame(t *testing.T) {
	for _, size := range []int{0, 1, 100, 1000, 20_000} {
		body := pageOf(30, size)
		out, err := sdkRead(body)
		if err != nil {
			t.Fatal(err)
		}
		out.ChildShards = append(out.ChildShards, nil...)
		inCBOR := cborOf(t, body)
		before := bytes.Clone(inCBOR)
		for _, place := range []recordpage.Place{recordpage.Apart, recordpage.InBody} {
			var p recordpage.Page
			if err := recordpage.ReadCBOR(inCBOR, &p, place); err != nil {
				t.Fatal(err)
			}
			if p.Children == nil {
				t.Error("the empty list of children is none")
			}
			p.Children = nil
			if err := same(&p, out); err != nil {
				t.Errorf("%d B: %v", size, err)
			}
			if !bytes.Equal(inCBOR, before) {
				t.Fatal("the body was written to")
			}
		}
		if !recordpage.IsCBOR(inCBOR) || recordpage.IsCBOR(body) || recordpage.IsCBOR(nil) {
			t.Error("the formats are taken for one another")
		}
	}
}

// message joins bytes in hexadecimal.
func message(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(parts, ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(s string) string { return hex.EncodeToString(recordpage.CBOR(nil).Text(s)) }

// Each of these holds something that may be done wrongly; the other decoder says
// what is right.
func cborOddities(t testing.TB) map[string][]byte {
	one := func(member string, value ...string) []byte {
		return message(t, "a1", text("Records"), "81a1", text(member), strings.Join(value, ""))
	}
	list := map[string][]byte{
		"nothing":                  {},
		"an empty map":             message(t, "a0"),
		"an open map":              message(t, "bfff"),
		"null":                     message(t, "f6"),
		"a list":                   message(t, "80"),
		"null records":             message(t, "a1", text("Records"), "f6"),
		"undefined records":        message(t, "a1", text("Records"), "f7"),
		"records that are a map":   message(t, "a1", text("Records"), "a0"),
		"null as a record":         message(t, "a1", text("Records"), "82f6a0"),
		"a number as a record":     message(t, "a1", text("Records"), "8101"),
		"a payload in parts":       one("Data", "5f", "4161", "40", "426263", "ff"),
		"a part that is text":      one("Data", "5f", "6161", "ff"),
		"a part in parts":          one("Data", "5f", "5f4161ff", "ff"),
		"a payload that is text":   one("Data", "6161"),
		"an empty payload":         one("Data", "40"),
		"a long payload":           one("Data", "5903e8", strings.Repeat("ab", 1000)),
		"a payload that is cut":    one("Data", "5903e8", strings.Repeat("ab", 999)),
		"a payload of all memory":  one("Data", "5bffffffffffffffff"),
		"a length in 8 bytes":      one("Data", "5b0000000000000001", "61"),
		"a key in parts":           one("PartitionKey", "7f", "6161", "6162", "ff"),
		"no UTF-8":                 one("PartitionKey", "61ff"),
		"a key of bytes":           one("PartitionKey", "4161"),
		"a name in parts":          message(t, "a1", "7f", "6752", "ff", "01"),
		"a name of bytes":          message(t, "a1", "4161", "01"),
		"a time":                   one("ApproximateArrivalTimestamp", "c1", "1b0000019aa7b3c4d5"),
		"a time without a tag":     one("ApproximateArrivalTimestamp", "1b0000019aa7b3c4d5"),
		"a time before 1970":       one("ApproximateArrivalTimestamp", "c1", "3903e7"),
		"a time with a fraction":   one("ApproximateArrivalTimestamp", "c1", "fb427f3b3c4d500000"),
		"a time in 16 bits":        one("ApproximateArrivalTimestamp", "c1", "f97bff"),
		"a time of almost nothing": one("ApproximateArrivalTimestamp", "c1", "f90001"),
		"a time that is infinite":  one("ApproximateArrivalTimestamp", "c1", "f97c00"),
		"a time that is none":      one("ApproximateArrivalTimestamp", "c1", "fb7ff8000000000000"),
		"a time of another tag":    one("ApproximateArrivalTimestamp", "c0", "6161"),
		"a time that is too large": one("ApproximateArrivalTimestamp", "c1", "1bffffffffffffffff"),
		"a null time":              one("ApproximateArrivalTimestamp", "f6"),
		"a tagged null":            one("ApproximateArrivalTimestamp", "c1f6"),
		"a number":                 message(t, "a1", text("MillisBehindLatest"), "1903e8"),
		"the largest number":       message(t, "a1", text("MillisBehindLatest"), "1b7fffffffffffffff"),
		"the least number":         message(t, "a1", text("MillisBehindLatest"), "3b7fffffffffffffff"),
		"a number too large":       message(t, "a1", text("MillisBehindLatest"), "1b8000000000000000"),
		"a number in text":         message(t, "a1", text("MillisBehindLatest"), "6131"),
		"a fraction":               message(t, "a1", text("MillisBehindLatest"), "f93c00"),
		"twice":                    message(t, "a2", text("MillisBehindLatest"), "01", text("MillisBehindLatest"), "f6"),
		"records twice":            message(t, "a2", text("Records"), "82a0a0", text("Records"), "81a0"),
		"unknown members":          message(t, "a3", "6141", "82a1614281c0f5f4", "6143", "fa47c35000", "6144", "9f01ff"),
		"nested too deep":          message(t, "a1", "6141", strings.Repeat("81", 63), "01"),
		"almost too deep":          message(t, "a1", "6141", strings.Repeat("81", 62), "01"),
		"a break in no place":      message(t, "a1ff"),
		"a break for a value":      message(t, "bf", "6141", "ff"),
		"a reserved length":        message(t, "a1", "6141", "1c"),
		"a simple value":           message(t, "a1", "6141", "e0"),
		"a simple value in a byte": message(t, "a1", "6141", "f8ff"),
		"a list of all memory":     message(t, "a1", text("Records"), "9bffffffffffffffff"),
		"something behind it":      message(t, "a0", "ff"),
		"the end of a shard": message(t, "a1", text("ChildShards"), "82", "a3", text("ShardId"), text("s"),
			text("ParentShards"), "9f", text("p"), "f6", "ff", text("HashKeyRange"), "a2", text("StartingHashKey"), text("0"), text("EndingHashKey"), text("9"), "a1", text("HashKeyRange"), "f6"),
	}
	return list
}

func TestReadsCBORAsTheSDKDoes(t *testing.T) {
	for name, body := range cborOddities(t) {
		t.Run(name, func(t *testing.T) { holdCBOR(t, body) })
	}
	for _, of := range []struct{ name, want string }{
		{"nested too deep", "nested more than 64 deep"}, {"a payload of all memory", "ends too soon"}, {"a time that is infinite", "no time"},
	} {
		var p recordpage.Page
		if err := recordpage.ReadCBOR(cborOddities(t)[of.name], &p, recordpage.Apart); err == nil || !strings.Contains(err.Error(), of.want) {
			t.Errorf("%s: %v, want %q", of.name, err, of.want)
		}
	}
}

// Where an answer ends too soon nothing of it is believed.
func TestCutCBORIsRefused(t *testing.T) {
	whole := cborOf(t, pageOf(3, 20))
	for n := 1; n < len(whole); n++ {
		var p recordpage.Page
		if err := recordpage.ReadCBOR(whole[:n], &p, recordpage.Apart); err == nil || len(p.Records) > 0 {
			t.Errorf("cut at %d: %v, %d records", n, err, len(p.Records))
		}
	}
}

// What is written flat is read.
func TestFlatMessages(t *testing.T) {
	c := recordpage.CBOR(nil).OpenMap().Text("a").Text("b").Text("n").Number(-70000).Text("x").List(1).Bool(true).
		Text("yes").Bool(true).Text("no").Bool(false).Text("big").Number(1 << 40).End()
	got, err := recordpage.Flat(c)
	want := map[string]any{"a": "b", "n": int64(-70000), "yes": true, "no": false, "big": int64(1 << 40)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for n := range len(c) {
		if _, err := recordpage.Flat(c[:n]); err == nil {
			t.Errorf("cut at %d it is read", n)
		}
	}
}

func FuzzCBOR(f *testing.F) {
	for _, body := range cborOddities(f) {
		f.Add(body)
	}
	f.Add(cborOf(f, pageOf(3, 50)))
	f.Fuzz(func(t *testing.T, body []byte) {
		holdCBOR(t, body)
		_, _ = recordpage.Flat(body)
	})
}

// holdCBOR holds what is read of a body against the tree that the SDK's decoder of
// CBOR makes of it.
func holdCBOR(t *testing.T, body []byte) {
	t.Helper()
	var p, inBody recordpage.Page
	err := recordpage.ReadCBOR(body, &p, recordpage.Apart)
	if other := recordpage.ReadCBOR(body, &inBody, recordpage.InBody); (err == nil) != (other == nil) || !reflect.DeepEqual(p.Children, inBody.Children) || len(p.Records) != len(inBody.Records) {
		t.Errorf("apart: %v; in the body: %v", err, other)
	}
	if len(body) == 0 {
		return
	}
	tree, sdk := sdkTree(body)
	if err == nil && sdk != nil {
		t.Errorf("it was read, and by the SDK it is not: %v", sdk)
	}
	if sdk != nil {
		return
	}
	var w want
	page := w.page(tree)
	switch {
	case err == nil && w.err != nil:
		t.Errorf("it was read, want %v", w.err)
	case err != nil && w.err == nil && !errors.Is(err, recordpage.ErrDeep) && !endless(body) && !twice(body, tree):
		t.Errorf("%v; want it read", err)
	case err == nil:
		got := fmt.Sprintf("%+v", summary(&p))
		if want := fmt.Sprintf("%+v", summary(page)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := fmt.Sprintf("%+v", summary(&inBody)), fmt.Sprintf("%+v", summary(page)); got != want {
			t.Errorf("in the body: got %s, want %s", got, want)
		}
	}
}

// twice reports whether a map may have a name more than once: the tree has the last
// of them alone, and the first may be what is refused.
func twice(body []byte, tree cbor.Value) bool {
	named := map[string]int{}
	var walk func(cbor.Value)
	walk = func(v cbor.Value) {
		switch v := v.(type) {
		case cbor.Map:
			for name, of := range v {
				named[name]++
				walk(of)
			}
		case cbor.List:
			for _, item := range v {
				walk(item)
			}
		case *cbor.Tag:
			walk(v.Value)
		}
	}
	walk(tree)
	for _, name := range []string{"Records", "ChildShards", "MillisBehindLatest", "NextShardIterator", "Data", "SequenceNumber", "PartitionKey",
		"ApproximateArrivalTimestamp", "EncryptionType", "ShardId", "ParentShards", "HashKeyRange", "StartingHashKey", "EndingHashKey"} {
		if bytes.Count(body, []byte(name)) > named[name] {
			return true
		}
	}
	return false
}

// endless reports whether a list or a map may begin anywhere of so many items that
// the SDK's decoder takes it for one without any.
func endless(body []byte) bool {
	for i := 1; i < len(body); i++ {
		if (body[i-1] == 0x9b || body[i-1] == 0xbb) && body[i] >= 0x80 {
			return true
		}
	}
	return false
}

func sdkTree(body []byte) (v cbor.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panics: %v", p)
		}
	}()
	return cbor.Decode(body)
}

// summary is a page without pointers.
func summary(p *recordpage.Page) []any {
	show := func(s *string) string {
		if s == nil {
			return "none"
		}
		return "'" + *s + "'"
	}
	out := []any{p.Records == nil, p.Children == nil, show(p.Next), p.Behind != nil}
	if p.Behind != nil {
		out = append(out, *p.Behind)
	}
	for _, r := range p.Records {
		out = append(out, r.Data == nil, string(r.Data), r.Sequence, r.Key, r.Encryption, r.ArrivedAt.UnixMilli(), r.Has)
	}
	for _, c := range p.Children {
		out = append(out, show(c.ID), c.Parents == nil, fmt.Sprintf("%q", c.Parents), c.Hashes == nil)
		if c.Hashes != nil {
			out = append(out, show(c.Hashes.Start), show(c.Hashes.End))
		}
	}
	return out
}

// want reads a page from a tree.
type want struct{ err error }

func (w *want) bad(what string, v any) {
	if w.err == nil {
		w.err = fmt.Errorf("%s is a %T", what, v)
	}
}

func none(v cbor.Value) bool {
	switch v.(type) {
	case nil, *cbor.Nil, *cbor.Undefined:
		return true
	}
	return false
}

func (w *want) page(v cbor.Value) *recordpage.Page {
	p := &recordpage.Page{}
	m, ok := v.(cbor.Map)
	if !ok {
		w.bad("the answer", v)
		return p
	}
	if n := m["MillisBehindLatest"]; !none(n) {
		p.Behind = new(int64)
		*p.Behind = w.number(n)
	}
	p.Next = w.text(m["NextShardIterator"])
	if list := w.list(m["Records"]); list != nil {
		p.Records = []recordpage.Record{}
		for _, one := range list {
			p.Records = append(p.Records, w.record(one))
		}
	}
	if list := w.list(m["ChildShards"]); list != nil {
		p.Children = []recordpage.Child{}
		for _, one := range list {
			p.Children = append(p.Children, w.child(one))
		}
	}
	return p
}

func (w *want) list(v cbor.Value) cbor.List {
	if none(v) {
		return nil
	}
	l, ok := v.(cbor.List)
	if !ok {
		w.bad("a list", v)
	}
	return l
}

func (w *want) text(v cbor.Value) *string {
	if none(v) {
		return nil
	}
	s, ok := v.(cbor.String)
	if !ok {
		w.bad("a text", v)
	}
	text := string(s)
	return &text
}

func (w *want) number(v cbor.Value) int64 {
	switch v := v.(type) {
	case cbor.Uint:
		if v <= math.MaxInt64 {
			return int64(v)
		}
	case cbor.NegInt: // which is the number's amount
		if v-1 <= math.MaxInt64 && v != 0 {
			return -1 - int64(v-1)
		}
	}
	w.bad("a number", v)
	return 0
}

func (w *want) fields(v cbor.Value) cbor.Map {
	if none(v) {
		return nil
	}
	m, ok := v.(cbor.Map)
	if !ok {
		w.bad("a map", v)
	}
	return m
}

func (w *want) record(v cbor.Value) (r recordpage.Record) {
	m := w.fields(v)
	if data := m["Data"]; !none(data) {
		b, ok := data.(cbor.Slice)
		if !ok {
			w.bad("a payload", data)
		}
		r.Data = append([]byte{}, b...)
	}
	if s := w.text(m["SequenceNumber"]); s != nil {
		r.Sequence, r.Has = *s, r.Has|recordpage.GivenSequence
	}
	if s := w.text(m["PartitionKey"]); s != nil {
		r.Key, r.Has = *s, r.Has|recordpage.GivenKey
	}
	if s := w.text(m["EncryptionType"]); s != nil {
		r.Encryption = *s
	}
	if at := m["ApproximateArrivalTimestamp"]; !none(at) {
		if tag, ok := at.(*cbor.Tag); ok && tag.ID == 1 {
			at = tag.Value
		}
		r.Has |= recordpage.GivenArrivedAt
		var f float64
		switch n := at.(type) {
		case cbor.Float32:
			f = float64(n)
		case cbor.Float64:
			f = float64(n)
		default:
			r.ArrivedAt = time.UnixMilli(w.number(at))
			return r
		}
		if !(math.Abs(f) < 1<<53) {
			w.bad("a time", at)
			return r
		}
		r.ArrivedAt = time.UnixMilli(int64(f))
	}
	return r
}

func (w *want) child(v cbor.Value) (c recordpage.Child) {
	m := w.fields(v)
	c.ID = w.text(m["ShardId"])
	if list := w.list(m["ParentShards"]); list != nil {
		c.Parents = []string{}
		for _, one := range list {
			id := ""
			if s := w.text(one); s != nil {
				id = *s
			}
			c.Parents = append(c.Parents, id)
		}
	}
	if h := w.fields(m["HashKeyRange"]); h != nil {
		c.Hashes = &recordpage.HashRange{Start: w.text(h["StartingHashKey"]), End: w.text(h["EndingHashKey"])}
	}
	return c
}
