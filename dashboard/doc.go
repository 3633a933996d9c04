// Package dashboard shows a fleet as a page: its workers, its shards with their
// lineage, how far behind they are, what failed and who handed what to whom. A
// service mounts it among its own pages; the command towpath dashboard serves it
// by itself.
//
//	var seen dashboard.Recorder
//	cfg.Hooks = seen.Hooks(cfg.Hooks)
//	c, err := consumer.New(cfg)
//	…
//	page, err := dashboard.New(dashboard.Config{Sources: []dashboard.Source{{
//		Name: "clickstream", Statuses: []func() consumer.Status{c.Status}, Recorder: &seen,
//	}}})
//	mux.Handle("/fleet/", page)
//	go page.Run(ctx)
//
// # Model
//
// A Source is one application, seen from two sides, either of which may be
// absent: from its tables, which know of all workers and cost a call to read, and
// from the consumers of this process, which know more of themselves and cost
// nothing. Run looks at each source at an even pace, whoever looks at the page:
// viewers are sent what has changed, and never cause a look of their own. The
// tables are read at that pace only while somebody looks, and once in Config.Idle
// otherwise.
//
// Between the browser and Run stands nothing but two kinds of GET: a page with
// its parts, which are in the binary, and a stream of server-sent events. The
// first event is the whole picture, each further one the rows that are not as
// they were.
//
// # What it promises
//
//   - It only reads. There is no address that changes anything, and any method
//     but GET and HEAD is refused.
//   - No payload, no partition key and no attribute of a record is ever sent: the
//     Recorder does not keep them. What handlers say in their errors may quote
//     records, so it is sent only through Config.ErrorText; without it, failures
//     are shown with their reason and the type of the error.
//   - Nothing is asked of another host than the one that serves the page.
//   - What it keeps is bounded: viewers, history, failures, hand-overs. A viewer
//     that does not read what it is sent is let go, and comes again by itself.
//
// # What it does not
//
// It does not ask who is looking. On a loopback address it refuses requests that
// were made for another host's name, which is how pages elsewhere would reach it;
// on any other address, put it behind what the service's other pages are behind.
package dashboard
