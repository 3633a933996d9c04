package shard

import (
	"fmt"
	"strings"
	"time"
)

// The words that stand in a lease row where a sequence number does not yet, or
// no longer, stand. They are KCL's.
const (
	wordTrimHorizon = "TRIM_HORIZON"
	wordLatest      = "LATEST"
	wordAtTimestamp = "AT_TIMESTAMP"
	wordEnd         = "SHARD_END"
)

// Position is how far a shard has been worked: the last record that is
// finished, or one of the words that stand before the first and after the last
// record. The zero Position is the oldest record still kept (TRIM_HORIZON).
type Position struct {
	// Sequence is a decimal sequence number, or one of KCL's words
	// TRIM_HORIZON, LATEST, AT_TIMESTAMP and SHARD_END. Empty is TRIM_HORIZON.
	Sequence string
	// Sub is the index of a user record within an aggregated record; 0 for
	// every other record.
	Sub int64
	// At is the time that AT_TIMESTAMP means. With LATEST it is the service's
	// time at which the position was pinned, so that records put between the
	// first start and the first read are delivered; zero if it was not pinned.
	At time.Time
}

// TrimHorizon is the oldest record the service still keeps.
func TrimHorizon() Position { return Position{Sequence: wordTrimHorizon} }

// Latest is the tip of the stream at the time of the first start. The engine
// pins it to that time; see Position.At.
func Latest() Position { return Position{Sequence: wordLatest} }

// AtTime is the first record that arrived at t or later, to the millisecond.
func AtTime(t time.Time) Position { return Position{Sequence: wordAtTimestamp, At: t} }

// After is the position behind the record with the given sequence number and
// index within its aggregate.
func After(sequence string, sub int64) Position { return Position{Sequence: sequence, Sub: sub} }

// End is the position behind the last record of a closed shard (SHARD_END).
func End() Position { return Position{Sequence: wordEnd} }

// IsTrimHorizon reports whether p is the oldest record still kept.
func (p Position) IsTrimHorizon() bool { return p.Sequence == "" || p.Sequence == wordTrimHorizon }

// IsLatest reports whether p is the tip at the first start.
func (p Position) IsLatest() bool { return p.Sequence == wordLatest }

// IsAtTime reports whether p is a point in time.
func (p Position) IsAtTime() bool { return p.Sequence == wordAtTimestamp }

// IsEnd reports whether p lies behind the last record of a closed shard.
func (p Position) IsEnd() bool { return p.Sequence == wordEnd }

// IsRecord reports whether p names a record, rather than one of the words.
func (p Position) IsRecord() bool { return p.rank() == rankNumber }

const (
	rankAtTimestamp = iota
	rankTrimHorizon
	rankLatest
	rankNumber
	rankEnd
)

func (p Position) rank() int {
	switch p.Sequence {
	case wordAtTimestamp:
		return rankAtTimestamp
	case "", wordTrimHorizon:
		return rankTrimHorizon
	case wordLatest:
		return rankLatest
	case wordEnd:
		return rankEnd
	}
	return rankNumber
}

// Compare orders positions as KCL's ExtendedSequenceNumber does: AT_TIMESTAMP,
// TRIM_HORIZON, LATEST, then the numbers by value and index within the
// aggregate, then SHARD_END. It is -1, 0 or +1.
func (p Position) Compare(q Position) int {
	a, b := p.rank(), q.rank()
	if a != b || a != rankNumber {
		return sign(a - b)
	}
	if c := CompareSequences(p.Sequence, q.Sequence); c != 0 {
		return c
	}
	switch {
	case p.Sub < q.Sub:
		return -1
	case p.Sub > q.Sub:
		return 1
	}
	return 0
}

// CompareSequences compares two decimal sequence numbers of any length by
// value: -1, 0 or +1. Sequence numbers of Kinesis exceed 128 bits and those of
// DynamoDB Streams differ in length, so neither integers nor string order do.
func CompareSequences(a, b string) int {
	if len(a) == len(b) { // nothing to trim: nearly always
		return strings.Compare(a, b)
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return sign(len(a) - len(b))
	}
	return strings.Compare(a, b)
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// maxSequenceDigits bounds a sequence number that is believed. Kinesis writes
// 56 digits and DynamoDB Streams up to 40, so that 128 leaves room without
// letting a damaged row carry a novel.
const maxSequenceDigits = 128

// Validate says what is wrong with a position that came from outside, such as a
// lease row: it must be one of the four words or ASCII digits (Java's
// Character.isDigit takes others, this does not), with an index not below zero.
func (p Position) Validate() error {
	if p.Sub < 0 {
		return fmt.Errorf("index within the aggregate is %d, want 0 or more", p.Sub)
	}
	if p.rank() != rankNumber {
		if p.IsAtTime() && p.At.IsZero() {
			return fmt.Errorf("position %s has no time", wordAtTimestamp)
		}
		return nil
	}
	if len(p.Sequence) > maxSequenceDigits {
		return fmt.Errorf("sequence number has %d characters, want at most %d", len(p.Sequence), maxSequenceDigits)
	}
	if !decimal(p.Sequence) {
		return fmt.Errorf("position %q is neither a decimal sequence number nor one of %s, %s, %s, %s",
			p.Sequence, wordTrimHorizon, wordLatest, wordAtTimestamp, wordEnd)
	}
	return nil
}

// decimal reports whether a text is ASCII digits alone. Eight are looked at at
// once, since this is asked of each record that is read: the upper half of a digit
// is 3, and still is when 6 has been added. A carry comes out of a byte only whose
// upper half is no 3.
func decimal(s string) bool {
	const upper, six, three = 0xF0F0F0F0F0F0F0F0, 0x0606060606060606, 0x3333333333333333
	for ; len(s) >= 8; s = s[8:] {
		v := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if v&upper|(v+six)&upper>>4 != three {
			return false
		}
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// String is the word or the number, with the index within an aggregate behind a
// slash if there is one.
func (p Position) String() string {
	switch {
	case p.Sequence == "":
		return wordTrimHorizon
	case !p.At.IsZero():
		return p.Sequence + "@" + p.At.UTC().Format("2006-01-02T15:04:05.000Z")
	case p.Sub != 0:
		return fmt.Sprintf("%s/%d", p.Sequence, p.Sub)
	}
	return p.Sequence
}
