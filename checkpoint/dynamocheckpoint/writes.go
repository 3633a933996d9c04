package dynamocheckpoint

// Every conditional write, with its condition as it is sent. Two short forms:
//
//	{leaseOwner = :owner}  is  leaseOwner = :owner, or, if the caller saw no
//	                       owner, attribute_not_exists(leaseOwner)
//	#load                  is  the attribute load, whose name is a word that
//	                       DynamoDB reserves
//
// :counter is the leaseCounter that the writer last saw and :next the one
// behind it. The counter moves with every effective write but ask and withdraw,
// which only put a request on the row.

// write is one conditional write.
type write struct {
	name              string
	set, remove, more string // the update; more is a clause of its own (ADD, DELETE)
	condition         string
}

// canWrite is the right to write a lease's position: the counter is the one I
// saw, so nobody else wrote since; the checkpoint is the one I moved it to,
// which guards against an edit by hand that forgot the counter; and I hold the
// lease. While a hand-over is asked for, the holder is the checkpoint owner and
// not the owner.
const canWrite = `leaseCounter = :counter` +
	` AND checkpoint = :prev` +
	` AND ((leaseOwner = :me AND attribute_not_exists(checkpointOwner)) OR checkpointOwner = :me)`

// moved is what every write of a position sets; progress adds the attributes
// that depend on the position. A checkpoint ends a two-phase checkpoint of KCL.
const (
	moved     = `checkpoint = :seq, checkpointSubSequenceNumber = :sub, ownerSwitchesSinceCheckpoint = :zero, leaseCounter = :next`
	noPending = `pendingCheckpoint, pendingCheckpointSubSequenceNumber, pendingCheckpointState`
)

// movedByHand is what a move of a position by hand sets; relocate adds what
// depends on the position. notOfThere belongs to the old position alone.
const (
	movedByHand = moved + `, seekGen = if_not_exists(seekGen, :zero) + :one`
	notOfThere  = `suspect, suspectSub, suspectCrashes, suspectHandler`
)

// Writes of the lease table.
var (
	// take: the owner is in the condition beside the counter because an orphan
	// of my own earlier take, applied late, would else take from myself. The
	// checkpoint owner is, because it may be alive where the owner is dead, and
	// an ask does not move the counter.
	take = write{
		name:   "take",
		set:    `leaseOwner = :me, leaseCounter = :next, ownerSwitchesSinceCheckpoint = if_not_exists(ownerSwitchesSinceCheckpoint, :zero) + :one`,
		remove: `checkpointOwner`,
		condition: `leaseCounter = :counter` +
			` AND {leaseOwner = :owner}` +
			` AND {checkpointOwner = :holder}`,
	}

	// renew: a sign of life for those who know no sessions, as KCL has none. It
	// leaves the rest as it is, so that what counts the owners that died without
	// a checkpoint goes on counting.
	renew = write{name: "renew", set: `leaseCounter = :next`, condition: canWrite}

	// save: also the only renewal where all have sessions. It counts even if the position
	// stays, so that a mark on a suspect record is fenced like a checkpoint.
	save = write{name: "save", set: moved, remove: noPending, condition: canWrite}

	// release: as save, and the hand-over that may be asked for ends with it.
	release = write{name: "release", set: moved, remove: noPending + `, checkpointOwner`, condition: canWrite}

	// end: as save, in a transaction with an upsert for each child, so that
	// "ended without children" cannot be.
	end = write{name: "end", set: moved, remove: noPending + `, startAtMs, marks, suspect, suspectSub, suspectCrashes, suspectHandler`, condition: canWrite}

	// child: the other parent of a merge may have made the row, and it may be
	// at work already; nothing that is there is touched, so no condition.
	child = write{
		name: "child",
		set: `checkpoint = if_not_exists(checkpoint, :trim)` +
			`, checkpointSubSequenceNumber = if_not_exists(checkpointSubSequenceNumber, :zero)` +
			`, leaseCounter = if_not_exists(leaseCounter, :zero)` +
			`, ownerSwitchesSinceCheckpoint = if_not_exists(ownerSwitchesSinceCheckpoint, :zero)` +
			`, createdFrom = if_not_exists(createdFrom, :child)`,
	}

	// ask: no counter, because the owner's saves move it all the time and a
	// request must get through them.
	ask = write{
		name: "ask",
		set:  `checkpointOwner = :owner, leaseOwner = :to`,
		condition: `leaseOwner = :owner` +
			` AND attribute_not_exists(checkpointOwner)` +
			` AND checkpoint <> :end`,
	}

	// withdraw: the counter is in the condition, so that a holder which has
	// moved since keeps its hand-over.
	withdraw = write{
		name:   "withdraw",
		set:    `leaseOwner = :holder`,
		remove: `checkpointOwner`,
		condition: `leaseOwner = :owner` +
			` AND checkpointOwner = :holder` +
			` AND leaseCounter = :counter`,
	}

	// refuse: the holder keeps the lease. The counter moves, so that a late
	// take by whoever was to get it is refused.
	refuse = write{
		name:      "refuse",
		set:       `leaseOwner = :me, leaseCounter = :next`,
		remove:    `checkpointOwner`,
		condition: `leaseCounter = :counter AND checkpointOwner = :me`,
	}

	// finish: checkpoint and transfer in one write. Whoever stands in
	// leaseOwner is the owner now.
	finish = write{
		name:      "finish",
		set:       moved,
		remove:    noPending + `, checkpointOwner`,
		condition: `leaseCounter = :counter AND checkpointOwner = :me`,
	}

	// seek: whoever holds the row. A hand-over that is asked for comes first: its
	// two workers would not agree on where the shard is. The end is not moved
	// back alone, as the children may be at work.
	seek = write{
		name:   "seek",
		set:    movedByHand,
		remove: noPending + `, ` + notOfThere,
		condition: `leaseCounter = :counter` +
			` AND attribute_not_exists(checkpointOwner)` +
			` AND checkpoint <> :end`,
	}

	// rewrite: part of a move of all positions, in a transaction with sameMove.
	// Every worker stands still; the owner is in the condition as it is in take's,
	// because one that does not know of the move may have come.
	rewrite = write{
		name:   "rewrite",
		set:    movedByHand,
		remove: noPending + `, ` + notOfThere + `, leaseOwner, checkpointOwner, lost`,
		condition: `leaseCounter = :counter` +
			` AND {leaseOwner = :owner}` +
			` AND {checkpointOwner = :holder}`,
	}

	// putLease: a new row, never over one that exists. In a transaction with
	// liveSession and nextEpoch when an owner puts its deleted row back, with
	// sameEpoch in a maintenance run.
	putLease = write{name: "create", condition: `attribute_not_exists(leaseKey)`}

	// deleteLease: only a finished row that nobody wrote since it was seen, in
	// a transaction with sameEpoch.
	deleteLease = write{name: "delete", condition: `checkpoint = :end AND leaseCounter = :counter`}

	// dropLease: a row of a stream that nobody reads any more, however far it is.
	// Owners are in the condition beside the counter because an ask does not move
	// it.
	dropLease = write{
		name: "drop",
		condition: `leaseCounter = :counter` +
			` AND {leaseOwner = :owner}` +
			` AND {checkpointOwner = :holder}`,
	}
)

