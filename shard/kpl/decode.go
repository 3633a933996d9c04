package kpl

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"unicode/utf8"
)

// magic begins every aggregated record, and the MD5 of what is between ends it.
const magic = "\xF3\x89\x9A\xC2"

// maxKey is how many characters a partition key has at most, see
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html.
const maxKey = 256

// The fields of the messages.
const (
	aggregatePartitionKeys = 1
	aggregateHashKeys      = 2
	aggregateRecords       = 3

	recordPartitionKey = 1
	recordHashKey      = 2
	recordData         = 3
)

// ErrPlain says that a record is not aggregated.
var ErrPlain = errors.New("the record is not aggregated")

// MalformedError says that a record has the frame of an aggregated one, with the
// right digest, and cannot be read as one.
type MalformedError struct {
	// Record is the index of the user record at fault; -1 if it is none of them.
	Record int64
	// Err is what is wrong with it, without anything of its keys or data.
	Err error
}

// Error says what is wrong, and where.
func (e *MalformedError) Error() string {
	if e.Record < 0 {
		return fmt.Sprintf("malformed aggregated record: %v", e.Err)
	}
	return fmt.Sprintf("malformed aggregated record: user record %d: %v", e.Record, e.Err)
}

// Unwrap is what is wrong with it.
func (e *MalformedError) Unwrap() error { return e.Err }

// User is one user record of an aggregate.
type User struct {
	// Index is its place in the aggregate, from 0.
	Index int64
	// PartitionKey is the key that its producer gave it.
	PartitionKey string
	// ExplicitHashKey is the hash it was put with instead of its key's, in
	// decimal; empty if none.
	ExplicitHashKey string
	// Data is its payload: a part of the aggregate, not a copy.
	Data []byte
}

// Aggregate is an aggregated record that was checked, and a place in it: Next
// goes on from there. A copy of the value goes on by itself.
type Aggregate struct {
	message      []byte // what is between the magic and the digest
	keys, hashes table
	rest         []byte // of message, from the next field on
	next, n      int64
}

// Framed reports whether a record begins as an aggregated one does and is long
// enough for it: with something between magic and digest. Only Decode tells
// whether it is one.
func Framed(data []byte) bool {
	return len(data) > len(magic)+md5.Size && string(data[:len(magic)]) == magic
}

// Decode checks an aggregated record as a whole, so that Next has nothing left
// to complain of. It is ErrPlain for what is not aggregated and a *MalformedError
// for what only pretends to be. The record is not copied and must not change.
func Decode(data []byte) (*Aggregate, error) {
	if !Framed(data) {
		return nil, ErrPlain
	}
	message, digest := data[len(magic):len(data)-md5.Size], data[len(data)-md5.Size:]
	if sum := md5.Sum(message); !bytes.Equal(sum[:], digest) {
		return nil, ErrPlain
	}
	a := &Aggregate{message: message, rest: message}
	if err := a.check(); err != nil {
		return nil, err
	}
	return a, nil
}

// check reads the tables, and then every record: the tables may stand behind
// the records that point into them.
func (a *Aggregate) check() error {
	if err := a.index(); err != nil {
		return &MalformedError{Record: -1, Err: err}
	}
	for i := range a.keys.len() {
		if key := a.keys.at(i); !utf8.Valid(key) || utf8.RuneCount(key) > maxKey {
			return &MalformedError{Record: -1, Err: fmt.Errorf("partition key %d is no text of at most %d characters", i, maxKey)}
		}
	}
	for i := range a.hashes.len() {
		if key := a.hashes.at(i); len(key) > 0 {
			if _, ok := parsePoint(key); !ok {
				return &MalformedError{Record: -1, Err: fmt.Errorf("explicit hash key %d is no number of 128 bits", i)}
			}
		}
	}
	for rest := a.message; len(rest) > 0; {
		var f field
		f, rest, _ = nextField(rest) // index has seen it
		if f.number == aggregateRecords && f.wire == wireBytes {
			if _, err := a.record(f.bytes); err != nil {
				return &MalformedError{Record: a.n, Err: err}
			}
			a.n++
		}
	}
	return nil
}

