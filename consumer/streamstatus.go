package consumer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// StreamState is what is the case with one of many streams.
type StreamState int

const (
	// StreamRead: its shards are worked.
	StreamRead StreamState = iota
	// StreamTroubled: it could not be described or listed when that was tried
	// last. Shards that are worked already go on.
	StreamTroubled
	// StreamMissing: it does not exist (any more), and nothing of it is worked.
	StreamMissing
	// StreamRecreated: it was deleted and created again under its name, and is
	// not read: the positions in the table mean nothing in it.
	StreamRecreated
	// StreamLeft: it is not named any more; its rows stay.
	StreamLeft
)

// String is a word.
func (s StreamState) String() string {
	switch s {
	case StreamRead:
		return "read"
	case StreamTroubled:
		return "troubled"
	case StreamMissing:
		return "missing"
	case StreamRecreated:
		return "recreated"
	case StreamLeft:
		return "left"
	}
	return fmt.Sprintf("StreamState(%d)", int(s))
}

// StreamStatus is what is the case with one of many streams.
type StreamStatus struct {
	// Name is what the stream is called by whoever named it, or its short name;
	// ARN and Key are empty as long as it could not be described.
	Name, ARN string
	// Key is what stands before the ids of its shards: account:stream:epoch.
	Key string
	// State is what is the case, and Error says why, if it is not read; empty if
	// it is.
	State StreamState
	Error string
}

// StreamEvent tells that something else is the case with one of many streams.
type StreamEvent struct {
	// Worker is the worker's id.
	Worker string
	// Name, ARN and Key are as in a StreamStatus.
	Name, ARN, Key string
	// State is what is the case now, and Err why; nil if it is read.
	State StreamState
	Err   error
}

// stateOf is what is the case with a stream.
func (c *bundle) stateOf(m shard.Member) StreamEvent {
	e := StreamEvent{Name: cmp.Or(m.Name, m.Stream.Name), ARN: m.Stream.ARN, State: StreamRead, Err: m.Err}
	if m.Key != (shard.StreamKey{}) {
		e.Key = m.Key.String()
	}
	earlier, refused := c.refused(m)
	switch {
	case refused:
		e.State = StreamRecreated
		e.Err = fmt.Errorf("%w: there are rows of %s, and the one that is there now is %s", checkpoint.ErrRecreated, earlier, m.Key)
	case m.Gone || errors.Is(m.Err, shard.ErrNoStream):
		e.State = StreamMissing
	case m.Err != nil:
		e.State = StreamTroubled
	}
	return e
}

// tellStreams tells of each stream with which something else is the case than
// when it was told last.
func (f *fleet) tellStreams() {
	if f.streams == nil {
		return
	}
	c := f.bundle
	now := map[string]StreamEvent{}
	var statuses []StreamStatus
	for _, m := range f.streams.Members() {
		e := c.stateOf(m)
		e.Worker = f.session.id
		now[cmp.Or(e.ARN, e.Name)] = e
		s := StreamStatus{Name: e.Name, ARN: e.ARN, Key: e.Key, State: e.State}
		if e.Err != nil {
			s.Error = e.Err.Error()
		}
		statuses = append(statuses, s)
	}
	slices.SortFunc(statuses, func(a, b StreamStatus) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
	})
	f.worker.mu.Lock()
	f.streamStates = statuses
	f.worker.mu.Unlock()
	before := c.states
	c.states = now
	for _, id := range slices.Sorted(maps.Keys(now)) {
		e, was := now[id], before[id]
		if _, told := before[id]; told && was.State == e.State && was.Key == e.Key {
			continue
		}
		f.tellStream(e)
	}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		if _, still := now[id]; !still && before[id].ARN != "" {
			e := before[id]
			e.State, e.Err = StreamLeft, nil
			f.tellStream(e)
		}
	}
}

func (f *fleet) tellStream(e StreamEvent) {
	args := []any{"stream", cmp.Or(e.ARN, e.Name), "key", e.Key}
	switch e.State {
	case StreamRead:
		f.log.Info("stream is read", args...)
	case StreamLeft:
		f.log.Info("stream is not named any more and is let go", args...)
	case StreamTroubled:
		f.log.Warn("stream cannot be described or listed", append(args, "error", e.Err)...)
	case StreamMissing:
		f.log.Error("stream does not exist", append(args, "error", e.Err)...)
	case StreamRecreated:
		f.log.Error("stream was created again and is not read", append(args, "error", e.Err)...)
	}
	fire(f.cfg.Hooks.StreamChanged, e)
}

// noteStreams keeps why the list of streams could not be had, for Status.
func (w *worker) noteStreams(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.streamsError = ""
	if err != nil {
		w.streamsError = err.Error()
	}
}

// streamsNow is the streams as Status tells them.
func (w *worker) streamsNow() ([]StreamStatus, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.streamStates), w.streamsError
}
