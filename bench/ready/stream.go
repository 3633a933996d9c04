package ready

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Stream is what a stream gives to whoever reads it.
type Stream struct {
	// Shards is how many shards it has, 1 to 10,000.
	Shards int
	// Records is how many records a page has: 1 to 10,000; 0 is a stream into which
	// nobody puts anything.
	Records int
	// Bytes is the size of each payload, 1 to 10 MiB. A page has 10 MiB of them at
	// most, as the service's has.
	Bytes int
}

// The limits of one answer, from the reference of GetRecords.
const (
	mostRecords = 10_000
	mostBytes   = 10 << 20
	mostShards  = 10_000
)

// Page is how many records of a size fit one answer of the service, at least one.
func Page(bytes int) int { return max(1, min(mostRecords, mostBytes/max(1, bytes))) }

const prefix = "bench"

// Name is the name of the stream, in which all of it stands.
func (s Stream) Name() string {
	return fmt.Sprintf("%s-%d-%d-%d", prefix, s.Shards, s.Records, s.Bytes)
}

// Validate tells what is wrong with a stream.
func (s Stream) Validate() error {
	var problems []error
	if s.Shards < 1 || s.Shards > mostShards {
		problems = append(problems, fmt.Errorf("a stream of %d shards, want 1 to %d", s.Shards, mostShards))
	}
	if s.Records < 0 || s.Records > mostRecords {
		problems = append(problems, fmt.Errorf("pages of %d records, want 0 to %d", s.Records, mostRecords))
	}
	if s.Records > 0 && (s.Bytes < 1 || s.Bytes*s.Records > mostBytes) {
		problems = append(problems, fmt.Errorf("pages of %d records with a payload of %d bytes, want 1 to %d bytes in all", s.Records, s.Bytes, mostBytes))
	}
	return errors.Join(problems...)
}

// parseStream reads a name or the ARN that ends with it.
func parseStream(name string) (Stream, error) {
	name = name[strings.LastIndexByte(name, '/')+1:]
	parts := strings.Split(name, "-")
	if len(parts) != 4 || parts[0] != prefix {
		return Stream{}, fmt.Errorf("read the stream's name %q: want %s-SHARDS-RECORDS-BYTES", name, prefix)
	}
	var numbers [3]int
	for i, part := range parts[1:] {
		n, err := strconv.Atoi(part)
		if err != nil {
			return Stream{}, fmt.Errorf("read the stream's name %q: %w", name, err)
		}
		numbers[i] = n
	}
	s := Stream{Shards: numbers[0], Records: numbers[1], Bytes: numbers[2]}
	if err := s.Validate(); err != nil {
		return Stream{}, fmt.Errorf("read the stream's name %q: %w", name, err)
	}
	return s, nil
}

// Token is the shard iterator for the page that begins with a record, counted
// from 0. It has the same length for every shard and record of a stream, so that
// pages can be ready with one in them.
func (s Stream) Token(shard int, record uint64) string {
	return fmt.Sprintf("%s:%05d:%0*d", s.Name(), shard, digits, record)
}

// parseToken reads a shard iterator.
func parseToken(token string) (s Stream, shard int, record uint64, err error) {
	parts := strings.Split(token, ":")
	if len(parts) != 3 {
		return Stream{}, 0, 0, fmt.Errorf("read the shard iterator %q: want three parts", token)
	}
	if s, err = parseStream(parts[0]); err != nil {
		return Stream{}, 0, 0, err
	}
	if shard, err = strconv.Atoi(parts[1]); err != nil || shard < 0 || shard >= s.Shards {
		return Stream{}, 0, 0, fmt.Errorf("read the shard iterator %q: no shard %q", token, parts[1])
	}
	if record, err = strconv.ParseUint(parts[2], 10, 64); err != nil {
		return Stream{}, 0, 0, fmt.Errorf("read the shard iterator %q: %w", token, err)
	}
	return s, shard, record, nil
}

// shardID is the service's id of a shard.
func shardID(shard int) string { return fmt.Sprintf("shardId-%012d", shard) }

// Sequence numbers have 56 digits, as the service's have, of which the last are
// the record's number.
const (
	digits        = 16
	sequencePlace = "4966" + "000000000000000000000000000000000000"
)

func sequence(record uint64) string { return fmt.Sprintf("%s%0*d", sequencePlace, digits, record) }

// parseSequence is the number of the record with a sequence number.
func parseSequence(s string) (uint64, error) {
	last, ok := strings.CutPrefix(s, sequencePlace)
	if !ok || len(last) != digits {
		return 0, fmt.Errorf("read the sequence number %q: it is none of this stream's", s)
	}
	return strconv.ParseUint(last, 10, 64)
}
