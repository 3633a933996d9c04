package kinesisshards

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// name is how a stream is called towards the service: by its ARN if that is
// what the user gave, which reaches streams of other accounts, else by its name.
type name struct{ short, arn string }

// String is what the user gave.
func (n name) String() string {
	if n.arn != "" {
		return n.arn
	}
	return n.short
}

// maxName is the longest name of a stream, by the API reference of CreateStream.
const maxName = 128

// parseName takes a stream's name or ARN apart.
func parseName(s string) (name, error) {
	if s == "" {
		return name{}, fmt.Errorf("stream: want the name or the ARN of a Kinesis stream, got nothing")
	}
	if !strings.HasPrefix(s, "arn:") {
		if err := checkName(s); err != nil {
			return name{}, err
		}
		return name{short: s}, nil
	}
	// arn:partition:kinesis:region:account:stream/name
	parts := strings.SplitN(s, ":", 6)
	if len(parts) < 6 || parts[1] == "" || parts[3] == "" || parts[4] == "" {
		return name{}, fmt.Errorf("stream %q: want arn:partition:kinesis:region:account:stream/name", s)
	}
	if parts[2] != "kinesis" {
		return name{}, fmt.Errorf("stream %q: this is an ARN of %q, want one of kinesis", s, parts[2])
	}
	short, ok := strings.CutPrefix(parts[5], "stream/")
	if !ok {
		return name{}, fmt.Errorf("stream %q: this is the ARN of %q, want stream/name", s, parts[5])
	}
	if strings.Contains(short, "/") {
		return name{}, fmt.Errorf("stream %q: this is the ARN of something within a stream, such as a fan-out consumer; want that of the stream", s)
	}
	if err := checkName(short); err != nil {
		return name{}, fmt.Errorf("stream %q: %w", s, err)
	}
	return name{short: short, arn: s}, nil
}

// checkName says what is wrong with the short name of a stream.
func checkName(s string) error {
	if s == "" || len(s) > maxName {
		return fmt.Errorf("stream name has %d characters, want 1 to %d", len(s), maxName)
	}
	for _, c := range s {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '-':
		default:
			return fmt.Errorf("stream name %q has %q in it, want letters, digits, '_', '.' and '-' only", s, c)
		}
	}
	return nil
}

// sameRegion refuses an ARN of another region than the client's: the service
// would not find the stream, or find another one of that name.
func sameRegion(client Client, n name) error {
	c, ok := client.(*kinesis.Client)
	if !ok || c == nil || n.arn == "" {
		return nil // of a client that is not the SDK's nobody knows
	}
	if own, of := c.Options().Region, strings.SplitN(n.arn, ":", 5)[3]; own != "" && own != of {
		return fmt.Errorf("stream %q: it is in the region %s, and the client is of %s", n.arn, of, own)
	}
	return nil
}
