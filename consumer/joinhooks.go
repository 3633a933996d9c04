package consumer

// JoinHooks is hooks that call those of each of several, in their order: an
// adapter's beside one's own.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined = joined.and(h)
	}
	return joined
}

// and calls h's hooks and then those of next.
func (h Hooks) and(next Hooks) Hooks {
	return Hooks{
		SessionStarted:     both(h.SessionStarted, next.SessionStarted),
		SessionLost:        both(h.SessionLost, next.SessionLost),
		ShardStarted:       both(h.ShardStarted, next.ShardStarted),
		ShardLeft:          both(h.ShardLeft, next.ShardLeft),
		Read:               both(h.Read, next.Read),
		ReadFailed:         both(h.ReadFailed, next.ReadFailed),
		OddAggregates:      both(h.OddAggregates, next.OddAggregates),
		Filtered:           both(h.Filtered, next.Filtered),
		BatchDone:          both(h.BatchDone, next.BatchDone),
		Split:              both(h.Split, next.Split),
		Woken:              both(h.Woken, next.Woken),
		CommitRefused:      both(h.CommitRefused, next.CommitRefused),
		GaveUp:             both(h.GaveUp, next.GaveUp),
		Published:          both(h.Published, next.Published),
		DestinationRefused: both(h.DestinationRefused, next.DestinationRefused),
		KeySetAside:        both(h.KeySetAside, next.KeySetAside),
		KeyParked:          both(h.KeyParked, next.KeyParked),
		KeyReleased:        both(h.KeyReleased, next.KeyReleased),
		Checkpointed:       both(h.Checkpointed, next.Checkpointed),
		Loss:               both(h.Loss, next.Loss),
		HandlerStuck:       both(h.HandlerStuck, next.HandlerStuck),
		RowQuarantined:     both(h.RowQuarantined, next.RowQuarantined),
		HoleFound:          both(h.HoleFound, next.HoleFound),
		MemoryPressure:     both(h.MemoryPressure, next.MemoryPressure),
		ShardStalled:       both(h.ShardStalled, next.ShardStalled),
		RetentionRisk:      both(h.RetentionRisk, next.RetentionRisk),
		ShardsUnplaced:     both(h.ShardsUnplaced, next.ShardsUnplaced),
		Conflict:           both(h.Conflict, next.Conflict),
		NeighbourSeen:      both(h.NeighbourSeen, next.NeighbourSeen),
		ControlChanged:     both(h.ControlChanged, next.ControlChanged),
		StreamChanged:      both(h.StreamChanged, next.StreamChanged),
		BreakerChanged:     both(h.BreakerChanged, next.BreakerChanged),
	}
}

func both[E any](first, second func(E)) func(E) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(e E) {
		first(e)
		second(e)
	}
}
