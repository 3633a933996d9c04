package telemetry

import (
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
)

// Hooks are the hooks that feed the recorder. Put them beside your own with
// consumer.JoinHooks. Every hook there is has a metric.
func (r *Recorder) Hooks() consumer.Hooks {
	h := consumer.Hooks{
		SessionStarted: func(consumer.SessionEvent) { r.main.add(sessionsStarted, 1) },
		SessionLost:    r.sessionLost,
		ShardStarted:   r.shardStarted,
		ShardLeft:      r.shardLeft,
	}
	r.hookReading(&h)
	r.hookHandling(&h)
	r.hookKeeping(&h)
	return h
}

// hookReading sets the hooks of what comes in.
func (r *Recorder) hookReading(h *consumer.Hooks) {
	h.Read = r.read
	h.ReadFailed = func(e consumer.ReadFailedEvent) { r.main.count(readFailures, classOf(e.Err), 1) }
	h.Loss = func(consumer.LossEvent) { r.main.add(readLosses, 1) }
	h.MemoryPressure = func(consumer.PressureEvent) { r.main.add(memoryWaits, 1) }
	h.OddAggregates = func(e consumer.OddAggregatesEvent) {
		r.main.add(oddMalformed, e.Aggregates.Malformed)
		r.main.add(oddOutside, e.Aggregates.Outside)
		r.main.add(oddDropped, e.Aggregates.Dropped)
	}
	h.Filtered = func(e consumer.FilteredEvent) {
		f := r.flow(e.Handler)
		f.add(filteredRecords, e.Dropped)
		f.add(filteredNotJSON, e.NotJSON)
		if e.Dropped > 0 {
			r.progressed(r.series(e.Shard))
		}
	}
}

// hookHandling sets the hooks of handlers and destinations.
func (r *Recorder) hookHandling(h *consumer.Hooks) {
	h.BatchDone = r.batchDone
	h.Split = func(e consumer.SplitEvent) { r.flow(e.Handler).add(splits, 1) }
	h.HandlerStuck = func(e consumer.HandlerStuckEvent) { r.flow(e.Handler).add(handlerStuck, 1) }
	h.CommitRefused = func(consumer.CommitRefusedEvent) { r.main.add(commitsRefused, 1) }
	h.Woken = func(e consumer.WakeEvent) {
		f := r.flow(e.Handler)
		f.count(wakeCalls, classIn(wakeReasons, e.Reason.String()), 1)
		if e.Err != nil {
			f.count(wakeFailures, classOf(e.Err), 1)
		}
	}
	h.GaveUp = func(e consumer.GaveUpEvent) {
		metric := givenUpRecords
		if e.Destination == destination.Discard.String() {
			metric = droppedRecords
		}
		r.flow(e.Handler).count(metric, classIn(conditions, string(e.Failure.Condition)), len(e.Failure.Records))
		r.progressed(r.series(e.Shard))
	}
	h.Published = func(e consumer.PublishedEvent) {
		kind := "handled"
		if e.Emitted {
			kind = "emitted"
		}
		f := r.flow(e.Handler)
		f.count(publishedRecords, classIn(published, kind), e.Records)
		r.take(f, publishDuration, "", int64(e.Took))
	}
	h.DestinationRefused = func(e consumer.DestinationRefusedEvent) {
		r.flow(e.Handler).count(destinationRefusals, classOf(e.Err), 1)
	}
	h.KeySetAside = func(consumer.KeySetAsideEvent) { r.main.add(keysSetAside, 1) }
	h.KeyParked = func(e consumer.KeyParkedEvent) { r.flow(e.Handler).add(keysParked, 1) }
	h.KeyReleased = func(e consumer.KeyReleasedEvent) { r.flow(e.Handler).add(keysReleased, 1) }
	h.BreakerChanged = func(e consumer.BreakerEvent) {
		r.flow(e.Handler).count(breakerChanges, classIn(breakers, e.State.String()), 1)
	}
}

