package telemetry

// What happens: counters and histograms, fed by the hooks.
const (
	readRecords id = iota
	readBytes
	readSkipped
	readDuration
	readBehind
	readFailures
	readLosses
	memoryWaits
	oddMalformed
	oddOutside
	oddDropped
	filteredRecords
	filteredNotJSON

	handlerCalls
	handlerFailures
	handlerRetries
	handlerRecords
	handlerBytes
	handlerBatch
	handlerDuration
	handlerLatency
	handlerIteratorAge
	handlerStuck
	handledRecords
	rejectedRecords
	deferredRecords
	failedRecords
	splits
	wakeCalls
	wakeFailures
	commitsRefused

	givenUpRecords
	droppedRecords
	publishedRecords
	publishDuration
	destinationRefusals

	keysSetAside
	keysParked
	keysReleased

	checkpoints
	checkpointDuration
	conflicts
	sessionsStarted
	sessionsEnded
	shardsStarted
	shardsIsolated
	shardsLeft
	drainDuration
	shardsStalled
	retentionRisks
	unplacedReports
	rowsQuarantined
	holesFound
	neighboursSeen
	controlChanges
	streamChanges
	breakerChanges

	firstState // what is behind it is read from the status
)

const catalogued = lastState

// Bounds of histograms. Those of calls are the ones that OpenTelemetry's
// conventions advise for messaging, with two below and five above: a batch takes
// longer than a message. Ages go up to a week, and a stream may keep more.
var (
	callBounds = []float64{.001, .0025, .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 900}
	ageBounds  = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600, 168 * 3600}
	sizeBounds = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000}
)

// handlerOf are the attributes of what is told for each handler, and with.
func handlerOf(with ...string) []string { return append([]string{Handler}, with...) }

// catalogue is every metric, by its id.
var catalogue = func() [catalogued]Metric {
	var all [catalogued]Metric
	for i, m := range happenings {
		all[i] = m
	}
	for i, m := range states {
		all[i] = m
	}
	return all
}()

