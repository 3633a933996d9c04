package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"
)

// play hands the feed to the ledger record by record, in this goroutine: the
// books of a run in which nothing goes wrong, to hold another run against.
func play(ctx context.Context, o options, f feed, stderr *os.File) (report, error) {
	if o.Stream != "" {
		return report{}, errors.New("-stream: this build has no engine to serve a stream with")
	}
	began := time.Now()
	l := newLedger()
	p := newProgress(stderr, len(f.Items), func() snapshot {
		t := l.sums()
		return snapshot{Done: t.ended(), Redelivered: t.Redelivered, Failed: t.Failed, Sessions: t.Sessions, Workers: 1, Shards: 1}
	})
	showing, done := context.WithCancel(ctx)
	shown := make(chan struct{})
	go func() { // ends when done is called, below
		defer close(shown)
		p.Run(showing)
	}()
	for i, it := range f.Items {
		if ctx.Err() != nil {
			break
		}
		id := strconv.Itoa(i)
		l.deliver(id)
		e, err := decodeEvent(it.Data)
		if err != nil {
			l.fail(id)
			p.Notef("record %d: %v", i, err)
			continue
		}
		if v := l.handle(id, e); v.Violation != "" {
			p.Notef("%s", v.Violation)
		}
	}
	done()
	<-shown
	r := report{Seconds: time.Since(began).Seconds()}
	if o.Input == "" {
		r.labelled = defaultLogSessions
	}
	r.book(l.sums(), len(f.Items))
	return r, nil
}
