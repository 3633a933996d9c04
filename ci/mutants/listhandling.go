package main

// From a record that is read to its position in the row: what may be called when, and
// what has to be true before a record is finished.
//
// Not in the list, as others stand behind them: the deadline of the lease in dispatch
// (admit looks at it before every call); in call, what is done of an answer that comes
// after the lease was lost (every send and every save looks at the work context); one
// record at a time in dispatch (the keeper's slot for a marked record); acks that are
// closed (nobody takes what they hold).

var handling = []mutant{
	{Name: "call-past-the-deadline", File: "consumer/admission.go", In: "func (l *lane) admit", Old: "over := !l.right.valid() || l.ctx.Err() != nil", New: "over := l.ctx.Err() != nil",
		Breaks: "the deadline of the lease is looked at before every call, as it may be the first thing after a pause", By: fleets("TestScenario08NoRetryIsBegunAfterAPause")},
	{Name: "finished-before-the-destination", File: "consumer/lane.go", In: "func (l *lane) carryOut", Old: "\t\tfrom := verdict.Handled\n", New: "\t\tfrom := verdict.Handled\n\t\tl.settled <- settlement{tickets: l.batch.Tickets[s.From+from : s.From+from+n]}\n",
		Breaks: "a record that failed is accepted by its destination before the checkpoint passes it", By: engines("TestCheckpointWaitsForTheDestination")},
	{Name: "rejected-finished-before-the-destination", File: "consumer/lane.go", In: "func (l *lane) carryOut", Old: "finish(s.From+done, s.From+r.Index)\n", New: "finish(s.From+done, s.From+r.Index)\n\t\tl.settled <- settlement{tickets: l.batch.Tickets[s.From+r.Index : s.From+r.Index+1]}\n",
		Breaks: "a record that was rejected is accepted by its destination before the checkpoint passes it", By: engines("TestCheckpointWaitsForTheDestination")},
	{Name: "expired-finished-before-the-destination", File: "consumer/lane.go", In: "func (l *lane) step", Old: "n > 0 {\n\t\terr := l.giveUp", New: "n > 0 {\n\t\tl.settled <- settlement{tickets: l.batch.Tickets[s.From : s.From+n]}\n\t\terr := l.giveUp",
		Breaks: "a record that is too old is accepted by its destination before the checkpoint passes it", By: engines("TestCheckpointWaitsForTheDestination")},
	{Name: "destination-asked-once", File: "consumer/sending.go", In: "func (l *lane) persist", Old: "if err == nil {", New: "if err == nil || try > 0 {",
		Breaks: "nothing is dropped while a destination refuses", By: engines("TestCheckpointWaitsForTheDestination")},
	{Name: "sent-behind-the-deadline", File: "consumer/sending.go", In: "func (l *lane) persist", Old: "!l.right.valid() || ", New: "",
		Breaks: "nothing is sent by a worker that has run out", By: engines("TestNothingIsSentBehindTheDeadline")},
	{Name: "emitted-after-it-is-finished", File: "consumer/lane.go", In: "func (l *lane) apply", Old: "\tif err := l.sendOn(", New: "\tl.settled <- settlement{tickets: l.batch.Tickets[s.From : s.From+verdict.Handled]}\n\tif err := l.sendOn(",
		Breaks: "what a handler emitted is accepted before its records are finished", By: engines("TestEmittedIsAcceptedBeforeTheCheckpoint")},
	{Name: "unaccepted-is-forgotten", File: "consumer/sending.go", In: "func (l *lane) publish(", Old: "rest = partly.Rest\n", New: "rest = partly.Rest[min(1, len(partly.Rest)-1):]\n",
		Breaks: "what a target has not accepted is sent again", By: engines("TestPartlyAcceptedIsNotSentAgain")},
	{Name: "handled-told-after-it-is-finished", File: "consumer/lane.go", In: "func (l *lane) carryOut", Old: "\tfinish := l.finish\n", New: "\tfinish := l.finish\n\tl.settled <- settlement{tickets: l.batch.Tickets[s.From : s.From+verdict.Handled]}\n",
		Breaks: "OnSuccess has accepted a record before the checkpoint passes it", By: engines("TestCheckpointWaitsForTheDestination")},

	{Name: "suspect-marked-after-the-call", File: "consumer/lane.go", In: "func (l *lane) step", Old: "crashes, err := l.markSuspect(&records[0])", New: "crashes, err := 0, error(nil)\n\t\tdefer l.markSuspect(&records[0])",
		Breaks: "a record is marked before it is handled alone, so that the next owner knows what killed this one", By: engines("TestRecordThatKillsTheProcessIsFound")},
	{Name: "crashes-are-not-counted", File: "consumer/save.go", In: "func (l *shardLoop) askMark", Old: "crashes = l.crashes + 1", New: "crashes = 1",
		Breaks: "a record that kills the process is given up after three crashes", By: engines("TestRecordThatKillsTheProcessIsFound")},
	{Name: "mark-of-another-handler", File: "consumer/save.go", In: "func (l *shardLoop) askMark", Old: " && l.suspectOf == l.handler", New: "",
		Breaks: "a crash counts for the handler that had the record", By: engines("TestCrashCountsForTheHandlerThatHadTheRecord")},
	{Name: "never-isolated", File: "consumer/tenure.go", In: "func (t *tenure) newLoop(", Old: "t.row.Suspect.IsRecord() || t.row.OwnerSwitches >= crashLoop", New: "false",
		Breaks: "records are handled one by one where owners have died", By: engines("TestRecordThatKillsTheProcessIsFound")},

	{Name: "effects-of-a-failed-call", File: "consumer/commit.go", In: "func (l *lane) effects", Old: "\t\to.From, o.Rejects = 0, nil\n", New: "",
		Breaks: "no record counts as done whose effects were not written", By: engines("TestRefusedEffectFailsItsCall|TestRejectedRecordLeavesTheOthersTheirEffects|TestEffects")},
	{Name: "effects-over-what-is-unfinished", File: "consumer/commit.go", In: "func (l *shardLoop) askCommit", Old: "if !l.tracker.FinishedBefore(c.first) {", New: "if false {",
		Breaks: "effects are not written with a position that has unfinished records before it", By: engines("TestEffectsWaitForWhatIsDeferredBefore")},
	{Name: "effects-not-applied-are-done", File: "consumer/commit.go", In: "func (l *shardLoop) afterCommit", Old: "case a.applied:", New: "case a.applied || a.refused == nil:",
		Breaks: "an effect whose write was not applied is written again", By: engines("TestLostAnswerNeitherLosesNorRepeatsAnEffect")},
	{Name: "effects-without-their-state", File: "consumer/commit.go", In: "func (l *shardLoop) askCommit", Old: "if c.state != nil {", New: "if false {",
		Breaks: "effects, state and position are written together", By: engines("TestEffectsAndStateAreWrittenTogether")},
	{Name: "state-behind-its-position", File: "consumer/stateful.go", In: "func (k *keeping) writable", Old: "\treturn k.as\n", New: "\treturn p\n",
		Breaks: "a position is written only with its state", By: engines("TestStateIsThatOfItsPosition")},
	{Name: "state-of-what-is-torn", File: "consumer/lane.go", In: "func (l *lane) step", Old: "l.keeping.torn.Store(true)", New: "_ = l.keeping.torn.Load()",
		Breaks: "a state that counts what is not finished is not kept", By: engines("TestStateOfWhatWasNotAcceptedIsNotKept")},
	{Name: "state-over-what-is-unfinished", File: "consumer/stateful.go", In: "func (l *shardLoop) tookState", Old: "l.waiting() > 0 || !l.tracker.FinishedBefore(k.upTo+1)", New: "false",
		Breaks: "a state is not written with a position that it is ahead of", By: engines("TestStateAheadOfWhatIsDeferredIsNotKept")},
	{Name: "state-of-the-parents-dropped", File: "consumer/stateful.go", In: "func (t *tenure) restored", Old: "if state != nil {", New: "if false {",
		Breaks: "children go on with what their parents ended with", By: engines("TestChildrenInheritTheirParentsState")},

	{Name: "deferred-is-finished", File: "consumer/lane.go", In: "func (l *lane) carryOut", Old: "finish = func(int, int) {}\n", New: "finish = func(from, to int) { l.settled <- settlement{tickets: l.batch.Tickets[from:to]} }\n",
		Breaks: "a deferred record holds the checkpoint until it is acknowledged", By: engines("TestDeferredHoldsTheCheckpointUntilDone")},
	{Name: "acknowledged-within-a-call", File: "consumer/deferring.go", In: "func (a *acks) take", Old: "if slices.ContainsFunc(one.within, func(h *callHold) bool { return !h.over }) {", New: "if false {",
		Breaks: "what a call acknowledges is finished when what it emits is accepted", By: engines("TestAckWithinACallWaitsForWhatItEmits")},
	{Name: "given-up-late-without-a-destination", File: "consumer/deferring.go", In: "func (l *shardLoop) again", Old: "return a.err != nil && l.cfg.OnFailure == nil", New: "return false && a.err != nil && l.cfg.OnFailure == nil",
		Breaks: "deferred records that are given up are handled again where nothing takes them", By: engines("TestGiveUpOfDeferredRecords")},

	{Name: "parked-before-it-is-written", File: "consumer/parkwriting.go", In: "func (p *parking) afterWrite", Old: "if !a.applied {", New: "if false {",
		Breaks: "the checkpoint passes a parked record when it stands in the table", By: test{Package: "./consumer", Run: "TestKeysThatWaitUnderRandomFaults", Flags: "-keyseeds 20"}},
	{Name: "parked-not-known-to-be-written", File: "consumer/sidewrite.go", In: "func (w *sideWrite) answer", Old: "err == nil && res.answered", New: "err == nil",
		Breaks: "of two writes of which one was given up, none is believed by the row", By: test{Package: "./consumer", Run: "TestKeysThatWaitUnderRandomFaults", Flags: "-keyseeds 20"}},
	{Name: "parked-released-over-the-rest", File: "consumer/parkwriting.go", In: "func (p *parking) handledNow", Old: "if w.becomes.Records > 0 {", New: "if false {",
		Breaks: "a key is held until all that is parked of it is done", By: test{Package: "./consumer", Run: "TestKeysThatWaitUnderRandomFaults", Flags: "-keyseeds 20"}},
	{Name: "handlers-at-the-furthest", File: "consumer/marks.go", In: "func mergeProgress", Old: "p.Position.Compare(all.Position) < 0", New: "p.Position.Compare(all.Position) > 0",
		Breaks: "the shard is where the slowest of its handlers is", By: engines("TestShardIsWhereItsSlowestHandlerIs")},
	{Name: "marks-of-another-position", File: "consumer/marks.go", In: "func progressOf", Old: "at, ok := checkpoint.Marks(row)[handler]", New: "at, ok := row.Marks[handler]",
		Breaks: "the marks of handlers are believed as long as they are of the row's position", By: engines("TestMarksOfAnotherPositionAreNotBelieved")},
	{Name: "feed-repeats-what-it-has", File: "consumer/feed.go", In: "func (f *feed) push", Old: "if had > 0 {", New: "if false {",
		Breaks: "a handler that joins the others gets nothing twice", By: engines("TestFeedJoinsWithoutRepeating")},
	{Name: "feed-goes-on-from-the-others", File: "consumer/hub.go", In: "func (h *hub) detach", Old: "f.at = f.queue[0].until", New: "f.at = h.at",
		Breaks: "a handler that is left behind reads on from where it is", By: engines("TestStuckHandler|TestRefusingDestination|TestNewHandler")},
	{Name: "feed-joins-too-early", File: "consumer/hub.go", In: "func (h *hub) join", Old: "f.attached || f.at.after.Compare(h.at.after) < 0", New: "f.attached",
		Breaks: "a handler joins the others when it has read as far", By: engines("TestFeedJoins|TestNewHandlerBeginsWhereTheSlowestIs")},

	{Name: "loss-is-not-told", File: "consumer/fetcher.go", In: "func (f *fetcher) once(", Old: "if c.Loss != nil && !f.worker.reportLoss(*c.Loss, f.handler) {", New: "if false {",
		Breaks: "records that were trimmed unread are declared as lost", By: fleets("TestScenarioLossIsDeclaredWithItsWindow")},
	{Name: "rest-of-a-shard-lost-in-silence", File: "consumer/lettinggo.go", In: "func (t *tenure) end", Old: "if !t.worker.reportLoss(loss, l.handler) {", New: "if loss.Shard == \"\" {",
		Breaks: "the rest of a shard that expired unread is declared as lost", By: fleets("TestScenarioLossOfTheRestOfAShard")},
	{Name: "budget-after-reading", File: "consumer/fetcher.go", In: "func (f *fetcher) next", Old: "waited, err := f.worker.budget.reserve(ctx, reserved)", New: "waited, err := false, error(nil)\n\treserved = 0",
		Breaks: "memory is reserved before a read, and the budget holds", By: engines("TestMemoryIsReservedBeforeTheRead")},
	{Name: "read-past-the-bound", File: "consumer/shardloop.go", In: "func (l *shardLoop) run", Old: "l.tracker.Pending() < l.cfg.MaximumInFlight && ", New: "",
		Breaks: "reading stops when as much is in flight as may be", By: engines("TestMaximumInFlightStopsReadingBehindAStuckKey")},
	{Name: "key-passes-what-waits", File: "consumer/gate.go", In: "func (l *shardLoop) passes", Old: "if l.gate.Pass(key,", New: "if l.gate.Len(key) >= 0 || l.gate.Pass(key,",
		Breaks: "a record waits behind those of its key that wait", By: test{Package: "./consumer", Run: "TestKeysThatWaitUnderRandomFaults", Flags: "-keyseeds 20"}},
}
