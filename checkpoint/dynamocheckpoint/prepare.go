package dynamocheckpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// How Prepare waits for a table: DynamoDB makes one in some seconds, and
// DescribeTable shares a limit with every other control-plane call of the
// account. Ten minutes is far beyond both.
const (
	firstPoll   = 200 * time.Millisecond
	longestPoll = 3 * time.Second
	patience    = 10 * time.Minute
)

// Prepare implements checkpoint.Leases. It looks at both tables, creates those
// that are missing if Options.CreateTables is set, waits until they can be
// used, and claims them for the stream. Any number of workers may do so at
// once.
func (t *Table) Prepare(ctx context.Context, stream shard.Stream) error {
	for _, layout := range t.layouts() {
		look := func(ctx context.Context) (bool, error) { return t.look(ctx, layout) }
		if err := until(ctx, layout.name, look); err != nil {
			return err
		}
	}
	return until(ctx, t.sessions, func(ctx context.Context) (bool, error) { return true, t.claim(ctx, stream) })
}

// until tries until the table can be used. It tries again after a while if it
// is asked to slow down, if the table is being made or deleted, and if another
// worker makes it at the same moment.
func until(ctx context.Context, table string, try func(context.Context) (ready bool, err error)) error {
	began, pause := time.Now(), firstPoll
	for {
		ready, err := try(ctx)
		if err == nil && ready || err != nil && !isPassing(err) {
			return err
		}
		if time.Since(began) > patience {
			return fmt.Errorf("table %s cannot be used after %s: %w", table, patience, errors.Join(errNotActive, err))
		}
		if clock.Sleep(ctx, pause) != nil {
			return fmt.Errorf("wait for table %s: %w", table, errors.Join(context.Cause(ctx), err))
		}
		pause = min(2*pause, longestPoll)
	}
}

var errNotActive = errors.New("the table is not active")

// look says whether the table can be used. It is not ready, without an error,
// while it is being made.
func (t *Table) look(ctx context.Context, layout layout) (ready bool, err error) {
	bounded, cancel := t.bounded(ctx)
	defer cancel()
	out, err := t.client.DescribeTable(bounded, &dynamodb.DescribeTableInput{TableName: &layout.name})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing) && !t.options.CreateTables:
		return false, fmt.Errorf("table %s: %w: set Options.CreateTables, or create it (%s): %w",
			layout.name, checkpoint.ErrNoTable, layout.inWords(), err)
	case errors.As(err, &missing):
		return t.create(ctx, layout)
	case err != nil:
		return false, denied("DescribeTable", layout.name, err)
	}
	switch out.Table.TableStatus {
	case types.TableStatusActive, types.TableStatusUpdating:
		return true, layout.fits(out.Table)
	case types.TableStatusCreating, types.TableStatusDeleting:
		return false, nil
	}
	return false, fmt.Errorf("table %s is %s: %w", layout.name, out.Table.TableStatus, errNotActive)
}

// create asks for a table, which some servers have ready at once; whether
// somebody else asked before is left to the next look.
func (t *Table) create(ctx context.Context, layout layout) (ready bool, err error) {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	out, err := t.client.CreateTable(ctx, layout.creation(t.options.Tags))
	var exists *types.ResourceInUseException
	switch {
	case errors.As(err, &exists):
		return false, nil
	case err != nil:
		return false, denied("CreateTable", layout.name, err)
	}
	return out.TableDescription != nil && out.TableDescription.TableStatus == types.TableStatusActive, nil
}

// denied names the permission that is missing, and the table.
func denied(action, table string, err error) error {
	switch {
	case errors.Is(err, checkpoint.ErrDenied): // it was said of the call already
		return fmt.Errorf("table %s: the permission dynamodb:%s is missing: %w", table, action, err)
	case isDenied(err):
		return fmt.Errorf("table %s: the permission dynamodb:%s is missing: %w: %w", table, action, checkpoint.ErrDenied, err)
	}
	return fmt.Errorf("table %s: %s: %w", table, action, err)
}

