package filedestination

import (
	"context"
	"fmt"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// Publish appends emitted records, each a destination.Document on a line of its
// own, in one write, and returns nil when they are on the disk. An error is a
// *destination.PublishError; then none of them counts as accepted, though some
// may be there. If ctx ends while the write is under way, the write goes on.
func (d *File) Publish(ctx context.Context, records []batching.Emitted) error {
	if d.problem != nil {
		return destination.RefuseAll(d, records, d.problem)
	}
	if len(records) == 0 {
		return nil
	}
	if err := d.publish(ctx, records); err != nil {
		return &destination.PublishError{Destination: d.path, Rest: records, Err: err}
	}
	d.counter.Published(len(records))
	return nil
}

func (d *File) publish(ctx context.Context, records []batching.Emitted) error {
	var lines []byte
	for i := range records {
		if i > 0 {
			lines = append(lines, '\n')
		}
		lines = append(lines, destination.NewDocument(&records[i])...)
	}
	if err := d.take(ctx); err != nil {
		return err
	}
	defer d.release()
	if err := d.append(lines); err != nil {
		return fmt.Errorf("append %d lines: %w", len(records), err)
	}
	return nil
}
