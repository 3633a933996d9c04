package destination

import "context"

// Mailbox is where envelopes lie that a destination has accepted, to be taken
// out again: a queue, a prefix of a bucket, a file. Package redrive empties one.
type Mailbox interface {
	// Receive gives at most max letters that it has not given before, and none
	// when there are no more for now. What it gave stays where it is until Remove.
	Receive(ctx context.Context, max int) ([]Letter, error)
	// Remove takes a letter out for good.
	Remove(ctx context.Context, l Letter) error
	// Return leaves a letter in the mailbox, for whoever opens it next.
	Return(ctx context.Context, l Letter) error
	// String names the mailbox, such as the queue's URL.
	String() string
}

// Letter is one message of a mailbox.
type Letter struct {
	// ID is what its mailbox knows it by: a receipt handle, a key, an offset.
	ID string
	// Body is the message: an envelope, or whatever else lies there.
	Body []byte
}

// Loader reads payloads that lie elsewhere than in the message: the other side
// of a Store.
type Loader interface {
	// Load reads what a Store's Put named with this URI.
	Load(ctx context.Context, uri string) ([]byte, error)
}
