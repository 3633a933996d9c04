package telemetry

// What is the case: gauges, read from the status, and what is kept for each shard.
const (
	sessionValid id = iota + firstState
	heartbeatAge
	leasesHeld
	workersNeeded
	behindMax
	ageMax
	checkpointAgeMax
	stillMax
	retentionUsedMax
	retentionLeftMin
	pendingRecords
	busyLanes
	runningCalls
	keysHeld
	deferredPending
	parkedKeys
	parkedRecords
	parkedBytes
	shardsPaused
	pauses
	shardsFailing
	memoryHeld
	memoryBudget
	concurrencyLimit
	concurrencyShare
	breakerOpen
	neighbours
	streamsIn
	omittedShards

	shardBehind
	shardAge
	shardCheckpointAge
	shardStill
	shardPending
	shardReadRecords
	shardReadBytes
	shardHandlerRecords
	shardHandledRecords

	lastState
)

// perShard are the attributes of what is told for each shard and handler.
var perShard = []string{Shard, Handler}

// states are the metrics of what is the case.
var states = map[id]Metric{
	sessionValid: {Name: "towpath.session.valid", Kind: Gauge, Unit: one, Across: Min, KCL: "RenewLease.Success", KCLOperation: "RenewAllLeases",
		Meaning: "1 while the worker may act on its leases, and 0 while it may not, as its signs of life are not answered."},
	heartbeatAge: {Name: "towpath.heartbeat.age", Kind: Gauge, Unit: seconds, Across: Max,
		Meaning: "How long ago the worker's last sign of life was answered."},
	leasesHeld: {Name: "towpath.leases.held", Kind: Gauge, Unit: shards, KCL: "CurrentLeases", KCLOperation: "RenewAllLeases",
		Meaning: "Shards that the worker works."},
	workersNeeded: {Name: "towpath.workers.needed", Kind: Gauge, Unit: "{worker}",
		Meaning: "Which part of a worker the worker's shards need, by package autoscale: the sum over the fleet, rounded up, is how many workers there should be. There is no series without Options.Sizing."},
	behindMax: {Name: "towpath.behind.max", Kind: Gauge, Unit: seconds, Across: Max,
		Meaning: "How far behind the tip the shard is that is furthest behind, as its last read said."},
	ageMax: {Name: "towpath.age.max", Kind: Gauge, Unit: seconds, Across: Max,
		Meaning: "How old the oldest record of all shards is that is not finished, or that the last read has not reached."},
	checkpointAgeMax: {Name: "towpath.checkpoint.age.max", Kind: Gauge, Unit: seconds, Across: Max,
		Meaning: "For how long a shard has had finished records whose position is not written, at most of all shards."},
	stillMax: {Name: "towpath.still.max", Kind: Gauge, Unit: seconds, Across: Max,
		Meaning: "For how long a shard has got nowhere although it has something to do, at most of all shards."},
	retentionUsedMax: {Name: "towpath.retention.used.max", Kind: Gauge, Unit: one, Across: Max,
		Meaning: "How much of the retention the oldest unfinished record has used up, as a share: at 1 records are lost."},
	retentionLeftMin: {Name: "towpath.retention.left.min", Kind: Gauge, Unit: seconds, Across: Min,
		Meaning: "How long until the oldest unfinished record is trimmed."},
	pendingRecords: {Name: "towpath.pending.records", Kind: Gauge, Unit: records, Attributes: handlerOf(),
		Meaning: "Records that are read and not finished."},
	busyLanes: {Name: "towpath.lanes.busy", Kind: Gauge, Unit: "{lane}", Attributes: handlerOf(),
		Meaning: "Lanes that are at work on a batch."},
	runningCalls: {Name: "towpath.handler.running", Kind: Gauge, Unit: calls,
		Meaning: "Calls of handlers that run now."},
	keysHeld: {Name: "towpath.keys.held", Kind: Gauge, Unit: "{key}", Attributes: handlerOf(),
		Meaning: "Keys that wait in memory while others go on."},
	deferredPending: {Name: "towpath.deferred.pending", Kind: Gauge, Unit: records, Attributes: handlerOf(),
		Meaning: "Pending records that the handler finishes later."},
	parkedKeys: {Name: "towpath.parked.keys", Kind: Gauge, Unit: "{key}", Attributes: handlerOf(),
		Meaning: "Keys that are parked in a table."},
	parkedRecords: {Name: "towpath.parked.records", Kind: Gauge, Unit: records, Attributes: handlerOf(),
		Meaning: "Records that are parked in a table."},
	parkedBytes: {Name: "towpath.parked.bytes", Kind: Gauge, Unit: bytes, Attributes: handlerOf(),
		Meaning: "Sizes of the records that are parked in a table."},
	shardsPaused: {Name: "towpath.shards.paused", Kind: Gauge, Unit: shards,
		Meaning: "Shards of the worker that are held back as a whole, because somebody said so."},
	pauses: {Name: "towpath.pauses", Kind: Gauge, Unit: "{pause}", Across: Max,
		Meaning: "What is held back in the whole fleet: the application, shards, keys."},
	shardsFailing: {Name: "towpath.shards.failing", Kind: Gauge, Unit: shards, Attributes: handlerOf(),
		Meaning: "Shards of which the last read, call or delivery failed."},
	memoryHeld: {Name: "towpath.memory.held", Kind: Gauge, Unit: bytes,
		Meaning: "Bytes of the memory budget that are in use."},
	memoryBudget: {Name: "towpath.memory.budget", Kind: Gauge, Unit: bytes,
		Meaning: "Bytes that the worker may hold in records."},
	concurrencyLimit: {Name: "towpath.concurrency.limit", Kind: Gauge, Unit: calls, Across: Max,
		Meaning: "How many calls may run at once in the whole fleet; there is no series where that is not limited."},
	concurrencyShare: {Name: "towpath.concurrency.share", Kind: Gauge, Unit: calls,
		Meaning: "How many of them are this worker's; there is no series where that is not limited."},
	breakerOpen: {Name: "towpath.breaker.open", Kind: Gauge, Unit: one, Across: Max,
		Meaning: "1 while a breaker is not closed, as what lies behind its handler is believed to be down, else 0."},
	neighbours: {Name: "towpath.neighbours", Kind: Gauge, Unit: "{worker}", Across: Max,
		Meaning: "Workers of another library at work on the lease table. Unless that is meant, it is to be 0."},
	streamsIn: {Name: "towpath.streams", Kind: Gauge, Unit: "{stream}", Across: Max, Attributes: []string{"state"}, Allowed: streamStates,
		Meaning: "Streams of a source of many, by what is the case with them."},
	omittedShards: {Name: "towpath.series.omitted", Kind: Gauge, Unit: shards,
		Meaning: "Shards that have no series of their own and are in those of the shard \"other\"."},

	shardBehind: {Name: "towpath.shard.behind", Kind: Gauge, Unit: seconds, Across: Max, Attributes: perShard, KCL: "MillisBehindLatest", KCLOperation: processTask,
		Meaning: "How far behind the tip the last read of the shard ended."},
	shardAge: {Name: "towpath.shard.age", Kind: Gauge, Unit: seconds, Across: Max, Attributes: perShard,
		Meaning: "How old the shard's oldest record is that is not finished, or that the last read has not reached."},
	shardCheckpointAge: {Name: "towpath.shard.checkpoint.age", Kind: Gauge, Unit: seconds, Across: Max, Attributes: perShard,
		Meaning: "For how long the shard has had finished records whose position is not written."},
	shardStill: {Name: "towpath.shard.still", Kind: Gauge, Unit: seconds, Across: Max, Attributes: perShard,
		Meaning: "For how long the shard has got nowhere although it has something to do."},
	shardPending: {Name: "towpath.shard.pending", Kind: Gauge, Unit: records, Attributes: perShard,
		Meaning: "Records of the shard that are read and not finished."},
	shardReadRecords: {Name: "towpath.shard.read.records", Unit: records, Attributes: []string{Shard},
		Meaning: "Records that were read of the shard."},
	shardReadBytes: {Name: "towpath.shard.read.bytes", Unit: bytes, Attributes: []string{Shard}, KCL: "DataBytesProcessed", KCLOperation: processTask,
		Meaning: "Payload that was read of the shard."},
	shardHandlerRecords: {Name: "towpath.shard.handler.records", Unit: records, Attributes: []string{Shard}, KCL: "RecordsProcessed", KCLOperation: processTask,
		Meaning: "Records of the shard that handlers were called with, in every attempt."},
	shardHandledRecords: {Name: "towpath.shard.handled.records", Unit: records, Attributes: []string{Shard},
		Meaning: "Records of the shard that handlers finished."},
}
