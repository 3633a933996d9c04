package main

// The conditions under which lease rows are written, each part of each on its own.
// In the model the parts of take that name the owner are redundant beside the
// counter, as an orphan of one's own take is the only thing they refuse; here the
// suite of the table wants every one.

const (
	writes   = "checkpoint/dynamocheckpoint/writes.go"
	tables   = "./checkpoint/dynamocheckpoint"
	contract = "TestTableKeepsTheContract"
)

// suite is a group of the suite that every lease table has to pass.
func suite(group string) test { return test{Package: tables, Run: contract + "/^" + group + "$"} }

// part is the mutant of a condition without one of its parts.
func part(name, in, part, breaks string, by test) mutant {
	return mutant{Name: name, File: writes, In: in, Old: part, Breaks: breaks, By: by}
}

var rows = []mutant{
	part("save-any-counter", "const canWrite", "leaseCounter = :counter` +\n\t` AND ",
		"a write of a position is refused when anybody wrote the row since", suite("save")),
	part("save-over-an-edit", "const canWrite", "` AND checkpoint = :prev` +\n\t",
		"a write of a position is refused when the row stands elsewhere, moved by a hand that forgot the counter", suite("save")),
	part("save-by-anybody", "const canWrite", "leaseOwner = :me AND ",
		"only who holds a lease writes its position", suite("save")),
	part("save-by-the-next-owner", "const canWrite", " AND attribute_not_exists(checkpointOwner)",
		"while a hand-over is asked for, the next owner may not write yet", suite("save")),
	part("save-not-by-the-asked", "const canWrite", " OR checkpointOwner = :me",
		"who is asked for a hand-over holds the lease until it ends it", suite("save")),
	{Name: "end-by-anybody", File: writes, In: "end = write{", Old: "condition: canWrite", New: "condition: ``",
		Breaks: "only the holder ends a shard", By: suite("end")},
	{Name: "release-by-anybody", File: writes, In: "release = write{", Old: "condition: canWrite", New: "condition: ``",
		Breaks: "only the holder gives a lease away", By: suite("handover")},
	{Name: "renew-by-anybody", File: writes, In: "renew = write{", Old: "condition: canWrite", New: "condition: ``",
		Breaks: "only the holder renews a lease", By: test{Package: tables, Run: contract + "/^renew_"}},
	{Name: "save-does-not-count", File: writes, In: "moved     = `", Old: ", leaseCounter = :next", New: "",
		Breaks: "every write of a row moves its counter, but ask and withdraw", By: suite("save")},

	part("take-any-counter", "take = write{", "leaseCounter = :counter` +\n\t\t\t` AND ",
		"a lease is taken only as it was seen", suite("take")),
	part("take-from-any-owner", "take = write{", "{leaseOwner = :owner}` +\n\t\t\t` AND ",
		"a lease is taken from the owner that was seen dead, and not from oneself by a late orphan", suite("take")),
	part("take-from-any-holder", "take = write{", "` +\n\t\t\t` AND {checkpointOwner = :holder}",
		"a lease is not taken from a live holder that is handing it over", suite("take")),
	{Name: "take-does-not-count", File: writes, In: "take = write{", Old: "leaseCounter = :next, ", New: "",
		Breaks: "each tenure has a greater fence than the one before", By: suite("take")},
	{Name: "take-counts-no-deaths", File: writes, In: "take = write{", Old: " + :one", New: "",
		Breaks: "the owners that died without a checkpoint are counted, or a record that kills is never isolated", By: suite("take")},

	{Name: "child-begins-again", File: writes, In: "child = write{", Old: "checkpoint = if_not_exists(checkpoint, :trim)", New: "checkpoint = :trim",
		Breaks: "the end of a merge's other parent leaves a child that is at work alone", By: suite("end")},
	{Name: "child-counts-again", File: writes, In: "child = write{", Old: "leaseCounter = if_not_exists(leaseCounter, :zero)", New: "leaseCounter = :zero",
		Breaks: "the end of a merge's other parent leaves a child's counter alone", By: suite("end")},
	{Name: "end-without-children", File: "checkpoint/dynamocheckpoint/transactions.go", Old: "range children {\n\t\tparts", New: "range children[:0] {\n\t\tparts",
		Breaks: "a shard does not end without the rows of its children in the same transaction", By: suite("end")},

	part("ask-of-anybody", "ask = write{", "leaseOwner = :owner` +\n\t\t\t` AND ",
		"a hand-over is asked of the owner that was seen", suite("handover")),
	part("ask-twice", "ask = write{", "` +\n\t\t\t` AND attribute_not_exists(checkpointOwner)",
		"a hand-over that is under way is not asked for again", suite("handover")),
	part("ask-for-the-finished", "ask = write{", "` +\n\t\t\t` AND checkpoint <> :end",
		"nobody is asked for a finished shard", suite("handover")),
	part("withdraw-any-counter", "withdraw = write{", "` +\n\t\t\t` AND leaseCounter = :counter",
		"a holder that has moved since keeps its hand-over", suite("handover")),
	part("withdraw-from-any-owner", "withdraw = write{", "leaseOwner = :owner` +\n\t\t\t` AND ",
		"only the hand-over that was seen is withdrawn, and not one to somebody else", suite("handover")),
	part("withdraw-for-any-holder", "withdraw = write{", "` +\n\t\t\t` AND checkpointOwner = :holder",
		"a hand-over is withdrawn for the holder that was seen, and nobody else is made the owner", suite("handover")),
	part("refuse-any-counter", "refuse = write{", "leaseCounter = :counter AND ",
		"a hand-over is refused only by who wrote the row last", suite("handover")),
	part("refuse-by-anybody", "refuse = write{", " AND checkpointOwner = :me",
		"a hand-over is refused by its holder alone", suite("handover")),
	part("finish-any-counter", "finish = write{", "leaseCounter = :counter AND ",
		"a hand-over is finished only by who wrote the row last", suite("handover")),
	part("finish-by-anybody", "finish = write{", " AND checkpointOwner = :me",
		"a hand-over is finished by its holder alone", suite("handover")),

	part("seek-any-counter", "seek = write{", "leaseCounter = :counter` +\n\t\t\t` AND ",
		"a position is moved by hand only as it was seen", suite("moves")),
	part("seek-in-a-hand-over", "seek = write{", "` +\n\t\t\t` AND attribute_not_exists(checkpointOwner)",
		"a position is not moved while two workers would not agree on it", suite("moves")),
	part("seek-of-the-finished", "seek = write{", "` +\n\t\t\t` AND checkpoint <> :end",
		"a finished shard is not moved back alone, as its children may be at work", suite("moves")),
	{Name: "seek-without-generation", File: writes, In: "movedByHand = moved", Old: " + :one", New: "",
		Breaks: "a checkpoint goes back only with a larger seek generation", By: suite("moves")},
	part("rewrite-any-counter", "rewrite = write{", "leaseCounter = :counter` +\n\t\t\t` AND ",
		"a move of all positions changes rows only as it saw them", suite("moves")),
	part("rewrite-of-any-owner", "rewrite = write{", "{leaseOwner = :owner}` +\n\t\t\t` AND ",
		"a move of all positions takes nothing from a worker that has come since", suite("moves")),
	part("rewrite-of-any-holder", "rewrite = write{", "` +\n\t\t\t` AND {checkpointOwner = :holder}",
		"a move of all positions takes nothing from a worker that hands over", suite("moves")),
	part("rewrite-in-any-run", "sameMove = write{", " AND epoch = :epoch",
		"a mover that was paused writes nothing when a maintenance run has begun since", suite("moves")),
	part("rewrite-of-any-move", "sameMove = write{", "moveId = :move AND ",
		"a mover that was paused writes nothing when another went on with the move", suite("moves")),

	{Name: "create-over-a-row", File: writes, In: "putLease = write{", Old: "condition: `attribute_not_exists(leaseKey)`", New: "condition: ``",
		Breaks: "a row that exists is not created again", By: suite("upkeep")},
	part("delete-any-counter", "deleteLease = write{", " AND leaseCounter = :counter",
		"a row that somebody wrote since is not deleted", suite("upkeep")),
	part("delete-the-unfinished", "deleteLease = write{", "checkpoint = :end AND ",
		"only a finished row is deleted", suite("upkeep")),
	part("drop-any-counter", "dropLease = write{", "leaseCounter = :counter` +\n\t\t\t` AND ",
		"a row of a stream that is left is not deleted when somebody wrote it since", suite("upkeep")),
	part("drop-from-any-owner", "dropLease = write{", "{leaseOwner = :owner}` +\n\t\t\t` AND ",
		"a row of a stream that is left is not deleted under a new owner", suite("upkeep")),
	part("drop-from-any-holder", "dropLease = write{", "` +\n\t\t\t` AND {checkpointOwner = :holder}",
		"a row of a stream that is left is not deleted in a hand-over", suite("upkeep")),
	{Name: "create-in-any-run", File: "checkpoint/dynamocheckpoint/upkeep.go", In: "func (t *Table) createSome", Old: "checking(sameEpoch,", New: "checking(write{name: sameEpoch.name, condition: `attribute_exists(id)`},",
		Breaks: "a maintenance run that was paused creates nothing that another has deleted since", By: suite("upkeep")},
	{Name: "delete-in-any-run", File: "checkpoint/dynamocheckpoint/upkeep.go", In: "func (t *Table) remove", Old: "checking(sameEpoch,", New: "checking(write{name: sameEpoch.name, condition: `attribute_exists(id)`},",
		Breaks: "a maintenance run that was paused deletes nothing when another has begun since", By: suite("upkeep")},
	{Name: "repair-counts-from-zero", File: "checkpoint/dynamocheckpoint/upkeep.go", Old: "max(l.Counter, epoch*tenures)", New: "l.Counter",
		Breaks: "fences grow also over a row that was deleted and created again", By: suite("upkeep")},
	{Name: "put-back-counts-from-before", File: "checkpoint/dynamocheckpoint/transactions.go", Old: "row.Counter = next * tenures", New: "row.Counter = lost.Counter + 1",
		Breaks: "a row that is put back is above every counter that a late write can name", By: suite("putback")},
	{Name: "put-back-below", File: "checkpoint/dynamocheckpoint/transactions.go", Old: "max(epoch, lost.Counter/tenures) + 1", New: "epoch + 1",
		Breaks: "a row that is put back a second time is above the first, also where the control row was lost", By: suite("putback")},
	part("put-back-by-the-dead", "liveSession = write{", " AND attribute_not_exists(revokedBy)",
		"a worker that was revoked does not bring its row back", suite("putback")),
	part("put-back-by-nobody", "liveSession = write{", "attribute_exists(hb) AND ",
		"a worker without a session does not bring its row back", suite("putback")),
	{Name: "put-back-at-one-epoch", File: writes, In: "nextEpoch = write{", Old: "condition: `{epoch = :epoch}`", New: "condition: ``",
		Breaks: "two rows that are put back at once have counters of their own", By: suite("races")},

	{Name: "state-apart-from-position", File: "checkpoint/dynamocheckpoint/advance.go",
		Old:    "parts := append([]types.TransactWriteItem{updating(w, t.leases, \"leaseKey\", held.Key, v)}, states...)",
		New:    "if len(states) > 0 {\n\t\t_ = t.transact(ctx, states...)\n\t}\n\tstates = nil\n\tparts := append([]types.TransactWriteItem{updating(w, t.leases, \"leaseKey\", held.Key, v)}, states...)",
		Breaks: "a handler's state is written with the position that it belongs to, or not at all", By: suite("states")},
	{Name: "effects-apart-from-position", File: "checkpoint/dynamocheckpoint/advance.go", Old: "\tparts = append(parts, effects...)\n",
		New:    "\tif len(effects) > 0 {\n\t\tif err := t.transact(ctx, effects...); err != nil {\n\t\t\treturn shard.Lease{}, t.notAdvanced(ctx, w, held, err, 0, len(effects))\n\t\t}\n\t}\n",
		Breaks: "effects are applied with the position, or not at all", By: suite("effects")},
	{Name: "state-of-another-position", File: "checkpoint/dynamocheckpoint/states.go", Old: "if !checkpoint.StateOf(row, handler, e.at(), e.SeekGen) {", New: "if false {",
		Breaks: "a handler is given the state of its position and no other", By: suite("states")},

	{Name: "conflict-taken-for-refusal", File: "checkpoint/dynamocheckpoint/send.go", Old: `*reason.Code == "ConditionalCheckFailed"`, New: `*reason.Code != "None"`,
		Breaks: "to meet another transaction, or to be throttled, fences nobody", By: test{Package: tables, Run: "TestNothingButARefusedConditionIsAConflict"}},
	{Name: "transaction-taken-for-the-row", File: "checkpoint/dynamocheckpoint/rows.go", Old: "l.Fault != nil || l.Counter != counter", New: "l.Fault != nil",
		Breaks: "a row that moved on behind a transaction is not believed to be the transaction's", By: test{Package: tables, Run: "TestRowThatMovedOnAfterATransactionIsAConflict"}},
	{Name: "no-row-told-for-a-row", File: "checkpoint/dynamocheckpoint/rows.go", Old: "if len(row) == 0 {", New: "if false {",
		Breaks: "a refusal that does not say which row refused is not taken for a row that is gone", By: test{Package: tables, Run: "TestRefusalWithoutARowIsReadBack"}},
}