// hookKeeping sets the hooks of leases, positions and the fleet.
func (r *Recorder) hookKeeping(h *consumer.Hooks) {
	h.Checkpointed = func(e consumer.CheckpointEvent) {
		r.main.add(checkpoints, 1)
		r.take(r.main, checkpointDuration, "", int64(e.Took))
		r.series(e.Shard).saved()
	}
	h.Conflict = func(e consumer.ConflictEvent) { r.main.count(conflicts, classIn(writes, e.Write), 1) }
	h.ShardStalled = func(e consumer.ShardStalledEvent) {
		remedy := "left_alone"
		if e.BegunAnew {
			remedy = "begun_anew"
		}
		r.main.count(shardsStalled, classIn(remedies, remedy), 1)
	}
	h.RetentionRisk = func(consumer.RetentionRiskEvent) { r.main.add(retentionRisks, 1) }
	h.ShardsUnplaced = func(consumer.UnplacedEvent) { r.main.add(unplacedReports, 1) }
	h.RowQuarantined = func(consumer.RowEvent) { r.main.add(rowsQuarantined, 1) }
	h.HoleFound = func(consumer.HoleEvent) { r.main.add(holesFound, 1) }
	h.NeighbourSeen = func(consumer.NeighbourEvent) { r.main.add(neighboursSeen, 1) }
	h.ControlChanged = func(consumer.ControlEvent) { r.main.add(controlChanges, 1) }
	h.StreamChanged = func(e consumer.StreamEvent) {
		r.main.count(streamChanges, classIn(streamStates, e.State.String()), 1)
	}
}

func (r *Recorder) sessionLost(e consumer.SessionEvent) {
	reason := "lost"
	if e.Err == consumer.ErrStopping {
		reason = "stopping"
	}
	r.main.count(sessionsEnded, classIn(sessionEnds, reason), 1)
}

func (r *Recorder) shardStarted(e consumer.ShardStartedEvent) {
	r.admit(e.Shard)
	r.main.add(shardsStarted, 1)
	if e.Isolated {
		r.main.add(shardsIsolated, 1)
	}
}

func (r *Recorder) shardLeft(e consumer.ShardLeftEvent) {
	r.dismiss(e.Shard)
	r.main.count(shardsLeft, leftReason(e.Cause), 1)
	if e.Took > 0 {
		r.take(r.main, drainDuration, "", int64(e.Took))
	}
}

func (r *Recorder) read(e consumer.ReadEvent) {
	f := r.main
	f.add(readRecords, e.Records)
	f.add(readBytes, int(e.Payload))
	f.add(readSkipped, e.Skipped)
	r.take(f, readDuration, "", int64(e.Took))
	r.take(f, readBehind, "", int64(e.Behind))
	s := r.series(e.Shard)
	s.add(shardReadRecords, int64(e.Records))
	s.add(shardReadBytes, e.Payload)
	if e.Handler == "" {
		s.came(e.Records, e.Behind)
	}
}

func (r *Recorder) batchDone(e consumer.BatchEvent) {
	f := r.flow(e.Handler)
	outcome, class := "done", ""
	if e.Err != nil {
		outcome = "failed"
		if e.Handled+e.Deferred > 0 {
			outcome = "partial"
		}
		i := classOf(e.Err)
		class = classes[i]
		f.count(handlerFailures, i, 1)
	}
	f.count(handlerCalls, classIn(outcomes, outcome), 1)
	f.add(handlerRecords, e.Records)
	f.add(handlerBytes, int(e.Payload))
	f.add(handledRecords, e.Handled)
	f.add(rejectedRecords, e.Rejected)
	f.add(deferredRecords, e.Deferred)
	f.add(failedRecords, e.Records-e.Handled-e.Deferred)
	if e.Attempt > 1 {
		f.add(handlerRetries, 1)
	} else {
		r.take(f, handlerLatency, "", int64(e.Oldest))
	}
	r.take(f, handlerBatch, "", int64(e.Records))
	r.take(f, handlerDuration, class, int64(e.Took))
	r.take(f, handlerIteratorAge, "", int64(e.Newest))
	s := r.series(e.Shard)
	s.add(shardHandlerRecords, int64(e.Records))
	s.add(shardHandledRecords, int64(e.Handled))
	if e.Handled > 0 {
		r.progressed(s)
	}
}
