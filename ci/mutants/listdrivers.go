package main

// Reading a shard: where it begins, what it delivers, when it ends, and what is lost.
//
// Not in the list, as others stand behind them: that the record at the checkpoint is
// dropped when Kinesis is asked to begin there (the unpacker drops all that is not
// behind the checkpoint, and is in the list of decisions).

const (
	kinesis = "shard/kinesisshards/"
	tabular = "shard/dynamoshards/"
)

func polling(run string) test { return test{Package: "./shard/kinesisshards", Run: run} }
func rolling(run string) test { return test{Package: "./shard/dynamoshards", Run: run} }

var drivers = []mutant{
	{Name: "aggregate-at-the-checkpoint-is-passed", File: kinesis + "page.go", In: "func (c cursor) unfinished", Old: "!c.whole && (c.last.Sub", New: "c.whole && (c.last.Sub",
		Breaks: "the rest of an aggregate is read again behind a checkpoint within it", By: polling("TestAnAggregateAtTheCheckpointIsDeliveredWholeOnce|TestAReaderGoesOnWithinAnAggregate")},
	{Name: "backward-records-are-delivered", File: kinesis + "page.go", In: "func (c cursor) harvest", Old: "case order > 0, anchor", New: "case order != 0, anchor",
		Breaks: "records that go backwards are dropped and counted", By: polling("TestRecordsThatGoBackwardsAreDroppedAndCounted")},
	{Name: "end-without-an-iterator", File: kinesis + "reopen.go", In: "func (c *course) end", Old: "if !closed || len(children) == 0 {", New: "if !closed {",
		Breaks: "an answer without an iterator is no end: the listing has to show the shard closed, with its children", By: polling("TestAClosedShardWithoutChildrenIsAskedAgain")},
	{Name: "end-over-its-last-records", File: kinesis + "course.go", In: "\tvar ended bool\n", Old: "if err != nil && len(h.records) == 0 {", New: "if err != nil {",
		Breaks: "the records of the last answer are delivered also if the end cannot be looked at", By: polling("TestAnEndWhoseLookUpFailsKeepsItsRecords")},
	{Name: "loss-found-and-kept", File: kinesis + "reopen.go", In: "func (c *course) verify", Old: "return c.cursor.loss(c.start.Shard, until, h.firstArrived), nil", New: "_ = until\n\treturn nil, nil",
		Breaks: "records that were trimmed unread are told with their window", By: polling("TestATrimHorizonThatPassedTheCheckpointIsALoss")},
	{Name: "loss-of-an-idle-shard", File: kinesis + "loss.go", In: "func (c cursor) lost", Old: "if c.caughtUp.IsZero() || c.caughtUp.Before(horizon) {", New: "if true {",
		Breaks: "a shard that was idle for longer than the retention has lost nothing", By: polling("TestAShardIdleForLongerThanRetentionHasLostNothing|TestAReaderThatIdlesAtATrimmedCheckpointHasLostNothing")},
	{Name: "horizon-in-place-of-a-wrong-position", File: kinesis + "reopen.go", In: "func (c *course) begin", Old: "if err := c.plausible(ctx, action, err); err != nil {\n\t\t\treturn err\n\t\t}\n", New: "",
		Breaks: "a position that was never in the shard is not taken for a trimmed one", By: polling("TestARefusedPositionIsJudged")},
	{Name: "tip-is-wherever-it-is", File: kinesis + "reopen.go", In: "func (c *course) begin", Old: "\t\tc.cursor.last = p\n", New: "",
		Breaks: "what comes between a start at the tip and the first record is read, also when the iterator expires", By: polling("TestExpiredIteratorBeforeTheFirstRecordKeepsThePin")},
	{Name: "an-iterator-is-used-for-ever", File: kinesis + "iterator.go", In: "func (i iterator) usable", Old: "i.token != \"\" && now.Sub(i.at) < maxIteratorAge", New: "i.token != \"\"",
		Breaks: "an iterator is not used until it expires", By: polling("TestAnIteratorIsNotUsedUntilItExpires")},
	{Name: "the-same-page-again", File: kinesis + "reader.go", In: "func (r *reader) read(", Old: "(next != used || len(out.Records) == 0)", New: "(next != used || true)",
		Breaks: "an iterator that leads to the same page again is not used", By: polling("TestTheSameIteratorAgainIsNotUsed")},
	{Name: "a-stream-by-its-name", File: kinesis + "reopen.go", In: "func (c *course) describe", Old: "!was.IsZero() && !now.CreatedAt.Equal(was)", New: "false",
		Breaks: "a stream that was created again is not read on", By: polling("TestAStreamCreatedAgainIsErrNoStream")},
	{Name: "fan-out-forgets-its-place", File: kinesis + "fanoutreader.go", In: "func (r *fanReader) take", Old: "r.next = continuation{aws.ToString(e.ContinuationSequenceNumber), r.heard}", New: "r.next = continuation{aws.ToString(e.ContinuationSequenceNumber) + \"0\", r.heard}",
		Breaks: "a subscription that is renewed goes on where the service says", By: polling("TestFanOutIsRenewedWithoutLossRepeatOrPause")},

	{Name: "table-begin-at-the-horizon", File: tabular + "reopen.go", In: "func (r *reader) open", Old: "case p.IsRecord():\n", New: "case false:\n",
		Breaks: "a table's stream is read on behind the checkpoint", By: rolling("TestSourceKeepsItsPromises")},
	{Name: "table-repeats-the-checkpoint", File: tabular + "page.go", In: "func (c cursor) harvest", Old: "shard.CompareSequences(position.Sequence, h.cursor.last.Sequence) <= 0", New: "shard.CompareSequences(position.Sequence, h.cursor.last.Sequence) < 0",
		Breaks: "what a table's stream repeats is dropped", By: rolling("TestRecordsThatDoNotLieBehindAreDropped")},
	{Name: "table-start-drops-too-much", File: tabular + "page.go", In: "func (c cursor) early", Old: "!at.Add(cut).After(c.from)", New: "!at.Add(0 * cut).After(c.from)",
		Breaks: "nothing that came after the start at a time is dropped, though times are cut", By: rolling("Test")},
	{Name: "table-loss-is-kept", File: tabular + "reopen.go", In: "func (r *reader) toHorizon", Old: "r.trimmed = r.cursor.loss(r.start.Shard)", New: "_ = r.cursor.loss(r.start.Shard)",
		Breaks: "records of a table's stream that were trimmed unread are told with their window", By: rolling("Test")},
	{Name: "table-end-without-an-iterator", File: tabular + "reopen.go", In: "func (r *reader) end", Old: "case open:\n", New: "case false:\n",
		Breaks: "an answer without an iterator is no end of a shard that is open", By: rolling("Test")},
	{Name: "table-end-before-its-children", File: tabular + "reopen.go", In: "func (r *reader) end", Old: "host.Sub(r.closedSince) >= childless", New: "true",
		Breaks: "a closed shard whose children are not listed yet is asked again", By: rolling("Test")},
}