// Writes of the session table.
var (
	// register: refused if the id exists, revoked ones among them, so that a
	// late duplicate of a registration cannot bring a dead session back.
	register = write{name: "register", condition: `attribute_not_exists(id)`}

	// heartbeat: an unconditional increment and not "from n to n+1". A repeated
	// compare-and-set that finds its work done would extend the owner's belief
	// while observers see nothing move.
	heartbeat = write{
		name:      "heartbeat",
		set:       `hb = hb + :one, #load = :load, plans = :plans, leaving = :leaving, shareGen = :shareGen, looks = :looks`,
		condition: `attribute_exists(id) AND attribute_not_exists(revokedBy)`,
	}

	// revoke: the beat that was seen is still the last one. This one write is
	// the moment of death.
	revoke = write{
		name:      "revoke",
		set:       `revokedBy = :me`,
		condition: `attribute_exists(id) AND hb = :seen AND attribute_not_exists(revokedBy)`,
	}

	// leave: a revoked session stays for those who take its leases, and one that was
	// told something until it has read that. An empty set is no attribute.
	leave = write{name: "leave", condition: `attribute_not_exists(revokedBy) AND attribute_not_exists(inbox)`}

	// bury: only a session that was revoked.
	bury = write{name: "bury", condition: `attribute_exists(revokedBy)`}

	// tell: never makes a row, hence hb, which only a registration writes.
	tell = write{
		name:      "tell",
		more:      `ADD inbox :hints`,
		condition: `attribute_exists(hb) AND attribute_not_exists(revokedBy)`,
	}

	// forget: an update would make the row if it is gone.
	forget = write{name: "forget", more: `DELETE inbox :hints`, condition: `attribute_exists(hb)`}

	// begin: a run ends all that began before it.
	begin = write{name: "begin", set: `epoch = if_not_exists(epoch, :zero) + :one`}

	// claim: the first start says which stream the tables belong to.
	claim = write{
		name:      "claim",
		set:       `streamArn = :arn, streamEpoch = :created, #mode = if_not_exists(#mode, :run), epoch = if_not_exists(epoch, :zero)`,
		condition: `attribute_not_exists(streamArn)`,
	}

	// setControl: what the fleet is told is as its writer saw it. The row may not
	// be there yet, and its other attributes are left alone.
	setControl = write{
		name:      "set control",
		set:       `gen = :next, #limited = :limited, #limit = :limit, limitSince = :since, #shares = :shares, pauses = :pauses`,
		condition: `{gen = :gen}`,
	}

	// nextEpoch: the epoch that a row put back begins its counter from is used
	// once.
	nextEpoch = write{name: "next epoch", set: `epoch = :newEpoch`, condition: `{epoch = :epoch}`}
)

// Checks, parts of a transaction that write nothing.
var (
	// noSession: an owner that is believed dead because it has no session still
	// has none.
	noSession = write{name: "no session", condition: `attribute_not_exists(id)`}

	// liveSession: nobody has revoked mine.
	liveSession = write{name: "live session", condition: `attribute_exists(hb) AND attribute_not_exists(revokedBy)`}

	// sameEpoch: no other maintenance run has begun. Without it a run that was
	// paused creates rows again that another one has deleted since.
	sameEpoch = write{name: "same epoch", condition: `epoch = :epoch`}

	// sameMove: nobody else went on with the move, or gave it up, and no
	// maintenance run has begun.
	sameMove = write{name: "same move", condition: `moveId = :move AND epoch = :epoch`}
)