// isDenied recognises the answer to whoever lacks a permission.
func isDenied(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "AccessDeniedException"
}

// isPassing recognises the errors after which it is worth to look again: being
// asked to slow down, too many tables being made at once, a fault of the
// service, no answer in time.
func isPassing(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return errors.Is(err, context.DeadlineExceeded)
	}
	switch api.ErrorCode() {
	case "InternalServerError", "ServiceUnavailable", "RequestTimeout":
		return true
	}
	return isThrottling(err) || api.ErrorFault() == smithy.FaultServer
}

// isThrottling recognises being asked to slow down.
func isThrottling(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "ThrottlingException", "Throttling", "ThrottledException", "RequestLimitExceeded",
		"ProvisionedThroughputExceededException", "LimitExceededException", "TooManyRequestsException":
		return true
	}
	return false
}

// claim writes, at the first start, which stream the tables belong to, and
// refuses to go on with another one.
func (t *Table) claim(ctx context.Context, stream shard.Stream) error {
	row, err := t.get(ctx, t.sessions, "id", controlRow)
	if err != nil {
		return denied("GetItem", t.sessions, err)
	}
	if _, claimed := row["streamArn"]; !claimed {
		if err := t.sameKind(ctx, stream); err != nil {
			return err
		}
		if row, err = t.write(ctx, stream); err != nil {
			return err
		}
	}
	return t.belongs(row, stream)
}

// sameKind refuses, before the tables are claimed, one that KCL has filled with
// the rows of many streams for a single one, and the other way round: neither kind
// of key means anything to the other.
func (t *Table) sameKind(ctx context.Context, stream shard.Stream) error {
	var odd error
	err := t.scan(ctx, t.leases, true, func(row item) {
		l := leaseOf(row)
		_, _, many := shard.SplitID(l.Key)
		if odd != nil || l.Key == "" || errors.Is(l.Fault, errNotLease) || many == (stream.ARN == shard.ManyStreams) {
			return
		}
		kind := "an application that reads a single stream"
		if many {
			kind = "an application that reads many streams"
		}
		odd = fmt.Errorf("table %s: %w: it has the row %s, of %s, and this worker reads %s", t.leases, checkpoint.ErrOtherStream, shorten(l.Key), kind, stream.ARN)
	})
	return errors.Join(err, odd)
}

// write claims the tables and returns the control row: mine, or that of whoever
// was faster.
func (t *Table) write(ctx context.Context, stream shard.Stream) (item, error) {
	bounded, cancel := t.bounded(ctx)
	defer cancel()
	row, err := t.update(bounded, claim, t.sessions, "id", controlRow, values{
		":arn": text(stream.ARN), ":created": number(millis(stream.CreatedAt)),
		":run": text("run"), ":zero": number(0),
	})
	old, refused := refusal(err)
	switch {
	case err == nil:
		return row, nil
	case refused && len(old) > 0:
		return old, nil
	case refused:
		return t.get(ctx, t.sessions, "id", controlRow)
	}
	return nil, denied("UpdateItem", t.sessions, err)
}

// belongs compares the stream that the tables belong to with the one that is
// read. Services tell the time of a stream's creation to the second, and some
// not at all.
func (t *Table) belongs(row item, stream shard.Stream) error {
	r := &reading{row: row}
	arn, created := r.text("streamArn"), r.instant("streamEpoch")
	switch {
	case r.fault != nil:
		return fmt.Errorf("row %s of table %s: %w", controlRow, t.sessions, r.fault)
	case arn != stream.ARN:
		return fmt.Errorf("table %s: %w: it keeps the positions of %s, and this worker reads %s",
			t.leases, checkpoint.ErrOtherStream, arn, stream.ARN)
	case !created.IsZero() && !stream.CreatedAt.IsZero() && created.Unix() != stream.CreatedAt.Unix():
		return fmt.Errorf("table %s: %w: its positions belong to the %s created at %s, and the one there now was created at %s",
			t.leases, checkpoint.ErrRecreated, arn, created.Format(time.RFC3339), stream.CreatedAt.UTC().Format(time.RFC3339))
	}
	return nil
}
