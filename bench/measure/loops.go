package measure

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"golang.org/x/sync/errgroup"
)

// sdk is the plainest reader on the SDK: a loop over each shard, which counts.
func sdk(ctx context.Context, t Task) (Usage, error) {
	client := kinesis.NewFromConfig(t.config())
	return t.loops(ctx, func(ctx context.Context, shard int, count func(int)) error {
		out, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
			StreamName: aws.String(t.Stream.Name()), ShardId: aws.String(fmt.Sprintf("shardId-%012d", shard)),
			ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			return err
		}
		for iterator := out.ShardIterator; ; {
			page, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
			if err != nil {
				return err
			}
			count(len(page.Records))
			iterator = page.NextShardIterator
		}
	})
}

// floor reads what the server sends and does nothing with it: no reader on
// net/http can take less.
func floor(ctx context.Context, t Task) (Usage, error) {
	transport := t.transport().GetTransport()
	// As a reader of large answers sets it: with the 4 KiB of the default, a page
	// is thousands of reads.
	transport.ReadBufferSize = len(block{})
	client := &http.Client{Transport: transport}
	return t.loops(ctx, func(ctx context.Context, shard int, count func(int)) error {
		var buffer block
		for record := uint64(0); ; record += uint64(t.Stream.Records) {
			if err := t.discard(ctx, client, t.Stream.Token(shard, record), &buffer); err != nil {
				return err
			}
			count(t.Stream.Records)
		}
	})
}

// block is what is read at once.
type block [64 << 10]byte

// discard reads the page of an iterator.
func (t Task) discard(ctx context.Context, client *http.Client, token string, buffer *block) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.endpoint(), strings.NewReader(`{"ShardIterator":"`+token+`"}`))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "Kinesis_20131202.GetRecords")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("read %s: %s", token, answer.Status)
	}
	// Hidden behind a struct, io.Discard does not bring a smaller buffer.
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, answer.Body, buffer[:])
	return err
}

// loops reads every shard until enough records were counted.
func (t Task) loops(ctx context.Context, read func(ctx context.Context, shard int, count func(int)) error) (Usage, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := newMeter(t)
	group, ctx := errgroup.WithContext(ctx)
	for shard := range t.Stream.Shards {
		group.Go(func() error {
			err := read(ctx, shard, m.add)
			if ended(m.done) {
				return nil
			}
			return err
		})
	}
	group.Go(func() error {
		select {
		case <-m.done:
			cancel()
		case <-ctx.Done():
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return Usage{}, err
	}
	if !ended(m.done) {
		return Usage{}, context.Cause(ctx)
	}
	return m.result()
}

func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