// index finds the keys. They are counted before room is made for them.
func (a *Aggregate) index() error {
	keys, hashes := 0, 0
	for rest := a.message; len(rest) > 0; {
		f, after, err := nextField(rest)
		if err != nil {
			return err
		}
		rest = after
		switch {
		case f.wire != wireBytes:
		case f.number == aggregatePartitionKeys:
			keys++
		case f.number == aggregateHashKeys:
			hashes++
		}
	}
	a.keys, a.hashes = newTable(a.message, keys), newTable(a.message, hashes)
	for rest := a.message; len(rest) > 0; {
		at := len(a.message) - len(rest)
		var f field
		f, rest, _ = nextField(rest)
		switch {
		case f.wire != wireBytes:
		case f.number == aggregatePartitionKeys:
			a.keys.add(at)
		case f.number == aggregateHashKeys:
			a.hashes.add(at)
		}
	}
	return nil
}

// entry is a user record as it stands in the message.
type entry struct {
	key, hash     uint64 // numbers in the tables
	keyed, hashed bool
	data          []byte
	hasData       bool
}

// record reads one user record.
func (a *Aggregate) record(message []byte) (e entry, err error) {
	for len(message) > 0 {
		var f field
		if f, message, err = nextField(message); err != nil {
			return entry{}, err
		}
		switch {
		case f.number == recordPartitionKey && f.wire == wireVarint:
			e.key, e.keyed = f.value, true
		case f.number == recordHashKey && f.wire == wireVarint:
			e.hash, e.hashed = f.value, true
		case f.number == recordData && f.wire == wireBytes:
			e.data, e.hasData = f.bytes, true
		}
	}
	switch {
	case !e.keyed:
		return entry{}, errors.New("it has no partition key")
	case !e.hasData:
		return entry{}, errors.New("it has no data")
	case e.key >= uint64(a.keys.len()):
		return entry{}, fmt.Errorf("its partition key is number %d of %d", e.key, a.keys.len())
	case e.hashed && e.hash >= uint64(a.hashes.len()):
		return entry{}, fmt.Errorf("its explicit hash key is number %d of %d", e.hash, a.hashes.len())
	}
	return e, nil
}

// Len is how many user records the aggregate has in all.
func (a *Aggregate) Len() int64 { return a.n }

// Left is how many of them Next has not given.
func (a *Aggregate) Left() int64 { return a.n - a.next }

// Next gives the next user record, in the order in which they were put; false
// when there is none.
func (a *Aggregate) Next() (User, bool) {
	for len(a.rest) > 0 {
		var f field
		f, a.rest, _ = nextField(a.rest)
		if f.number != aggregateRecords || f.wire != wireBytes {
			continue
		}
		e, _ := a.record(f.bytes)
		u := User{Index: a.next, PartitionKey: a.keys.text(int(e.key)), Data: e.data}
		if e.hashed {
			u.ExplicitHashKey = a.hashes.text(int(e.hash))
		}
		a.next++
		return u, true
	}
	return User{}, false
}

// table is the keys of an aggregate.
type table struct {
	message []byte
	begins  []uint32 // where the field of each begins; a record has 10 MiB at most
	texts   []string // of those that were asked for; nil if there are very many
}

// maxTexts bounds how many keys are kept as strings, at 16 bytes each. Beyond,
// one is made for each record that has it.
const maxTexts = 1 << 16

func newTable(message []byte, n int) table {
	t := table{message: message}
	if n > 0 {
		t.begins = make([]uint32, 0, n)
	}
	if n <= maxTexts {
		t.texts = make([]string, n)
	}
	return t
}

func (t *table) add(begin int) { t.begins = append(t.begins, uint32(begin)) }

func (t *table) len() int { return len(t.begins) }

func (t *table) at(i int) []byte {
	f, _, _ := nextField(t.message[t.begins[i]:])
	return f.bytes
}

func (t *table) text(i int) string {
	if t.texts == nil {
		return string(t.at(i))
	}
	if t.texts[i] == "" {
		t.texts[i] = string(t.at(i))
	}
	return t.texts[i]
}
