package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// answered is what the SDK returns where AWS answered with a code.
func answered(code string) error {
	return &smithy.OperationError{ServiceID: "DynamoDB Streams", OperationName: "GetItem", Err: fmt.Errorf(
		"https response error StatusCode: 400, RequestID: 4711, %w", &smithy.GenericAPIError{Code: code, Message: "words of AWS"})}
}

// unsent is what it returns where nothing came back.
func unsent(err error) error {
	return &smithy.OperationError{ServiceID: "Kinesis", OperationName: "ListShards", Err: fmt.Errorf(
		"exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , %w", &smithyhttp.RequestSendError{Err: err})}
}

// The status is the kind of what went wrong, however it is wrapped, and the one
// line says what to do and nothing of the SDK's layers.
func TestStatusIsTheKindOfError(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, c := range []struct {
		err    error
		status int
		says   string
	}{
		{nil, 0, ""},
		{errors.New("what it was to do"), 1, "what it was to do"},
		{answered("ValidationException"), 1, "dynamodbstreams:GetItem: ValidationException, words of AWS"},
		{context.Canceled, 1, "context canceled"},
		{unsent(context.Canceled), 1, "kinesis:ListShards"},
		{usageError{errors.Join(errors.New("this"), errors.New("that"))}, 2, "this; that; see towpath --help"},
		{usageError{answered("AccessDeniedException")}, 2, "see towpath --help"},
		{answered("ResourceNotFoundException"), 3, "ResourceNotFoundException, words of AWS"},
		{fmt.Errorf("read x in table t: %w: %w", checkpoint.ErrNoTable, answered("ResourceNotFoundException")), 3, "read x in table t: no such table; an application makes its tables"},
		{fmt.Errorf("describe s: %w: %w", shard.ErrNoStream, answered("ResourceNotFoundException")), 3, "describe s: no such stream; name the stream"},
		{fmt.Errorf("read: %w", shard.ErrNoShard), 3, "towpath shards lists"},
		{missingError{errors.New("file f is not there")}, 3, "file f is not there"},
		{answered("AccessDeniedException"), 3, "AccessDeniedException, words of AWS; towpath iam prints the policy that is needed"},
		{answered("UnrecognizedClientException"), 4, "give credentials that are valid now"},
		{answered("ExpiredTokenException"), 4, "give credentials that are valid now"},
		{unreachableError{errors.New("no region: set AWS_REGION")}, 4, "no region: set AWS_REGION"},
		{unsent(dial), 4, "kinesis:ListShards: dial tcp 127.0.0.1:1: connect: connection refused; see that the network"},
		{unsent(&net.DNSError{Err: "no such host", Name: "aws.example", IsNotFound: true}), 4, "the name aws.example is not found"},
		{unsent(context.DeadlineExceeded), 4, "kinesis:ListShards: no answer in time"},
		{unsent(errors.New(`Post "http://[::1]:1": EOF`)), 4, "EOF"},
		{errors.Join(errors.New("one"), unsent(dial)), 4, "one; kinesis:ListShards: dial tcp"},
		{fmt.Errorf("read x: %w", context.DeadlineExceeded), 4, "wait longer with -timeout"},
		{&smithy.OperationError{ServiceID: "Kinesis", OperationName: "ListShards", Err: errors.New("get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found")}, 4, "kinesis:ListShards: no credentials; give credentials"},
		{errors.New("a name with \x1b[2J\u202e in it"), 1, "a name with \ufffd[2J\ufffd in it"},
	} {
		status := statusOf(c.err)
		if status != c.status {
			t.Errorf("%v is status %d, want %d", c.err, status, c.status)
		}
		if c.err == nil {
			continue
		}
		said := sentenceOf(c.err, status)
		if !strings.Contains(said, c.says) || strings.Contains(said, "RequestID") || strings.Contains(said, "StatusCode") || strings.Contains(said, "\n") {
			t.Errorf("%v is said as %q, want it to say %q and nothing of the SDK", c.err, said, c.says)
		}
	}
}
