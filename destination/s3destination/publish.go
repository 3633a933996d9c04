package s3destination

import (
	"context"
	"sync"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// Publish writes emitted records, each as an object of its own, and returns nil
// when S3 has all of them. Of one key they are written one after the other, of
// several keys Options.Concurrency at once. An error is a
// *destination.PublishError.
func (b *Bucket) Publish(ctx context.Context, records []batching.Emitted) error {
	if b.problem != nil {
		return destination.RefuseAll(b, records, b.problem)
	}
	return destination.Courier{
		Destination: b.String(),
		Form:        destination.FormDocument,
		Limit:       b.options.Concurrency,
		Send:        b.putAll,
		Singly:      true,
		Hints:       hints,
		Counter:     &b.counter,
	}.Publish(ctx, records)
}

// putAll writes parcels at the same time.
func (b *Bucket) putAll(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
	fates := make([]error, len(parcels))
	var puts sync.WaitGroup
	for i := range parcels {
		puts.Go(func() {
			key := destination.EmittedKey(parcels[i].Record) + ".json"
			_, fates[i] = b.put(ctx, key, parcels[i].Body, "application/json", nil)
		})
	}
	puts.Wait()
	return fates, ctx.Err()
}