var happenings = map[id]Metric{
	readRecords: {Name: "towpath.read.records", Unit: records, Lambda: "PolledEventCount",
		Meaning: "Records that were read, user records of aggregates one by one."},
	readBytes: {Name: "towpath.read.bytes", Unit: bytes,
		Meaning: "Payload of the records that were read."},
	readSkipped: {Name: "towpath.read.skipped", Unit: records,
		Meaning: "Records that the service sent twice or out of order, and that were passed over."},
	readDuration: {Name: "towpath.read.duration", Kind: Histogram, Unit: seconds, Bounds: callBounds,
		Semconv: "messaging.client.operation.duration", KCL: "KinesisDataFetcher.getRecords.Time", KCLOperation: processTask,
		Meaning: "How long a read took that brought records; with fan-out, how long an event was waited for."},
	readBehind: {Name: "towpath.read.behind", Kind: Histogram, Unit: seconds, Bounds: ageBounds, KCL: "MillisBehindLatest", KCLOperation: "ApplicationTracker",
		Meaning: "How far behind the tip of its shard a read ended that brought records."},
	readFailures: {Name: "towpath.read.failures", Unit: calls, Attributes: []string{ErrorType}, Allowed: classes,
		Meaning: "Reads that failed and are made again; of the class throttled where the service asked to slow down."},
	readLosses: {Name: "towpath.read.losses", Unit: events,
		Meaning: "Windows of records that were trimmed before they were read. Anything above 0 is loss of data."},
	memoryWaits: {Name: "towpath.memory.waits", Unit: events,
		Meaning: "Reads that had to wait because the memory budget was used up."},
	oddMalformed: {Name: "towpath.aggregates.malformed", Unit: records,
		Meaning: "Aggregated records that could not be unpacked and were delivered as they are."},
	oddOutside: {Name: "towpath.aggregates.outside", Unit: records,
		Meaning: "User records of aggregates that do not belong to the shard they came in."},
	oddDropped: {Name: "towpath.aggregates.dropped", Unit: records,
		Meaning: "How many of those outside were dropped by the policy for them."},
	filteredRecords: {Name: "towpath.filtered.records", Unit: records, Attributes: handlerOf(), Lambda: "FilteredOutEventCount",
		Meaning: "Records that match none of the filters, and are finished."},
	filteredNotJSON: {Name: "towpath.filtered.not_json", Unit: records, Attributes: handlerOf(),
		Meaning: "How many of those were no JSON where a filter looks at the payload: many mean that the producer writes something else than the filters expect."},

	handlerCalls: {Name: "towpath.handler.calls", Unit: calls, Attributes: handlerOf("outcome"), Allowed: outcomes, Lambda: "Invocations",
		Meaning: "Calls of the handler with records: done, partial where some of them are, failed where none is."},
	handlerFailures: {Name: "towpath.handler.failures", Unit: calls, Attributes: handlerOf(ErrorType), Allowed: classes, Lambda: "Errors",
		Meaning: "Calls of the handler that returned an error, by its class."},
	handlerRetries: {Name: "towpath.handler.retries", Unit: calls, Attributes: handlerOf(),
		Meaning: "Calls of the handler that were not the first with their first record."},
	handlerRecords: {Name: "towpath.handler.records", Unit: records, Attributes: handlerOf(), Lambda: "InvokedEventCount", KCL: "RecordsProcessed", KCLOperation: processTask,
		Semconv: "messaging.client.consumed.messages",
		Meaning: "Records that the handler was called with, in every attempt."},
	handlerBytes: {Name: "towpath.handler.bytes", Unit: bytes, Attributes: handlerOf(), KCL: "DataBytesProcessed", KCLOperation: processTask,
		Meaning: "Payload of the records that the handler was called with, in every attempt."},
	handlerBatch: {Name: "towpath.handler.batch", Kind: Histogram, Unit: records, Attributes: handlerOf(), Bounds: sizeBounds,
		Meaning: "How many records a call of the handler got."},
	handlerDuration: {Name: "towpath.handler.duration", Kind: Histogram, Unit: seconds, Attributes: handlerOf(), Bounds: callBounds,
		Lambda: "Duration", KCL: "RecordProcessor.processRecords.Time", KCLOperation: processTask, Semconv: "messaging.process.duration",
		Meaning: "How long a call of the handler with records ran."},
	handlerLatency: {Name: "towpath.handler.latency", Kind: Histogram, Unit: seconds, Attributes: handlerOf(), Bounds: ageBounds,
		Meaning: "How long the first record of a batch was under way when the handler was first called with it, since the service took it."},
	handlerIteratorAge: {Name: "towpath.handler.iterator_age", Kind: Histogram, Unit: seconds, Attributes: handlerOf(), Bounds: ageBounds, Lambda: "IteratorAge",
		Meaning: "How old the last record of a batch was when the handler was called."},
	handlerStuck: {Name: "towpath.handler.stuck", Unit: events, Attributes: handlerOf(),
		Meaning: "Times that a call of the handler was found to go on after the end of its context, every two seconds for as long as it does."},
	handledRecords: {Name: "towpath.handled.records", Unit: records, Attributes: handlerOf(),
		Meaning: "Records that the handler finished."},
	rejectedRecords: {Name: "towpath.rejected.records", Unit: records, Attributes: handlerOf(),
		Meaning: "Records that the handler rejected, or could not decode."},
	deferredRecords: {Name: "towpath.deferred.records", Unit: records, Attributes: handlerOf(),
		Meaning: "Records that the handler took on to finish later."},
	failedRecords: {Name: "towpath.failed.records", Unit: records, Attributes: handlerOf(), Lambda: "FailedInvokeEventCount",
		Meaning: "Records that were in a call of the handler and are not finished by it, in every attempt."},
	splits: {Name: "towpath.handler.splits", Unit: events, Attributes: handlerOf(),
		Meaning: "Batches that failed and were tried again in parts."},
	wakeCalls: {Name: "towpath.wake.calls", Unit: calls, Attributes: handlerOf("reason"), Allowed: wakeReasons,
		Meaning: "Calls of the handler without records."},
	wakeFailures: {Name: "towpath.wake.failures", Unit: calls, Attributes: handlerOf(ErrorType), Allowed: classes,
		Meaning: "How many of those returned an error."},
	commitsRefused: {Name: "towpath.commits.refused", Unit: calls,
		Meaning: "Calls whose effects were refused, so that nothing of them was written."},

	givenUpRecords: {Name: "towpath.given_up.records", Unit: records, Attributes: handlerOf("condition"), Allowed: conditions, Lambda: "OnFailureDestinationDeliveredEventCount",
		Meaning: "Records that were given up and that the on-failure destination has accepted."},
	droppedRecords: {Name: "towpath.dropped.records", Unit: records, Attributes: handlerOf("condition"), Allowed: conditions, Lambda: "DroppedEventCount",
		Meaning: "Records that were given up and dropped, as the on-failure destination is Discard."},
	publishedRecords: {Name: "towpath.published.records", Unit: records, Attributes: handlerOf("kind"), Allowed: published,
		Meaning: "Records that EmitTo has accepted (emitted) and that an on-success destination has (handled)."},
	publishDuration: {Name: "towpath.publish.duration", Kind: Histogram, Unit: seconds, Attributes: handlerOf(), Bounds: callBounds,
		Meaning: "How long it took until those were accepted, from the first try on."},
	destinationRefusals: {Name: "towpath.destination.refusals", Unit: calls, Attributes: handlerOf(ErrorType), Allowed: classes, Lambda: "DestinationDeliveryFailures",
		Meaning: "Tries of a destination that did not accept; nothing is lost, it is tried again without limit."},

	keysSetAside: {Name: "towpath.keys.set_aside", Unit: events,
		Meaning: "Times that a key was set aside, to wait for another call."},
	keysParked: {Name: "towpath.keys.parkings", Unit: events, Attributes: handlerOf(),
		Meaning: "Keys that were parked."},
	keysReleased: {Name: "towpath.keys.releases", Unit: events, Attributes: handlerOf(),
		Meaning: "Keys of which the last parked record was finished."},

	checkpoints: {Name: "towpath.checkpoints", Unit: calls,
		Meaning: "Positions that were written."},
	checkpointDuration: {Name: "towpath.checkpoint.duration", Kind: Histogram, Unit: seconds, Bounds: callBounds,
		KCL: "UpdateLease.Time", KCLOperation: "UpdateLease",
		Meaning: "How long writing one took."},
	conflicts: {Name: "towpath.conflicts", Unit: events, Attributes: []string{"write"}, Allowed: writes,
		Meaning: "Conditional writes of leases that were refused: expected now and then, many mean that two applications share a table."},
	sessionsStarted: {Name: "towpath.sessions.started", Unit: events,
		Meaning: "Times that the worker registered: more than one in a process means that its session was lost."},
	sessionsEnded: {Name: "towpath.sessions.ended", Unit: events, Attributes: []string{"reason"}, Allowed: sessionEnds,
		Meaning: "Sessions that ended: with the run, or because they ran out or were revoked."},
	shardsStarted: {Name: "towpath.shards.started", Unit: shards, KCL: "TakenLeases", KCLOperation: "TakeLeases",
		Meaning: "Shards that began to be worked here."},
	shardsIsolated: {Name: "towpath.shards.isolated", Unit: shards,
		Meaning: "How many of those are handled record by record, as their last owners died without progress."},
	shardsLeft: {Name: "towpath.shards.left", Unit: shards, Attributes: []string{"reason"}, Allowed: leftFor,
		Meaning: "Shards that are no longer worked here, by why."},
	drainDuration: {Name: "towpath.shards.drain.duration", Kind: Histogram, Unit: seconds, Bounds: callBounds,
		Meaning: "How long it took to let a shard go that was handed over or stopped, until its handler had returned and its position was written."},
	shardsStalled: {Name: "towpath.shards.stalled", Unit: events, Attributes: []string{"remedy"}, Allowed: remedies,
		Meaning: "Times that a shard got nowhere for StallTimeout: begun anew, or left alone as its handler was at work."},
	retentionRisks: {Name: "towpath.retention.risks", Unit: events,
		Meaning: "Times that unfinished records of a shard came near to being trimmed."},
	unplacedReports: {Name: "towpath.shards.unplaced", Unit: events,
		Meaning: "Times that shards were found that nobody reads, as every worker has as many as its MaximumLeases."},
	rowsQuarantined: {Name: "towpath.rows.quarantined", Unit: events,
		Meaning: "Lease rows that cannot be believed and are left alone."},
	holesFound: {Name: "towpath.holes", Unit: events,
		Meaning: "Parts of the stream that were found without a lease."},
	neighboursSeen: {Name: "towpath.neighbours.seen", Unit: events,
		Meaning: "Workers of another library that were seen at work on the lease table."},
	controlChanges: {Name: "towpath.control.changes", Unit: events,
		Meaning: "Times that the worker began to go by another limit, share or pause."},
	streamChanges: {Name: "towpath.stream.changes", Unit: events, Attributes: []string{"state"}, Allowed: streamStates,
		Meaning: "Times that something else became the case with one of many streams, by what."},
	breakerChanges: {Name: "towpath.breaker.changes", Unit: events, Attributes: handlerOf("state"), Allowed: breakers,
		Meaning: "Times that a breaker opened, let a probe through, or closed."},
}

// processTask is KCL's operation of reading and handling.
const processTask = "ProcessTask"
