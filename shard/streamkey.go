package shard

import (
	"fmt"
	"strconv"
	"strings"
)

// StreamKey names one incarnation of a stream among many, as KCL does in the
// lease tables of applications that read many streams. Joined with the id of a
// shard it is the id under which the shard is known among them, and the key of its
// lease:
//
//	account:stream:epoch:shard
//
// A stream of a table is account:region$account$table$label:1, with '_' for the
// colons of its label, as the adapter of DynamoDB Streams writes it.
type StreamKey struct {
	// Account is the AWS account that owns the stream, 12 digits.
	Account string
	// Name is the stream's name; of a table's stream see above.
	Name string
	// Epoch is when the stream was created, in seconds since 1970, or 1 of a
	// table's stream, whose Name tells it. 0 is not known.
	Epoch int64
}

// KeyOf is the key of a stream that was described. The ARN must be one of a
// Kinesis data stream or of a stream of a DynamoDB table.
func KeyOf(s Stream) (StreamKey, error) {
	// arn:partition:service:region:account:resource
	parts := strings.SplitN(s.ARN, ":", 6)
	if len(parts) < 6 || !isAccount(parts[4]) {
		return StreamKey{}, fmt.Errorf("stream %q: want an ARN with an account of 12 digits, to tell it from other streams", s.ARN)
	}
	region, account := parts[3], parts[4]
	if name, ok := strings.CutPrefix(parts[5], "stream/"); ok && parts[2] == "kinesis" && isName(name) {
		k := StreamKey{Account: account, Name: name}
		if !s.CreatedAt.IsZero() {
			k.Epoch = s.CreatedAt.Unix()
		}
		return k, nil
	}
	if table, ok := strings.CutPrefix(parts[5], "table/"); ok && parts[2] == "dynamodb" {
		table, label, ok := strings.Cut(table, "/stream/")
		if ok && isName(table) && label != "" {
			label = strings.ReplaceAll(label, ":", "_")
			return StreamKey{Account: account, Name: strings.Join([]string{region, account, table, label}, "$"), Epoch: 1}, nil
		}
	}
	return StreamKey{}, fmt.Errorf("stream %q: want the ARN of a Kinesis data stream or of a table's stream", s.ARN)
}

// isName keeps out what would make a key that SplitID takes apart elsewhere.
func isName(s string) bool { return s != "" && !strings.ContainsAny(s, ":/$") }

func isAccount(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// String is account:stream:epoch.
func (k StreamKey) String() string {
	return k.Account + ":" + k.Name + ":" + strconv.FormatInt(k.Epoch, 10)
}

// ID is the id of one of the stream's shards among those of many streams.
func (k StreamKey) ID(shardID string) string { return k.String() + ":" + shardID }

// SameName reports whether two keys are of one stream, perhaps of two that
// existed one after the other under its name.
func (k StreamKey) SameName(other StreamKey) bool {
	return k.Account == other.Account && k.base() == other.base()
}

// base is the name without the label of a table's stream.
func (k StreamKey) base() string {
	if parts := strings.Split(k.Name, "$"); len(parts) == 4 {
		return strings.Join(parts[:3], "$")
	}
	return k.Name
}

// SplitID takes the id of a shard among many streams apart. Of any other id ok is
// false, and shardID is all of it.
func SplitID(id string) (key StreamKey, shardID string, ok bool) {
	parts := strings.Split(id, ":")
	if len(parts) != 4 || !isAccount(parts[0]) || parts[1] == "" || parts[3] == "" ||
		parts[2] == "" || strings.Trim(parts[2], "0123456789") != "" {
		return StreamKey{}, id, false
	}
	epoch, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || strconv.FormatInt(epoch, 10) != parts[2] {
		return StreamKey{}, id, false
	}
	return StreamKey{Account: parts[0], Name: parts[1], Epoch: epoch}, parts[3], true
}

// PlainID is the id that the service gave the shard.
func PlainID(id string) string {
	_, plain, _ := SplitID(id)
	return plain
}
